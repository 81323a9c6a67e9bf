#include "unbraid/data/distribution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "unbraid/core/error.hpp"

namespace unbraid::data {
namespace {

using Kind = Distribution::Kind;
constexpr int kDraws = 50'000;

struct Moments {
  double mean = 0, deviation = 0, low = 1e300, high = -1e300;
};

Moments moments(const Distribution& distribution) {
  Rng rng(7);
  Moments m;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = distribution.sample(rng);
    m.mean += x / kDraws;
    squares += x * x / kDraws;
    m.low = std::min(m.low, x);
    m.high = std::max(m.high, x);
  }
  m.deviation = std::sqrt(squares - m.mean * m.mean);
  return m;
}

TEST(Distribution, HasItsMoments) {
  const double five = 5 / std::sqrt(kDraws);  // five standard errors, per deviation
  const Moments uniform = moments(Distribution::uniform(-5, 5));
  EXPECT_NEAR(uniform.mean, 0, five * 10 / std::sqrt(12));
  EXPECT_NEAR(uniform.deviation, 10 / std::sqrt(12), 0.05);
  EXPECT_GE(uniform.low, -5);
  EXPECT_LT(uniform.high, 5);
  const Moments normal = moments(Distribution(Kind::kNormal, {3, 2}));
  EXPECT_NEAR(normal.mean, 3, five * 2);
  EXPECT_NEAR(normal.deviation, 2, 0.05);
  const Moments truncated = moments(Distribution(Kind::kTruncatedNormal, {0, 1, -1, 1}));
  EXPECT_GE(truncated.low, -1);
  EXPECT_LE(truncated.high, 1);
  // Var of a standard normal cut at ±1: 1 − 2φ(1)/(2Φ(1) − 1).
  EXPECT_NEAR(truncated.deviation, std::sqrt(1 - 2 * 0.24197072451914337 / 0.6826894921370859), 0.01);
  const Moments logarithmic = moments(Distribution(Kind::kLogUniform, {10, 1000}));
  EXPECT_NEAR(logarithmic.mean, 990 / std::log(100), 10);
  const Moments constant = moments(Distribution::constant(4));
  EXPECT_EQ(constant.low, 4);
  EXPECT_EQ(constant.high, 4);
}

TEST(Distribution, ChoosesByWeight) {
  Rng rng(3);
  const Distribution weighted(Kind::kChooseWeighted, {1, 2, 3}, {0.2, 0, 0.8});
  std::map<double, int> counts;
  for (int i = 0; i < kDraws; ++i) ++counts[weighted.sample(rng)];
  EXPECT_EQ(counts.count(2), 0u);
  EXPECT_NEAR(counts[1] / double{kDraws}, 0.2, 5 * std::sqrt(0.16 / kDraws));
  // Doubles count once and the order of writing is no matter, as in Scaper.
  Rng a(5), b(5);
  const Distribution first(Kind::kChoose, {3, 1, 3, 2}), second(Kind::kChoose, {1, 2, 3});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first.sample(a), second.sample(b));
}

TEST(Distribution, LimitedTimesFitTheSource) {
  EXPECT_EQ(Distribution::uniform(0, 7).limited_to(2).highest(), 2);
  EXPECT_EQ(Distribution::uniform(5, 7).limited_to(2).lowest(), 2);
  EXPECT_EQ(Distribution::constant(9).limited_to(2).highest(), 2);
  EXPECT_EQ(Distribution(Kind::kTruncatedNormal, {9, 5, 1, 9}).limited_to(3).highest(), 3);
  EXPECT_EQ(Distribution(Kind::kLogUniform, {1, 9}).limited_to(0).highest(), 0);
  Rng rng(1);
  EXPECT_EQ(Distribution(Kind::kTruncatedNormal, {9, 5, 4, 9}).limited_to(3).sample(rng), 3);
}

TEST(Distribution, RefusesNonsense) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(Distribution(Kind::kUniform, {2, 1}), Error);
  EXPECT_THROW(Distribution(Kind::kUniform, {1}), Error);
  EXPECT_THROW(Distribution(Kind::kConst, {nan}), Error);
  EXPECT_THROW(Distribution(Kind::kNormal, {0, -1}), Error);
  EXPECT_THROW(Distribution(Kind::kChoose, {}), Error);
  EXPECT_THROW(Distribution(Kind::kChooseWeighted, {1, 2}, {0.5}), Error);
  EXPECT_THROW(Distribution(Kind::kChooseWeighted, {1, 2}, {0.5, 0.6}), Error);
  EXPECT_THROW(Distribution(Kind::kChooseWeighted, {1, 2}, {1.5, -0.5}), Error);
  EXPECT_THROW(Distribution(Kind::kTruncatedNormal, {0, 1, 2, 1}), Error);
  EXPECT_THROW(Distribution(Kind::kLogUniform, {0, 1}), Error);
  EXPECT_THROW(Distribution::kind_named("unifrom"), Error);
  Rng rng(1);
  EXPECT_THROW(Distribution::constant(-1).sample_within(rng, 0, 1, "event_time"), Error);
}

}  // namespace
}  // namespace unbraid::data
