#pragma once
// Stopping long work from outside.
//
//   CancelSource stop;                       // owned by whoever may say stop: a signal handler, a button
//   run(…, stop.token());                    // handed to whoever works
//   stop.cancel();                           // async-signal-safe
//
// The worker calls token.check() between blocks; it throws Error{kCancelled} and cleans up on the way out.

#include <atomic>
#include <memory>

namespace unbraid {

class CancelToken {
 public:
  /// A token that never fires.
  CancelToken() = default;

  bool cancelled() const noexcept { return flag_ && flag_->load(std::memory_order_relaxed); }
  /// Throws Error{kCancelled} once cancel() was called.
  void check() const;

 private:
  friend class CancelSource;
  explicit CancelToken(std::shared_ptr<const std::atomic<bool>> flag) : flag_(std::move(flag)) {}
  std::shared_ptr<const std::atomic<bool>> flag_;
};

class CancelSource {
 public:
  CancelSource() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  void cancel() noexcept { flag_->store(true, std::memory_order_relaxed); }
  CancelToken token() const { return CancelToken(flag_); }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace unbraid
