#include "train/batch_queue.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid::train {

namespace {

Batch empty_batch(const BatchShape& shape, std::vector<std::uint64_t> indices) {
  const auto items = static_cast<std::int64_t>(indices.size());
  return {.mix = torch::empty({items, shape.channels, shape.frames}),
          .reference = torch::empty({items, shape.targets, shape.channels, shape.frames}),
          .indices = std::move(indices)};
}

void fill(Batch& batch, std::size_t at, const Item& item, const BatchShape& shape) {
  const auto copy_to = [&](const AudioBuffer& audio, float* to) {
    if (audio.channels() != static_cast<std::size_t>(shape.channels) || audio.frames() != static_cast<std::size_t>(shape.frames))
      throw Error{ErrorCode::kInternal, "an item has another shape than the batch"};
    std::ranges::copy(audio.samples(), to);
  };
  const std::int64_t size = shape.channels * shape.frames;
  const auto i = static_cast<std::int64_t>(at);
  copy_to(item.mix, batch.mix.data_ptr<float>() + i * size);
  for (std::int64_t t = 0; t < shape.targets; ++t)
    copy_to(item.targets.at(static_cast<std::size_t>(t)), batch.reference.data_ptr<float>() + (i * shape.targets + t) * size);
}

}  // namespace

struct BatchQueue::Impl {
  struct Pending {
    Batch batch;
    std::size_t begun = 0;  ///< items that a worker took
    std::size_t done = 0;
    std::exception_ptr error;
  };

  Impl(const Items& items_, BatchShape shape_, BatchPlan plan_, std::uint64_t first, std::size_t ahead_)
      : items(items_), shape(shape_), plan(std::move(plan_)), number(first), ahead(ahead_) {}

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      Pending* pending = nullptr;
      changed.wait(lock, [&] { return stop || (pending = with_work()) != nullptr; });
      if (stop) return;
      const std::size_t at = pending->begun++;
      lock.unlock();
      std::exception_ptr error;
      try {
        fill(pending->batch, at, items.make(pending->batch.indices[at]), shape);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) pending->error = error;
      if (++pending->done == pending->batch.indices.size()) changed.notify_all();
    }
  }

  /// A batch with an item that nobody makes yet, begun if there is room.
  Pending* with_work() {
    for (Pending& one : queue)
      if (one.begun < one.batch.indices.size()) return &one;
    if (queue.size() >= ahead) return nullptr;
    return &queue.emplace_back(Pending{.batch = empty_batch(shape, plan(number++))});
  }

  const Items& items;
  BatchShape shape;
  BatchPlan plan;
  std::uint64_t number;  ///< of the next batch to begin
  std::size_t ahead;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Pending> queue;  // its elements stay where they are
  bool stop = false;
  std::vector<std::thread> threads;
};

BatchQueue::BatchQueue(const Items& items, BatchShape shape, BatchPlan plan, std::uint64_t first, std::size_t workers, std::size_t ahead)
    : impl_(std::make_unique<Impl>(items, shape, std::move(plan), first, ahead)) {
  for (std::size_t i = 0; i < workers; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->work(); });
}

BatchQueue::~BatchQueue() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->changed.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

Batch BatchQueue::next() {
  std::unique_lock lock(impl_->mutex);
  impl_->changed.notify_all();
  impl_->changed.wait(lock,
                      [&] { return !impl_->queue.empty() && impl_->queue.front().done == impl_->queue.front().batch.indices.size(); });
  Impl::Pending first = std::move(impl_->queue.front());
  impl_->queue.pop_front();
  lock.unlock();
  impl_->changed.notify_all();
  if (first.error) std::rethrow_exception(first.error);
  return std::move(first.batch);
}

Batch make_batch(const Items& items, const BatchShape& shape, const std::vector<std::uint64_t>& indices) {
  Batch batch = empty_batch(shape, indices);
  for (std::size_t i = 0; i < indices.size(); ++i) fill(batch, i, items.make(indices[i]), shape);
  return batch;
}

}  // namespace unbraid::train
