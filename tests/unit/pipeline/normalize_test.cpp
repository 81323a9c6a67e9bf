#include "unbraid/pipeline/normalize.hpp"

#include <gtest/gtest.h>

#include "support/signals.hpp"

namespace unbraid {
namespace {

using testing::largest_difference;
using testing::noise;

TEST(Normalization, OfAKnownSignal) {
  AudioBuffer audio(2, 3);  // channel means 1, 2, 6: mean 3, deviations −2, −1, 3, variance 14/2
  const float left[] = {0, 1, 8}, right[] = {2, 3, 4};
  std::ranges::copy(left, audio.channel(0).begin());
  std::ranges::copy(right, audio.channel(1).begin());
  const NormalizationStats stats = measure_normalization(audio);
  EXPECT_DOUBLE_EQ(stats.mean, 3.0);
  EXPECT_DOUBLE_EQ(stats.std, std::sqrt(7.0));
  normalize_audio(audio, stats);
  EXPECT_FLOAT_EQ(audio.channel(0)[2], static_cast<float>(5.0 / std::sqrt(7.0)));
}

TEST(Normalization, DoesNotDependOnTheBlocks) {
  const AudioBuffer audio = noise(2, 10007, 3);
  const NormalizationStats whole = measure_normalization(audio);
  for (const std::size_t step : {1u, 2u, 1000u}) {
    NormalizationMeter meter;
    for (std::size_t at = 0; at < audio.frames(); at += step) meter.add(audio.view().slice(at, std::min(step, audio.frames() - at)));
    EXPECT_NEAR(meter.stats().mean, whole.mean, 1e-12);
    EXPECT_NEAR(meter.stats().std, whole.std, 1e-12);
  }
}

TEST(Normalization, KeepsItsPrecisionUnderALargeOffset) {
  AudioBuffer audio(1, 100000);
  for (std::size_t i = 0; i < audio.frames(); ++i) audio.channel(0)[i] = 4096.0f + (i % 2 ? 0.5f : -0.5f);
  EXPECT_NEAR(measure_normalization(audio).std, 0.5 * std::sqrt(100000.0 / 99999.0), 1e-9);
}

TEST(Normalization, TakesSilenceAsItIs) {
  const AudioBuffer empty(2, 0), one = noise(2, 1, 4), zeros(2, 50);
  for (const AudioBuffer* audio : {&empty, &one, &zeros}) {
    const NormalizationStats stats = measure_normalization(*audio);
    EXPECT_TRUE(stats.silent);
    EXPECT_EQ(stats.std, 1.0);
  }
  EXPECT_EQ(measure_normalization(empty).mean, 0.0);
}

TEST(Normalization, PopulationStdIsANumberWithoutFrames) {
  EXPECT_EQ(NormalizationStats{}.population_std(), 1.0);
  EXPECT_EQ((NormalizationStats{.frames = 1}.population_std()), 1.0);
  EXPECT_DOUBLE_EQ((NormalizationStats{.std = 3.0, .frames = 9}.population_std()), std::sqrt(8.0));
}

TEST(Normalization, RestoresTheMeanOnceOverAllStems) {
  AudioBuffer mix = noise(2, 1000, 5, 0.1);
  for (float& sample : mix.samples()) sample += 0.25f;
  const NormalizationStats stats = measure_normalization(mix);
  AudioBuffer normalized = mix;
  normalize_audio(normalized, stats);
  AudioBuffer sum(2, 1000);
  for (int stem = 0; stem < 4; ++stem) {
    AudioBuffer quarter(2, 1000);
    add_scaled(normalized, 0.25f, quarter);
    denormalize_audio(quarter, stats, 1.0 / 4.0);
    add_scaled(quarter, 1.0f, sum);
  }
  EXPECT_LT(largest_difference(sum, mix), 1e-6);
}

}  // namespace
}  // namespace unbraid
