#include "unbraid/core/thread_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "unbraid/core/error.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

namespace unbraid {

namespace {

std::size_t usable_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<std::size_t>(CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

thread_local bool inside_loop = false;

/// One parallel loop. Threads take grains off `next` until none is left.
struct Loop {
  const std::function<void(std::size_t, std::size_t)>& body;
  std::size_t count;
  std::size_t grain;
  std::atomic<std::size_t> next{0};
  std::mutex mutex = {};
  std::exception_ptr error = {};

  void work() {
    inside_loop = true;
    for (;;) {
      const std::size_t first = next.fetch_add(grain);
      if (first >= count) break;
      try {
        body(first, std::min(first + grain, count));
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        next.store(count);
      }
    }
    inside_loop = false;
  }
};

}  // namespace

struct ThreadPool::Impl {
  std::mutex mutex;
  std::mutex callers;  ///< one loop at a time
  std::condition_variable wake;
  std::condition_variable idle;
  std::vector<std::thread> workers;
  Loop* loop = nullptr;
  std::size_t generation = 0;
  std::size_t running = 0;
  bool stopping = false;

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  void serve() {
    std::size_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return stopping || generation != seen; });
      if (stopping) return;
      seen = generation;
      if (!loop) continue;
      Loop* const mine = loop;
      ++running;
      lock.unlock();
      mine->work();
      lock.lock();
      if (--running == 0) idle.notify_all();
    }
  }
};

ThreadPool::ThreadPool(std::size_t threads) : impl_(std::make_unique<Impl>()) {
  if (threads == 0) threads = usable_processors();
  try {
    for (std::size_t i = 1; i < threads; ++i) impl_->workers.emplace_back([impl = impl_.get()] { impl->serve(); });
  } catch (const std::exception&) {  // those that run are ended with impl_
    throw Error{ErrorCode::kResource, fmt::format("cannot start {} threads", threads)};
  }
}

ThreadPool::~ThreadPool() = default;

std::size_t ThreadPool::threads() const noexcept { return impl_->workers.size() + 1; }

void ThreadPool::parallel_ranges(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)>& body) {
  grain = std::max<std::size_t>(grain, 1);
  if (count == 0) return;
  if (inside_loop || impl_->workers.empty() || count <= grain) {
    for (std::size_t first = 0; first < count; first += grain) body(first, std::min(first + grain, count));
    return;
  }
  const std::lock_guard one_loop(impl_->callers);
  Loop loop{body, count, grain};
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->loop = &loop;
    ++impl_->generation;
  }
  impl_->wake.notify_all();
  loop.work();
  {
    std::unique_lock lock(impl_->mutex);
    impl_->loop = nullptr;
    impl_->idle.wait(lock, [&] { return impl_->running == 0; });
  }
  if (loop.error) std::rethrow_exception(loop.error);
}

void ThreadPool::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body, std::size_t grain) {
  parallel_ranges(count, grain, [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) body(i);
  });
}

}  // namespace unbraid
