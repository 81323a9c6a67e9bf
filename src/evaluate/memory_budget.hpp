#pragma once
// Memory that several jobs share: a job waits until what it needs is free.
//
//   MemoryBudget budget(4'000'000'000);
//   const MemoryBudget::Share share = budget.take(700'000'000);      // waits; given back at the end of the scope

#include <fmt/format.h>

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "unbraid/core/error.hpp"

namespace unbraid::evaluate {

class MemoryBudget {
 public:
  /// total: bytes; 0 for no limit.
  explicit MemoryBudget(std::size_t total) : total_(total) {}

  class Share {
   public:
    Share(MemoryBudget& budget, std::size_t bytes) : budget_(budget), bytes_(bytes) {}
    ~Share() { budget_.give_back(bytes_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    MemoryBudget& budget_;
    std::size_t bytes_;
  };

  /// kResource at once when it is more than there is at all.
  Share take(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    if (total_ > 0 && bytes > total_)
      throw Error{ErrorCode::kResource,
                  fmt::format("needs about {} MB, more than the {} MB allowed", (bytes + 999'999) / 1'000'000, total_ / 1'000'000)};
    freed_.wait(lock, [&] { return total_ == 0 || taken_ + bytes <= total_; });
    taken_ += bytes;
    return Share(*this, bytes);
  }

 private:
  void give_back(std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      taken_ -= bytes;
    }
    freed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t total_;
  std::size_t taken_ = 0;
};

}  // namespace unbraid::evaluate
