#pragma once
// A std::vector of zeros that costs nothing until it is touched.
//
//   ZeroedVector<float> samples(channels * frames);
//
// The operating system hands out pages full of zeros, on first touch. std::vector writes zeros over them at
// once, in one thread: for a spectrogram that is as much memory traffic as filling it. Here the pages come
// when they are first used, by the thread that uses them. For types whose zero is all bits zero, and for
// vectors that keep the size they were made with: resize() could show old contents.

#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace unbraid {

template <class T>
struct ZeroedAllocator {
  static_assert(std::is_trivially_copyable_v<T>);
  using value_type = T;

  ZeroedAllocator() = default;
  template <class U>
  ZeroedAllocator(const ZeroedAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    void* const memory = std::calloc(count, sizeof(T));  // checks that the product fits
    if (!memory) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) noexcept { std::free(memory); }

  /// A value without an initialiser is the zero that is there already.
  template <class U>
  void construct(U*) noexcept {}
  template <class U, class First, class... Rest>
  void construct(U* where, First&& first, Rest&&... rest) {
    ::new (static_cast<void*>(where)) U(std::forward<First>(first), std::forward<Rest>(rest)...);
  }

  friend bool operator==(const ZeroedAllocator&, const ZeroedAllocator&) { return true; }
};

template <class T>
using ZeroedVector = std::vector<T, ZeroedAllocator<T>>;

}  // namespace unbraid
