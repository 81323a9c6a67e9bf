#include "unbraid/dsp/biquad.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::dsp {
namespace {

constexpr double kRate = 44100;

double level(const Biquad& section, double frequency_hz) {
  return std::abs(frequency_response(std::span(&section, 1), frequency_hz, kRate));
}

double level(const std::vector<Biquad>& sections, double frequency_hz) {
  return std::abs(frequency_response(sections, frequency_hz, kRate));
}

// What the cookbook promises of each shape at 0, at its frequency and at half the rate.
TEST(Biquad, GainsOfTheCookbookShapes) {
  for (const double frequency : {20.0, 1000.0, 18000.0})
    for (const double q : {0.5, 0.70710678118654752, 4.0})
      for (const double gain_db : {-12.0, 0.0, 6.0}) {
        const BiquadDesign design{kRate, frequency, q, gain_db};
        const double gain = std::pow(10, gain_db / 20), half_gain = std::sqrt(gain);
        const struct {
          Biquad section;
          double at_zero, at_frequency, at_nyquist;
        } cases[] = {{low_pass(design), 1, q, 0},
                     {high_pass(design), 0, q, 1},
                     {band_pass(design), 0, 1, 0},
                     {notch(design), 1, 0, 1},
                     {peak(design), 1, gain, 1},
                     {low_shelf(design), gain, half_gain, 1},
                     {high_shelf(design), 1, half_gain, gain}};
        for (const auto& c : cases) {
          // Near 20 Hz the poles are 1e-3 from z = 1, where a coefficient's rounding is magnified 1e6 times.
          EXPECT_NEAR(level(c.section, 0), c.at_zero, 1e-8);
          EXPECT_NEAR(level(c.section, frequency), c.at_frequency, 1e-8);
          EXPECT_NEAR(level(c.section, kRate / 2), c.at_nyquist, 1e-8);
        }
      }
}

TEST(Biquad, ButterworthIsMaximallyFlat) {
  const auto warped = [](double f) { return std::tan(std::numbers::pi * f / kRate); };
  for (const std::size_t order : {1u, 2u, 3u, 4u, 7u, 12u})
    for (const double corner : {100.0, 3000.0, 20000.0})
      for (const double f : {10.0, 100.0, 1234.0, 3000.0, 15000.0, 21000.0}) {
        const double ratio = std::pow(warped(f) / warped(corner), 2.0 * static_cast<double>(order));
        EXPECT_NEAR(level(butterworth_low_pass({kRate, corner, order}), f), 1 / std::sqrt(1 + ratio), 1e-8);
        EXPECT_NEAR(level(butterworth_high_pass({kRate, corner, order}), f), 1 / std::sqrt(1 + 1 / ratio), 1e-8);
      }
}

TEST(Biquad, LinkwitzRileyBandsSumToAnAllPass) {
  for (const std::size_t order : {2u, 4u, 8u}) {
    const auto [low, high] = linkwitz_riley({kRate, 500, order});
    EXPECT_NEAR(level(low, 500), 0.5, 1e-9);
    EXPECT_NEAR(level(high, 500), 0.5, 1e-9);
    for (const double f : {5.0, 250.0, 500.0, 501.0, 1000.0, 10000.0, 22050.0})
      EXPECT_NEAR(std::abs(frequency_response(low, f, kRate) + frequency_response(high, f, kRate)), 1, 1e-9) << f;
    // order · 6.02 dB per octave, far above the crossover and low enough for the bilinear warp to stay below
    // 3 %
    const auto deep = linkwitz_riley({kRate, 50, order}).low;
    EXPECT_NEAR(level(deep, 800) / level(deep, 1600), std::pow(2, order), 0.03 * std::pow(2, order));
  }
}

// The impulse response of the recursion, in long double by definition.
TEST(Biquad, CascadeRunsTheDifferenceEquation) {
  const auto sections = butterworth_low_pass({kRate, 2000, 5});
  constexpr std::size_t kFrames = 3000;
  AudioBuffer song(2, kFrames);
  Rng rng(4);
  for (float& sample : song.samples()) sample = static_cast<float>(rng.uniform(-1, 1));
  std::vector<long double> expected(song.channel(1).begin(), song.channel(1).end());
  for (const Biquad& s : sections) {
    const auto x = expected;
    for (std::size_t n = 0; n < kFrames; ++n) {
      const auto at = [n](const auto& v, std::size_t back) { return n >= back ? v[n - back] : 0.0L; };
      expected[n] = s.b0 * x[n] + s.b1 * at(x, 1) + s.b2 * at(x, 2) - s.a1 * at(expected, 1) - s.a2 * at(expected, 2);
    }
  }
  BiquadCascade cascade(sections, 2);
  AudioBuffer whole = song;
  cascade.process(whole);
  for (std::size_t n = 0; n < kFrames; ++n)
    ASSERT_NEAR(whole.channel(1)[n], static_cast<double>(expected[n]), 1e-7) << n;  // one rounding to float

  cascade.reset();
  AudioBuffer pieces = song;
  for (std::size_t first = 0; const std::size_t count : {0u, 1u, 2u, 1000u, 1997u}) {
    cascade.process(pieces.view().slice(first, count));
    first += count;
  }
  EXPECT_EQ(std::vector(pieces.samples().begin(), pieces.samples().end()), std::vector(whole.samples().begin(), whole.samples().end()));
}

TEST(Biquad, SilenceAfterSoundEndsInZeros) {
  BiquadCascade cascade(butterworth_high_pass({kRate, 200, 2}), 1);
  AudioBuffer burst(1, 10);
  burst.channel(0)[0] = 1;
  cascade.process(burst);
  AudioBuffer rest(1, 200'000);
  cascade.process(rest);
  EXPECT_EQ(rest.channel(0)[199'999], 0.0f);
}

TEST(Biquad, RefusesWhatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double frequency : {0.0, -1.0, 22050.0, nan}) {
    EXPECT_THROW(low_pass({kRate, frequency}), Error);
    EXPECT_THROW(butterworth_high_pass({kRate, frequency, 2}), Error);
  }
  EXPECT_THROW(low_pass({0, 100}), Error);
  EXPECT_THROW(low_pass({.sample_rate = kRate, .frequency_hz = 100, .q = 0}), Error);
  EXPECT_THROW(peak({.sample_rate = kRate, .frequency_hz = 100, .gain_db = nan}), Error);
  EXPECT_THROW(butterworth_low_pass({kRate, 100, 0}), Error);
  EXPECT_THROW(butterworth_low_pass({kRate, 100, 65}), Error);
  EXPECT_THROW(linkwitz_riley({kRate, 100, 3}), Error);
  BiquadCascade cascade({Biquad{}}, 2);
  AudioBuffer mono(1, 4);
  EXPECT_THROW(cascade.process(mono), Error);
}

}  // namespace
}  // namespace unbraid::dsp
