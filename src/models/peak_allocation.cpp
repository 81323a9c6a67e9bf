#include "models/peak_allocation.hpp"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/version.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

#if TORCH_VERSION_MAJOR >= 2
using Total = std::size_t;
#else
using Total = std::int64_t;
#endif

class Meter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, Total, Total, c10::Device device) override {
    if (!device.is_cpu()) return;
    held_ += size;
    peak_ = std::max(peak_, held_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t peak() const { return peak_; }

 private:
  std::int64_t held_ = 0, peak_ = 0;
};

class Limit : public c10::MemoryReportingInfoBase {
 public:
  explicit Limit(std::size_t bytes) : left_(static_cast<std::int64_t>(bytes)), bytes_(bytes) {}
  void reportMemoryUsage(void*, std::int64_t size, Total, Total, c10::Device device) override {
    if (!device.is_cpu()) return;
    constexpr std::int64_t kLeast = 1024;
    left_ -= size > 0 ? std::max(size, kLeast) : std::min(size, -kLeast);
    if (left_ >= 0 || size <= 0) return;
    throw Error{ErrorCode::kFormat,
                fmt::format("its configuration asks for a model of more than {} MB, which is more than its tensors make", bytes_ >> 20)};
  }
  bool memoryProfilingEnabled() const override { return true; }

 private:
  std::int64_t left_;
  std::size_t bytes_;
};

}  // namespace

std::size_t peak_allocation(const std::function<void()>& work) {
  const auto meter = std::make_shared<Meter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
  work();
  return static_cast<std::size_t>(std::max<std::int64_t>(0, meter->peak()));
}

void limit_allocation(std::size_t bytes, const std::function<void()>& work) {
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, std::make_shared<Limit>(bytes));
  work();
}

}  // namespace unbraid::models
