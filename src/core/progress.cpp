#include "unbraid/core/progress.hpp"

#include <mutex>
#include <utility>

namespace unbraid {

struct Progress::State {
  std::mutex mutex;
  Observer observer;
  Update update{};
};

Progress::Progress(Observer observer) : state_(std::make_shared<State>()) { state_->observer = std::move(observer); }

void Progress::start(std::string stage, std::uint64_t total, std::string unit) const {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  state_->update = {std::move(stage), std::move(unit), 0, total};
  state_->observer(state_->update);
}

void Progress::advance(std::uint64_t units) const {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  state_->update.done += units;
  state_->observer(state_->update);
}

}  // namespace unbraid
