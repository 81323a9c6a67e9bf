#include "unbraid/dsp/loudness.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::dsp {
namespace {

constexpr std::uint32_t kRate = 48000;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Part {
  double level_db, seconds;
};

/// A 1 kHz sine in both channels at the given peak levels, one after the other.
AudioBuffer tones(const std::vector<Part>& parts) {
  double seconds = 0;
  for (const Part& part : parts) seconds += part.seconds;
  AudioBuffer out(2, static_cast<std::size_t>(seconds * kRate + 0.5));
  std::size_t n = 0;
  for (const Part& part : parts)
    for (const auto end = n + static_cast<std::size_t>(part.seconds * kRate + 0.5); n < std::min(end, out.frames()); ++n) {
      const double phase = 2 * std::numbers::pi * 1000 * static_cast<double>(n) / kRate;
      out.channel(0)[n] = out.channel(1)[n] = static_cast<float>(std::pow(10, part.level_db / 20) * std::sin(phase));
    }
  return out;
}

double integrated(AudioView signal) {
  LoudnessMeter meter({.sample_rate = kRate, .channels = signal.channels(), .true_peak = false});
  meter.add(signal);
  return meter.integrated_lufs();
}

// EBU Tech 3341, table 1, with its tolerance of 0.1 LU; the gating cases with shorter parts.
TEST(Loudness, MeetsTheMinimumRequirementsOfEbuMode) {
  EXPECT_NEAR(integrated(tones({{-23, 20}})), -23, 0.1);
  EXPECT_NEAR(integrated(tones({{-33, 20}})), -33, 0.1);
  EXPECT_NEAR(integrated(tones({{-36, 5}, {-23, 30}, {-36, 5}})), -23, 0.1);
  EXPECT_NEAR(integrated(tones({{-72, 5}, {-36, 5}, {-23, 30}, {-36, 5}, {-72, 5}})), -23, 0.1);
  EXPECT_NEAR(integrated(tones({{-26, 20}, {-20, 20.1}, {-26, 20}})), -23, 0.1);
}

// ITU-R BS.1770-4: 0 dBFS at 997 Hz in one front channel reads −3.01 LKFS; surrounds count 1.41-fold.
TEST(Loudness, ChannelWeights) {
  for (const std::size_t channel : {0u, 1u, 2u, 3u, 4u}) {
    AudioBuffer five(5, 5 * kRate);
    for (std::size_t n = 0; n < five.frames(); ++n)
      five.channel(channel)[n] = static_cast<float>(std::sin(2 * std::numbers::pi * 997 * static_cast<double>(n) / kRate));
    const double expected = -3.01 + (channel >= 3 ? 10 * std::log10(1.41) : 0);
    EXPECT_NEAR(integrated(five), expected, 0.01) << channel;
    EXPECT_NEAR(block_loudness_lufs(five, kRate), expected, 0.1) << channel;
  }
}

// EBU Tech 3341, case 15: a sine at a quarter of the rate, sampled at ±45°, peaks 3 dB above its samples.
TEST(Loudness, TruePeakSeesBetweenTheSamples) {
  AudioBuffer sine(2, kRate);
  for (std::size_t n = 0; n < sine.frames(); ++n)
    sine.channel(1)[n] = static_cast<float>(0.5 * std::sin(std::numbers::pi * (static_cast<double>(n) / 2 + 0.25)));
  LoudnessMeter meter({.sample_rate = kRate, .channels = 2});
  meter.add(sine);
  EXPECT_NEAR(meter.sample_peak_db(), 20 * std::log10(0.5 * std::numbers::sqrt2 / 2), 1e-5);
  EXPECT_LT(meter.true_peak_db(), -6.0 + 0.2);
  EXPECT_GT(meter.true_peak_db(), -6.0 - 0.4);
}

// EBU Tech 3342, table 1: 20 s each of two levels; the range is their distance, 1 LU tolerance.
TEST(Loudness, RangeOfTwoLevels) {
  LoudnessMeter meter({.sample_rate = kRate, .channels = 2, .true_peak = false});
  meter.add(tones({{-20, 20}, {-30, 20}}));
  EXPECT_NEAR(meter.range_lu(), 10, 1);
  EXPECT_THROW(meter.true_peak_db(), Error);
}

TEST(Loudness, BlocksDoNotMatter) {
  AudioBuffer noise(2, 100'000);
  Rng rng(2);
  for (float& sample : noise.samples()) sample = static_cast<float>(rng.uniform(-0.5, 0.5));
  LoudnessMeter whole({.sample_rate = kRate, .channels = 2}), cut({.sample_rate = kRate, .channels = 2});
  whole.add(noise);
  for (std::size_t first = 0; first < 100'000; first += 12'500) cut.add(noise.view().slice(first, 12'500));
  EXPECT_EQ(whole.integrated_lufs(), cut.integrated_lufs());
  EXPECT_EQ(whole.true_peak_db(), cut.true_peak_db());
}

TEST(Loudness, SilenceAndShortSignals) {
  EXPECT_EQ(integrated(AudioBuffer(2, kRate)), -kInfinity);
  EXPECT_EQ(integrated(AudioBuffer(2, 0)), -kInfinity);
  EXPECT_EQ(integrated(tones({{-20, 0.3}})), -kInfinity);
  EXPECT_EQ(block_loudness_lufs(AudioBuffer(2, kRate), kRate), -kInfinity);
  LoudnessMeter meter({.sample_rate = kRate, .channels = 1});
  EXPECT_EQ(meter.sample_peak_db(), -kInfinity);
  EXPECT_EQ(meter.true_peak_db(), -kInfinity);
  EXPECT_THROW(block_loudness_lufs(tones({{-20, 0.3}}), kRate), Error);
}

// BS.1770-4: 0 dBFS at 997 Hz reads −3.01 LKFS. At the lowest rate that lies just below the shelf, whose filter is warped
// by the bilinear transform: 0.1 LU.
TEST(Loudness, HoldsAtTheLowestAndAtTheHighestRate) {
  for (const std::uint32_t rate : {3364u, 2'822'400u}) {
    AudioBuffer sine(1, 2 * rate);
    for (std::size_t n = 0; n < sine.frames(); ++n)
      sine.channel(0)[n] = static_cast<float>(0.1 * std::sin(2 * std::numbers::pi * 997 * static_cast<double>(n) / rate));
    LoudnessMeter meter({.sample_rate = rate, .channels = 1, .true_peak = false});
    meter.add(sine);
    EXPECT_NEAR(meter.integrated_lufs(), -20 - 3.01, 0.1) << rate;
  }
}

TEST(Loudness, RefusesWhatIsOutOfRange) {
  EXPECT_THROW(LoudnessMeter({.sample_rate = 3363, .channels = 1}), Error);
  EXPECT_THROW(LoudnessMeter({.sample_rate = 2'822'401, .channels = 1}), Error);
  EXPECT_THROW(LoudnessMeter({.sample_rate = kRate, .channels = 0}), Error);
  EXPECT_THROW(LoudnessMeter({.sample_rate = kRate, .channels = 65}), Error);
  EXPECT_THROW(block_loudness_lufs(AudioBuffer(6, kRate), kRate), Error);
  EXPECT_THROW(block_loudness_lufs(AudioBuffer(0, kRate), kRate), Error);
  EXPECT_THROW(block_loudness_lufs(AudioBuffer(1, kRate), 3000), Error);
  LoudnessMeter meter({.sample_rate = kRate, .channels = 2});
  EXPECT_THROW(meter.add(AudioBuffer(1, 10)), Error);
}

}  // namespace
}  // namespace unbraid::dsp
