#include "unbraid/evaluate/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/evaluate/aggregate.hpp"

namespace unbraid::evaluate {
namespace {

TEST(Wilcoxon, EqualsScipy) {
  // scipy.stats.wilcoxon 1.10.1, mode exact, and approx without continuity correction where there are ties and zeros.
  EXPECT_NEAR(wilcoxon_signed_rank(std::vector<double>{0.5, 1.2, -0.3, 0.8, 2.1, -0.1, 0.4}), 0.078125, 1e-12);
  EXPECT_NEAR(wilcoxon_signed_rank(std::vector<double>{1, 2, 2, -1, 3, 0, 4, 5, -2, 1, 1}), 0.050641039794217184, 1e-12);
}

TEST(Wilcoxon, ClosedForms) {
  // All of one sign: 2 / 2ⁿ. Symmetric differences: no evidence at all.
  EXPECT_NEAR(wilcoxon_signed_rank(std::vector<double>{1, 2, 3, 4, 5}), 2.0 / 32, 1e-15);
  EXPECT_EQ(wilcoxon_signed_rank(std::vector<double>{1, -1, 2, -2}), 1.0);
  EXPECT_TRUE(std::isnan(wilcoxon_signed_rank(std::vector<double>{0, 0, NAN})));
}

TEST(Bootstrap, CoversWhatTheoryPredicts) {
  std::vector<double> values(400);
  Rng rng(3);
  for (double& x : values) x = rng.normal(5, 2);
  const Interval mean = bootstrap_mean(values), median = bootstrap_median(values);
  // ±1.96·σ/√n = ±0.196 for the mean, √(π/2) times as much for the median; a fifth of it for the draw itself.
  EXPECT_NEAR((mean.high - mean.low) / 2, 0.196, 0.04);
  EXPECT_NEAR((median.high - median.low) / 2, 0.246, 0.1);
  EXPECT_LT(mean.low, 5.2);
  EXPECT_GT(mean.high, 4.8);
  EXPECT_EQ(bootstrap_mean(values).low, mean.low);
  EXPECT_TRUE(std::isnan(bootstrap_mean(std::vector<double>{1.0}).low));
}

TEST(Aggregate, LeavesOutWhatDoesNotApply) {
  std::vector<TrackResult> results(3);
  for (std::size_t i = 0; i < 3; ++i)
    results[i].targets.push_back({.name = "vocals", .metrics = {{"sdr", i == 1 ? NAN : static_cast<double>(4 * i)}}});
  const Summary s = aggregate(results).at("vocals").at("sdr");
  EXPECT_EQ(s.tracks, 2u);
  EXPECT_EQ(s.median, 4);
  EXPECT_EQ(s.mean, 4);
  EXPECT_NEAR(s.standard_deviation, std::sqrt(32.0), 1e-12);
}

TEST(Aggregate, OverallIsOfAllTargetsAlike) {
  std::vector<TrackResult> results(2);
  results[0].targets = {{.name = "vocals", .metrics = {{"sdr", 1}}}, {.name = "bass", .metrics = {{"sdr", 3}, {"snr", 8}}}};
  results[1].targets = {{.name = "vocals", .metrics = {{"sdr", 11}}}, {.name = "bass", .metrics = {{"sdr", NAN}}}};
  const auto all = overall(results);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.at("sdr").tracks, 3u);
  EXPECT_EQ(all.at("sdr").median, 3);
  EXPECT_EQ(all.at("sdr").mean, 5);
  EXPECT_NEAR(all.at("sdr").standard_deviation, std::sqrt(28.0), 1e-12);  // (16 + 4 + 36) / 2
  EXPECT_EQ(all.at("snr").tracks, 1u);
  EXPECT_TRUE(overall({}).empty());
}

TEST(Compare, PairsByTrackTargetAndMetric) {
  const std::vector<Score> a{{"x", "bass", "sdr", 1}, {"y", "bass", "sdr", 2}, {"z", "bass", "sdr", NAN}};
  const std::vector<Score> b{{"y", "bass", "sdr", 5}, {"x", "bass", "sdr", 2}, {"z", "bass", "sdr", 9}, {"x", "drums", "sdr", 0}};
  const auto comparisons = compare(a, b);
  ASSERT_EQ(comparisons.size(), 1u);
  EXPECT_EQ(comparisons[0].pairs.size(), 2u);
  EXPECT_EQ(comparisons[0].pairs[0].track, "y");
  EXPECT_EQ(comparisons[0].mean_difference, 2);
  EXPECT_THROW(compare(a, {}), Error);
}

TEST(Compare, SplitsTellTracksOfOneNameApart) {
  const std::vector<Score> a{{"x", "bass", "sdr", 1, "test"}, {"x", "bass", "sdr", 10, "train"}};
  const std::vector<Score> b{{"x", "bass", "sdr", 12, "train"}, {"x", "bass", "sdr", 4, "test"}};
  const auto comparisons = compare(a, b);
  ASSERT_EQ(comparisons[0].pairs.size(), 2u);
  EXPECT_EQ(comparisons[0].pairs[0].track, "test/x");
  EXPECT_EQ(comparisons[0].pairs[0].difference(), 3);
  EXPECT_EQ(comparisons[0].pairs[1].difference(), 2);
  // One of a name needs no split; of two it cannot be told.
  EXPECT_EQ(compare(std::vector<Score>{{"y", "bass", "sdr", 1, "test"}}, std::vector<Score>{{"y", "bass", "sdr", 2}})[0].mean_difference,
            1);
  EXPECT_THROW(compare(a, std::vector<Score>{{"x", "bass", "sdr", 2}}), Error);
  const std::vector<Score> twice{{"x", "bass", "sdr", 1}, {"x", "bass", "sdr", 2}};
  EXPECT_THROW(compare(twice, twice), Error);
}

TEST(Compare, LessCanBeBetter) {
  const std::vector<Score> a{{"x", "bass", "l1_time", 0.3}, {"y", "bass", "l1_time", 0.3}};
  const std::vector<Score> b{{"x", "bass", "l1_time", 0.4}, {"y", "bass", "l1_time", 0.1}};
  const auto pairs = compare(a, b)[0].pairs;
  EXPECT_EQ(pairs.front().track, "y");
  EXPECT_EQ(pairs.back().track, "x");
}

}  // namespace
}  // namespace unbraid::evaluate
