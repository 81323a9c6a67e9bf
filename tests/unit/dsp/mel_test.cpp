#include "unbraid/dsp/mel.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {
namespace {

TEST(Mel, ScalesAtTheirLandmarks) {
  EXPECT_EQ(hz_to_mel(0, MelScale::kSlaney), 0);
  EXPECT_NEAR(hz_to_mel(1000, MelScale::kSlaney), 15, 1e-12);
  EXPECT_NEAR(hz_to_mel(6400, MelScale::kSlaney), 42, 1e-12);  // 27 more per factor 6.4
  EXPECT_NEAR(hz_to_mel(700, MelScale::kHtk), 2595 * std::log10(2), 1e-10);
  for (const MelScale scale : {MelScale::kSlaney, MelScale::kHtk})
    for (const double hz : {0.0, 60.0, 999.9, 1000.0, 1000.1, 22050.0})
      EXPECT_NEAR(mel_to_hz(hz_to_mel(hz, scale), scale), hz, 1e-10 * (1 + hz));
}

TEST(Mel, TrianglesWithoutNormSumToOneBetweenTheOutermostCentres) {
  const MelFilterBank bank({.sample_rate = 16000, .n_fft = 2048, .bands = 30, .low_hz = 100, .high_hz = 7000, .norm = MelNorm::kNone});
  std::vector<double> sums(bank.bins());
  for (std::size_t b = 0; b < bank.bands(); ++b)
    for (std::size_t i = 0; i < bank.band(b).weights.size(); ++i) sums[bank.band(b).first + i] += bank.band(b).weights[i];
  for (std::size_t k = 0; k < sums.size(); ++k) {
    const double hz = static_cast<double>(k) * 16000 / 2048;
    if (hz > 200 && hz < 6300) {
      EXPECT_NEAR(sums[k], 1, 1e-12) << hz;
    } else if (hz < 100 || hz > 7000) {
      EXPECT_EQ(sums[k], 0) << hz;
    }
  }
}

TEST(Mel, ApplyIsTheSumOverTheBand) {
  const MelFilterBank bank({.sample_rate = 8000, .n_fft = 64, .bands = 5});
  std::vector<float> spectrum(bank.bins()), mel(5);
  for (std::size_t k = 0; k < spectrum.size(); ++k) spectrum[k] = static_cast<float>(k * k);
  bank.apply<float>(spectrum, mel);
  for (std::size_t b = 0; b < 5; ++b) {
    double sum = 0;
    for (std::size_t i = 0; i < bank.band(b).weights.size(); ++i)
      sum += bank.band(b).weights[i] * std::pow(static_cast<double>(bank.band(b).first + i), 2);
    EXPECT_NEAR(mel[b], sum, 1e-6 * sum);
  }
  EXPECT_THROW(bank.apply<float>(mel, mel), Error);
}

// More bands than bins: some bands lie between two bins and weigh nothing.
TEST(Mel, NarrowBandsMayBeEmpty) {
  const MelFilterBank bank({.sample_rate = 44100, .n_fft = 64, .bands = 128});
  std::vector<double> spectrum(bank.bins(), 1.0), mel(128, -1.0);
  bank.apply<double>(spectrum, mel);
  EXPECT_TRUE(bank.band(0).weights.empty());
  EXPECT_EQ(mel[0], 0);
}

TEST(Mel, RefusesWhatIsOutOfRange) {
  const auto make = [](const MelOptions& options) { return MelFilterBank(options); };
  EXPECT_THROW(make({.sample_rate = 0, .n_fft = 64}), Error);
  EXPECT_THROW(make({.sample_rate = 8000, .n_fft = 0}), Error);
  EXPECT_THROW(make({.sample_rate = 8000, .n_fft = 64, .bands = 0}), Error);
  EXPECT_THROW(make({.sample_rate = 8000, .n_fft = 64, .low_hz = 4000}), Error);
  EXPECT_THROW(make({.sample_rate = 8000, .n_fft = 64, .low_hz = -1}), Error);
  EXPECT_THROW(make({.sample_rate = 8000, .n_fft = 64, .high_hz = 4001}), Error);
  EXPECT_THROW(make({.sample_rate = 8000, .n_fft = 64, .high_hz = std::nan("")}), Error);
}

TEST(Decibels, ReferenceFloorAndRange) {
  std::vector<double> power{1, 100, 1e-3, 0, 1e-20};
  power_to_db<double>(power, {.range_db = std::numeric_limits<double>::infinity()});
  EXPECT_NEAR(power[0], 0, 1e-13);
  EXPECT_NEAR(power[1], 20, 1e-13);
  EXPECT_NEAR(power[2], -30, 1e-13);
  EXPECT_NEAR(power[3], -100, 1e-13);
  EXPECT_NEAR(power[4], -100, 1e-13);
  std::vector<float> limited{1, 100, 1e-9f};
  power_to_db<float>(limited, {.reference = 100});
  EXPECT_EQ(limited, (std::vector<float>{-20, 0, -80}));
  EXPECT_NO_THROW(power_to_db<float>({}, {}));
  EXPECT_THROW(power_to_db<float>(limited, {.floor = 0}), Error);
  EXPECT_THROW(power_to_db<float>(limited, {.range_db = -1}), Error);
}

TEST(Dct2, IsOrthonormal) {
  constexpr std::size_t kSize = 13;
  std::vector<std::vector<double>> rows(kSize, std::vector<double>(kSize));
  for (std::size_t n = 0; n < kSize; ++n) {
    std::vector<double> unit(kSize), coefficients(kSize);
    unit[n] = 1;
    dct2<double>(unit, coefficients);
    for (std::size_t k = 0; k < kSize; ++k) rows[k][n] = coefficients[k];
  }
  for (std::size_t a = 0; a < kSize; ++a)
    for (std::size_t b = 0; b < kSize; ++b) {
      double product = 0;
      for (std::size_t n = 0; n < kSize; ++n) product += rows[a][n] * rows[b][n];
      EXPECT_NEAR(product, a == b ? 1 : 0, 1e-14);
    }
  // Row k is a cosine of k half-periods.
  EXPECT_NEAR(rows[3][2], std::sqrt(2.0 / 13) * std::cos(std::numbers::pi * 3 * 5 / 26), 1e-15);
  std::vector<double> few(3), many(4);
  EXPECT_THROW(dct2<double>(few, many), Error);
}

}  // namespace
}  // namespace unbraid::dsp
