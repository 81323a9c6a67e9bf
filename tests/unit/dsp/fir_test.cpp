#include "unbraid/dsp/fir.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {
namespace {

constexpr double kRate = 16000;

/// The response without the delay of (taps − 1)/2 samples: real for linear-phase taps.
double response(const std::vector<double>& taps, double frequency_hz) {
  double sum = 0;
  for (std::size_t n = 0; n < taps.size(); ++n)
    sum +=
        taps[n] * std::cos(2 * std::numbers::pi * frequency_hz / kRate * (static_cast<double>(n) - static_cast<double>(taps.size() / 2)));
  return sum;
}

void expect_symmetric(const std::vector<double>& taps) {
  for (std::size_t n = 0; n < taps.size(); ++n) EXPECT_NEAR(taps[n], taps[taps.size() - 1 - n], 1e-16);
}

TEST(Fir, KaiserDesignKeepsItsPromise) {
  for (const double attenuation : {40.0, 60.0, 100.0}) {
    const KaiserDesign size = kaiser_design(attenuation, 400, kRate);
    const FirDesign design{
        .sample_rate = kRate, .low_hz = 1500, .high_hz = 3500, .taps = size.taps, .window = WindowKind::kKaiser, .kaiser_beta = size.beta};
    const auto low = fir_low_pass(design), high = fir_high_pass(design), band = fir_band_pass(design);
    expect_symmetric(low);
    expect_symmetric(high);
    expect_symmetric(band);
    // Kaiser's formula is a fit, good to a decibel or so.
    const double ripple = 1.3 * std::pow(10, -attenuation / 20);
    for (double f = 0; f <= 8000; f += 50) {
      if (std::abs(f - 1500) < 200 || std::abs(f - 3500) < 200) continue;  // the transitions
      EXPECT_NEAR(response(low, f), f < 3500 ? 1 : 0, ripple) << f;
      EXPECT_NEAR(response(high, f), f > 1500 ? 1 : 0, ripple) << f;
      EXPECT_NEAR(response(band, f), f > 1500 && f < 3500 ? 1 : 0, 2 * ripple) << f;
    }
    EXPECT_NEAR(response(low, 3500), 0.5, ripple);
    EXPECT_NEAR(response(high, 1500), 0.5, ripple);
  }
}

TEST(Fir, GainIsOneInTheMiddleOfThePassband) {
  const FirDesign design{.sample_rate = kRate, .low_hz = 1000, .high_hz = 2000, .taps = 31};
  EXPECT_NEAR(response(fir_low_pass(design), 0), 1, 1e-14);
  EXPECT_NEAR(response(fir_high_pass(design), 8000), 1, 1e-14);
  EXPECT_NEAR(response(fir_band_pass(design), 1500), 1, 1e-14);
}

// Three taps by hand: sin(πn/2)/(πn) at n = ±1 is 1/π, times Hamming's 0.08; 1/2 in the middle.
TEST(Fir, ThreeTapHalfBandInClosedForm) {
  const auto taps = fir_low_pass({.sample_rate = kRate, .high_hz = 4000, .taps = 3});
  const double side = 0.08 / std::numbers::pi, sum = 0.5 + 2 * side;
  EXPECT_NEAR(taps[0], side / sum, 1e-15);
  EXPECT_NEAR(taps[1], 0.5 / sum, 1e-15);
  EXPECT_NEAR(taps[2], side / sum, 1e-15);
  EXPECT_EQ(fir_low_pass({.sample_rate = kRate, .high_hz = 4000, .taps = 1}), std::vector<double>{1});
}

TEST(Fir, RefusesWhatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(fir_low_pass({.sample_rate = kRate, .high_hz = 100, .taps = 32}), Error);
  EXPECT_THROW(fir_low_pass({.sample_rate = kRate, .high_hz = 100, .taps = 0}), Error);
  EXPECT_THROW(fir_low_pass({.sample_rate = kRate, .high_hz = 8000, .taps = 31}), Error);
  EXPECT_THROW(fir_low_pass({.sample_rate = kRate, .high_hz = nan, .taps = 31}), Error);
  EXPECT_THROW(fir_high_pass({.sample_rate = kRate, .low_hz = 0, .taps = 31}), Error);
  EXPECT_THROW(fir_band_pass({.sample_rate = kRate, .low_hz = 100, .taps = 31}), Error);
  EXPECT_THROW(fir_band_pass({.sample_rate = kRate, .low_hz = 200, .high_hz = 100, .taps = 31}), Error);
  EXPECT_THROW(fir_band_pass({.sample_rate = nan, .low_hz = 50, .high_hz = 100, .taps = 31}), Error);
  EXPECT_THROW(kaiser_design(5, 100, kRate), Error);
  EXPECT_THROW(kaiser_design(60, 0, kRate), Error);
}

}  // namespace
}  // namespace unbraid::dsp
