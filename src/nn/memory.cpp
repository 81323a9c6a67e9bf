#include "nn/memory.hpp"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <torch/version.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>

namespace unbraid::nn {

namespace {

constexpr std::size_t kPage = 2 << 20;    ///< a large one
constexpr std::size_t kSpare = 64 << 20;  ///< may always lie unused
constexpr std::size_t kLeast = 1 << 20;   ///< smaller blocks are the C library's

/// Blocks of memory pages, kept when they are free.
class Blocks {
 public:
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t size = rounded(bytes);
    // The smallest that is large enough, but not by more than an eighth.
    const auto found = free_.lower_bound(size);
    if (found != free_.end() && found->first <= size + size / 8) {
      void* const block = found->second;
      free_bytes_ -= found->first;
      lend(block, found->first);
      free_.erase(found);
      return block;
    }
    // What lies unused does not make the process much larger than its tensors once were.
    const std::size_t most = std::max(most_used_, used_bytes_ + size);
    drop(most + std::max(most / 4, kSpare) - used_bytes_ - size);
    void* block = map(size);
    if (!block) {  // perhaps what is kept is what is missing
      drop(0);
      block = map(size);
    }
    TORCH_CHECK(block, "not enough memory for ", bytes, " bytes");
    lend(block, size);
    return block;
  }

  /// Whether it was one of these.
  bool give(void* block) {
    const std::lock_guard lock(mutex_);
    const auto found = used_.find(block);
    if (found == used_.end()) return false;
    free_.emplace(found->second, block);
    free_bytes_ += found->second;
    used_bytes_ -= found->second;
    used_.erase(found);
    return true;
  }

  void release() {
    const std::lock_guard lock(mutex_);
    drop(0);
    most_used_ = used_bytes_;
  }

 private:
  /// To an eighth of its power of two, so that blocks fit again though lengths differ a little.
  static std::size_t rounded(std::size_t bytes) {
    const std::size_t step = std::max(kPage, std::bit_floor(bytes) / 8);
    return (bytes + step - 1) / step * step;
  }

  /// Whole large pages from a large page's start.
  static void* map(std::size_t size) {
    void* const all = mmap(nullptr, size + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return nullptr;
    auto* const first = static_cast<std::byte*>(all);
    const std::size_t before = (kPage - reinterpret_cast<std::uintptr_t>(first) % kPage) % kPage;
    if (before > 0) munmap(first, before);
    if (before < kPage) munmap(first + before + size, kPage - before);
#ifdef MADV_HUGEPAGE
    madvise(first + before, size, MADV_HUGEPAGE);
#endif
    return first + before;
  }

  void lend(void* block, std::size_t size) {
    used_.emplace(block, size);
    used_bytes_ += size;
    most_used_ = std::max(most_used_, used_bytes_);
  }

  /// Keeps no more than `limit` bytes. The smallest go first: they cost least to make again.
  void drop(std::size_t limit) {
    while (free_bytes_ > limit) {
      const auto first = free_.begin();
      munmap(first->second, first->first);
      free_bytes_ -= first->first;
      free_.erase(first);
    }
  }

  std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;
  std::unordered_map<void*, std::size_t> used_;
  std::size_t free_bytes_ = 0, used_bytes_ = 0, most_used_ = 0;
};

Blocks& blocks() {
  static Blocks& all = *new Blocks;  // tensors may outlive everything else
  return all;
}

void give_back(void* memory) {
  if (!memory) return;
  c10::profiledCPUMemoryReporter().Delete(memory);
  if (!blocks().give(memory)) c10::free_cpu(memory);
}

struct KeepingAllocator final : c10::Allocator {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 3)
  c10::DataPtr allocate(std::size_t bytes) override { return make(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }
#else
  c10::DataPtr allocate(std::size_t bytes) const override { return make(bytes); }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

 private:
  static c10::DataPtr make(std::size_t bytes) {
    void* const memory = bytes < kLeast ? c10::alloc_cpu(bytes) : blocks().take(bytes);
    c10::DataPtr result(memory, memory, &give_back, c10::Device(c10::DeviceType::CPU));
    c10::profiledCPUMemoryReporter().New(memory, bytes);  // who listens may throw
    return result;
  }
};

/// When this library is opened; libtorch's own has priority 0.
[[maybe_unused]] const bool installed = (c10::SetCPUAllocator(new KeepingAllocator, 1), true);

}  // namespace

void release_memory() { blocks().release(); }

}  // namespace unbraid::nn
