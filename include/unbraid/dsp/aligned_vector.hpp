#pragma once
// A std::vector whose memory starts on a cache line: what SIMD loops and FFTW's fastest transforms want.
//
//   dsp::AlignedVector<float> scratch(2048);   // zeros, like any vector

#include <cstddef>
#include <new>
#include <vector>

namespace unbraid::dsp {

inline constexpr std::size_t kAlignment = 64;  ///< bytes: a cache line, and the widest SIMD register

template <class T>
struct AlignedAllocator {
  using value_type = T;

  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) { return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{kAlignment})); }
  void deallocate(T* memory, std::size_t) noexcept { ::operator delete (memory, std::align_val_t{kAlignment}); }

  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace unbraid::dsp
