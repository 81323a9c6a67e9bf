#include "unbraid/dsp/time_frequency.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <utility>

namespace unbraid::dsp {
namespace {

TEST(TimeFrequency, IsEmptyOnceItsValuesAreMovedAway) {
  Mask<float> first(2, 3, 4), second(5, 6, 7);
  first.at(1, 2, 3) = 0.5f;
  const Mask<float> moved(std::move(first));
  EXPECT_EQ(moved.at(1, 2, 3), 0.5f);
  Mask<float> assigned(1, 1, 1);
  assigned = std::move(second);
  EXPECT_TRUE(assigned.same_shape(Mask<float>(5, 6, 7)));
  for (const Mask<float>* left : {&first, &second}) {
    EXPECT_TRUE(left->same_shape(Mask<float>()));
    EXPECT_EQ(left->size(), 0u);
  }
}

TEST(TimeFrequency, MoreValuesThanCanBeCountedAreRefused) {
  constexpr std::size_t kHalf = std::numeric_limits<std::size_t>::max() / 2 + 1;
  EXPECT_THROW(Mask<float>(1, kHalf, 2), std::length_error);  // wraps to 0
  EXPECT_THROW(Mask<float>(kHalf, 2, 1), std::length_error);
}

}  // namespace
}  // namespace unbraid::dsp
