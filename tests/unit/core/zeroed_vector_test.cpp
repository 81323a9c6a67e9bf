#include "unbraid/core/zeroed_vector.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <complex>
#include <new>

namespace unbraid {
namespace {

TEST(ZeroedVector, IsZeroAlsoInMemoryThatWasUsedBefore) {
  for (const std::size_t size : {0u, 1u, 7u, 1000u, 3'000'000u})
    for (int round = 0; round < 3; ++round) {
      ZeroedVector<float> values(size);
      ASSERT_EQ(std::ranges::count(values, 0.0f), static_cast<std::ptrdiff_t>(size));
      std::ranges::fill(values, 3.0f);  // what the next round would find
    }
}

TEST(ZeroedVector, CopiesAndMovesLikeAnyVector) {
  ZeroedVector<std::complex<double>> values(5);
  values[3] = {1, 2};
  const auto copy = values;
  const auto moved = std::move(values);
  EXPECT_EQ(copy, moved);
  EXPECT_EQ(copy[3], std::complex<double>(1, 2));
  ZeroedVector<std::complex<double>> assigned(9);
  assigned = copy;
  EXPECT_EQ(assigned, copy);
}

TEST(ZeroedVector, TooLargeIsBadAlloc) { EXPECT_THROW(ZeroedAllocator<double>().allocate(std::size_t{1} << 62), std::bad_alloc); }

}  // namespace
}  // namespace unbraid
