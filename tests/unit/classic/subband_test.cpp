#include "unbraid/classic/subband.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "unbraid/core/error.hpp"

namespace unbraid::classic {
namespace {

/// The gain of a band at a frequency, from its impulse response.
double gain(const AudioBuffer& response, double hz, double sample_rate) {
  std::complex<double> sum = 0;
  for (std::size_t i = 0; i < response.frames(); ++i)
    sum += std::polar(static_cast<double>(response.channel(0)[i]), -2 * std::numbers::pi * hz / sample_rate * static_cast<double>(i));
  return std::abs(sum);
}

class Bands : public ::testing::TestWithParam<BandOptions::Filter> {};

TEST_P(Bands, AreSixDecibelsDownAtTheirEdgesAndPassTheirMiddles) {
  constexpr double kRate = 8000;
  AudioBuffer impulse(1, 16001);
  impulse.channel(0)[8000] = 1;
  ThreadPool pool(2);
  const auto bands = split_bands(impulse, {.edges_hz = {100, 1000}, .filter = GetParam()}, kRate, pool);
  ASSERT_EQ(bands.size(), 3u);
  EXPECT_NEAR(gain(bands[0], 0, kRate), 1, 1e-3);
  EXPECT_NEAR(gain(bands[0], 100, kRate), 0.5, 1e-3);
  EXPECT_NEAR(gain(bands[1], 100, kRate), 0.5, 1e-3);
  EXPECT_NEAR(gain(bands[1], 320, kRate), 1, 0.03);  // a Linkwitz-Riley band of 24 dB per octave has round shoulders
  EXPECT_NEAR(gain(bands[1], 1000, kRate), 0.5, 1e-3);
  EXPECT_NEAR(gain(bands[2], 1000, kRate), 0.5, 1e-3);
  EXPECT_NEAR(gain(bands[2], 3999, kRate), 1, 2e-3);
  EXPECT_LT(gain(bands[2], 50, kRate), 2e-3);  // 60 dB; 4.3 octaves at 24 dB are more
}
INSTANTIATE_TEST_SUITE_P(Filters, Bands, ::testing::Values(BandOptions::Filter::kFir, BandOptions::Filter::kLinkwitzRiley));

// 1 − |B|² of a Butterworth low-pass is the squared high-pass, 1/(1 + (tan ω₀/tan ω)^2n).
TEST(BandOptions, LinkwitzRileyHighBandFallsAsItsLowBand) {
  constexpr double kRate = 8000, kEdge = 500;
  AudioBuffer impulse(1, 8001);
  impulse.channel(0)[4000] = 1;
  ThreadPool pool(1);
  const auto bands = split_bands(impulse, {.edges_hz = {kEdge}, .filter = BandOptions::Filter::kLinkwitzRiley}, kRate, pool);
  for (const double hz : {125.0, 250.0, 500.0, 1000.0, 2000.0}) {
    const double ratio = std::tan(std::numbers::pi * kEdge / kRate) / std::tan(std::numbers::pi * hz / kRate);
    EXPECT_NEAR(gain(bands[1], hz, kRate), 1 / (1 + std::pow(ratio, 4)), 1e-4) << hz;
  }
}

TEST(BandOptions, WrongOnesAreRefused) {
  EXPECT_THROW(BandOptions{}.validate(), Error);
  EXPECT_THROW((BandOptions{.edges_hz = {200, 100}}.validate()), Error);
  EXPECT_THROW((BandOptions{.edges_hz = {100}, .order = 3}.validate()), Error);
}

}  // namespace
}  // namespace unbraid::classic
