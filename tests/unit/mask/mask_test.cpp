#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/mask/apply.hpp"
#include "unbraid/mask/griffin_lim.hpp"
#include "unbraid/mask/ideal.hpp"
#include "unbraid/mask/wiener_em.hpp"

namespace unbraid::mask {
namespace {

using Complex = std::complex<double>;
using Spectrogram = dsp::Spectrogram<double>;

/// Random sources, some bins exactly zero, and their sum. 131 bins: one more than a block, and then some.
struct Scene {
  std::vector<Spectrogram> sources;
  Spectrogram mixture{2, 9, 131};

  explicit Scene(std::size_t count, std::uint64_t seed = 1) {
    Rng rng(seed);
    for (std::size_t i = 0; i < count; ++i) {
      Spectrogram& source = sources.emplace_back(2, 9, 131);
      for (std::size_t k = 0; k < source.size(); ++k) {
        if (k % 17 == 0 || (k + i) % 5 == 0) continue;
        source.values()[k] = {rng.normal(), rng.normal()};
        mixture.values()[k] += source.values()[k];
      }
    }
  }
};

std::vector<double> sums(const std::vector<dsp::Mask<double>>& masks, double power = 1) {
  std::vector<double> sum(masks[0].size(), 0.0);
  for (const auto& mask : masks) {
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += std::pow(mask.values()[k], power);
  }
  return sum;
}

bool silent(const Scene& scene, std::size_t k) {
  for (const Spectrogram& source : scene.sources) {
    if (source.values()[k] != Complex{}) return false;
  }
  return true;
}

TEST(IdealMask, LieInTheUnitIntervalAndSumAsDocumented) {
  ThreadPool pool(1);
  const Scene scene(4);
  for (const char* name : {"ibm", "ibm_threshold", "irm", "irm_root", "wiener2", "wiener0.7", "wiener3", "psm", "psa"}) {
    SCOPED_TRACE(name);
    const auto masks = ideal_masks<double>(ideal_mask(name), scene.sources, scene.mixture, pool);
    for (const auto& mask : masks) {
      for (const double m : mask.values()) {
        ASSERT_GE(m, 0.0);
        ASSERT_LE(m, 1.0);
      }
    }
    const std::string kind = name;
    if (kind == "ibm_threshold" || kind.starts_with("ps")) continue;
    const std::vector<double> sum = sums(masks, kind == "irm_root" ? 2 : 1);
    for (std::size_t k = 0; k < sum.size(); ++k) {
      ASSERT_NEAR(sum[k], silent(scene, k) && kind != "ibm" ? 0.0 : 1.0, 1e-14) << k;
    }
  }
}

TEST(IdealMask, UnclippedPhaseSensitiveSumsToOneAndIsTheBestRealGain) {
  ThreadPool pool(1);
  const Scene scene(3);
  const auto masks = ideal_masks<double>(ideal_mask("psm_unclipped"), scene.sources, scene.mixture, pool);
  const std::vector<double> sum = sums(masks);
  for (std::size_t k = 0; k < sum.size(); ++k) {
    const Complex x = scene.mixture.values()[k];
    if (x == Complex{}) {
      EXPECT_EQ(sum[k], 0.0);
      continue;
    }
    ASSERT_NEAR(sum[k], 1.0, 1e-12);
    for (std::size_t i = 0; i < masks.size(); ++i) {
      const double gain = masks[i].values()[k];
      const Complex s = scene.sources[i].values()[k];
      // No step to either side comes closer.
      ASSERT_LE(std::abs(s - gain * x), std::abs(s - (gain + 1e-3) * x));
      ASSERT_LE(std::abs(s - gain * x), std::abs(s - (gain - 1e-3) * x));
    }
  }
}

TEST(IdealMask, ThresholdIsSisecsRule) {
  ThreadPool pool(1);
  Spectrogram x(1, 1, 4), a = x;
  for (std::size_t k = 0; k < 4; ++k) x.at(0, 0, k) = {0, 2};
  a.at(0, 0, 0) = 0.999;
  a.at(0, 0, 1) = 1.0;
  a.at(0, 0, 2) = {-5, 0};
  x.at(0, 0, 3) = 0;  // silence belongs to nobody
  const std::vector<Spectrogram> sources{a};
  const auto masks = ideal_masks<double>(ideal_mask("ibm_threshold"), sources, x, pool);
  EXPECT_EQ(std::vector(masks[0].values().begin(), masks[0].values().end()), (std::vector<double>{0, 1, 1, 0}));
}

TEST(IdealMask, PowersApproachTheBinaryMask) {
  ThreadPool pool(1);
  const Scene scene(3);
  const auto binary = ideal_masks<double>(ideal_mask("ibm"), scene.sources, scene.mixture, pool);
  const auto steep = ideal_masks<double>(ideal_mask("wiener200"), scene.sources, scene.mixture, pool);
  for (std::size_t i = 0; i < binary.size(); ++i) {
    for (std::size_t k = 0; k < binary[i].size(); ++k) {
      if (silent(scene, k) || (steep[i].values()[k] > 0.001 && steep[i].values()[k] < 0.999)) continue;  // near ties
      EXPECT_EQ(std::round(steep[i].values()[k]), binary[i].values()[k]);
    }
  }
}

TEST(IdealMask, FloatFollowsDoubleAndThreadsDoNotMatter) {
  ThreadPool one(1), three(3);
  const Scene scene(3);
  std::vector<dsp::Spectrogram<float>> narrow(3, dsp::Spectrogram<float>(2, 9, 131));
  dsp::Spectrogram<float> mixture(2, 9, 131);
  for (std::size_t k = 0; k < mixture.size(); ++k) {
    for (std::size_t i = 0; i < 3; ++i) narrow[i].values()[k] = std::complex<float>(scene.sources[i].values()[k]);
    mixture.values()[k] = std::complex<float>(scene.mixture.values()[k]);
  }
  for (const char* name : {"irm", "wiener2", "wiener1.5", "psm"}) {
    const auto wide = ideal_masks<double>(ideal_mask(name), scene.sources, scene.mixture, one);
    const auto same = ideal_masks<double>(ideal_mask(name), scene.sources, scene.mixture, three);
    const auto single = ideal_masks<float>(ideal_mask(name), narrow, mixture, one);
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t k = 0; k < mixture.size(); ++k) {
        ASSERT_EQ(wide[i].values()[k], same[i].values()[k]);
        ASSERT_NEAR(wide[i].values()[k], static_cast<double>(single[i].values()[k]), 1e-4) << name;  // |X| near 0 amplifies rounding
      }
    }
  }
}

// 100^20 is beyond float's range, 0.001^20 below it; the shares depend on the ratio of the magnitudes alone.
TEST(IdealMask, PowersDoNotLeaveTheRangeOfFloat) {
  ThreadPool pool(1);
  for (const float level : {1e-18f, 1e-3f, 1.0f, 100.0f, 1e18f}) {
    std::vector<dsp::Spectrogram<float>> sources(3, dsp::Spectrogram<float>(1, 1, 1));
    sources[0].at(0, 0, 0) = {0.6f * level, 0.8f * level};
    sources[1].at(0, 0, 0) = {0, 2 * level};
    dsp::Spectrogram<float> mixture(1, 1, 1);
    for (const double power : {20.0, 1.5}) {
      const auto masks = ideal_masks<float>({.power = power}, sources, mixture, pool);
      const double share = 1 / (1 + std::pow(2.0, power));
      // Rounding of the ratio of magnitudes counts `power` times.
      EXPECT_NEAR(masks[0].at(0, 0, 0), share, 20 * power * std::numeric_limits<float>::epsilon() * share) << level;
      EXPECT_NEAR(masks[1].at(0, 0, 0), 1 - share, 2 * std::numeric_limits<float>::epsilon()) << level;
      EXPECT_EQ(masks[2].at(0, 0, 0), 0.0f);
    }
  }
  // ε adds to the powers.
  Spectrogram a(1, 1, 1), b(1, 1, 1);
  a.at(0, 0, 0) = 3;
  b.at(0, 0, 0) = {0, -2};
  const std::vector<Spectrogram> sources{a, b};
  const auto masks = ideal_masks<double>({.power = 3, .epsilon = 5}, sources, a, pool);
  EXPECT_NEAR(masks[0].at(0, 0, 0), 27.0 / 40, 1e-14);
  EXPECT_NEAR(masks[1].at(0, 0, 0), 8.0 / 40, 1e-14);
}

TEST(IdealMask, RefusesWhatItCannotDo) {
  ThreadPool pool(1);
  const std::vector<Spectrogram> none, other(1, Spectrogram(1, 2, 3));
  EXPECT_THROW(ideal_masks<double>({}, none, Spectrogram(1, 2, 3), pool), Error);
  EXPECT_THROW(ideal_masks<double>({}, other, Spectrogram(1, 2, 4), pool), Error);
  EXPECT_THROW(ideal_masks<double>({.power = 0}, other, other[0], pool), Error);
  for (const char* name : {"", "wiener", "wiener-1", "wienerx", "wiener2x", "IBM"}) EXPECT_THROW(ideal_mask(name), Error) << name;
}

TEST(ComplexRatioMask, GivesTheSourcesBackUnlessLimited) {
  ThreadPool pool(2);
  const Scene scene(3);
  const auto masks = complex_ratio_masks<double>(scene.sources, scene.mixture, INFINITY, pool);
  const auto limited = complex_ratio_masks<double>(scene.sources, scene.mixture, 1.0, pool);
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const Spectrogram back = apply(masks[i], scene.mixture, pool);
    for (std::size_t k = 0; k < back.size(); ++k) {
      ASSERT_NEAR(std::abs(back.values()[k] - scene.sources[i].values()[k]), 0, 1e-12);
      const double magnitude = std::abs(limited[i].values()[k]);
      ASSERT_LE(magnitude, 1 + 1e-12);
      if (magnitude > 0) {  // the phase stays
        ASSERT_NEAR(std::arg(limited[i].values()[k] / masks[i].values()[k]), 0, 1e-9);
      }
    }
  }
}

// 100 / 2e-38 is beyond float's range, and the limit is not.
TEST(ComplexRatioMask, LimitsQuotientsBeyondTheRangeOfFloat) {
  ThreadPool pool(1);
  dsp::Spectrogram<float> source(1, 1, 1), mixture(1, 1, 1);
  source.at(0, 0, 0) = {60, 80};
  mixture.at(0, 0, 0) = 2e-38f;
  const std::vector sources{source};
  const std::complex<float> mask = complex_ratio_masks<float>(sources, mixture, 10, pool)[0].at(0, 0, 0);
  EXPECT_NEAR(mask.real(), 6, 1e-5);
  EXPECT_NEAR(mask.imag(), 8, 1e-5);
}

TEST(Apply, OneChannelServesAllAndPhaseComesFromTheMixture) {
  ThreadPool pool(2);
  const Scene scene(2);
  dsp::Mask<double> mask(1, 9, 131);
  for (double& m : mask.values()) m = 0.25;
  const Spectrogram quarter = apply(mask, scene.mixture, pool);
  const Spectrogram unit = with_phase_of(mask, scene.mixture, pool);
  for (std::size_t k = 0; k < quarter.size(); ++k) {
    const Complex x = scene.mixture.values()[k];
    ASSERT_EQ(quarter.values()[k], 0.25 * x);
    ASSERT_NEAR(std::abs(unit.values()[k]), 0.25, 1e-15);
    if (x != Complex{}) {
      ASSERT_NEAR(std::arg(unit.values()[k] / x), 0, 1e-12);
    }
  }
  EXPECT_THROW(apply(dsp::Mask<double>(1, 9, 130), scene.mixture, pool), Error);
}

TEST(WienerEm, SilenceAndThreadsAndChannels) {
  ThreadPool pool_of_one(1), pool_of_two(2);
  RunContext one{pool_of_one}, two{pool_of_two};
  const std::vector<dsp::Magnitudes<float>> none(2, dsp::Magnitudes<float>(2, 5, 40));
  for (const auto& y : wiener_em<float>(none, dsp::Spectrogram<float>(2, 5, 40), {}, one)) {
    for (const auto value : y.values()) ASSERT_EQ(value, std::complex<float>{});
  }
  for (const std::size_t channels : {1u, 2u, 3u}) {
    Rng rng(channels);
    Spectrogram mix(channels, 12, 37);
    for (Complex& x : mix.values()) x = {rng.normal(), rng.normal()};
    std::vector<dsp::Magnitudes<double>> v(3, dsp::Magnitudes<double>(channels, 12, 37));
    for (auto& magnitudes : v) {
      for (double& m : magnitudes.values()) m = rng.uniform();
    }
    const auto a = wiener_em<double>(v, mix, {.iterations = 2}, one), b = wiener_em<double>(v, mix, {.iterations = 2}, two);
    for (std::size_t k = 0; k < mix.size(); ++k) {
      Complex sum = 0;
      for (std::size_t j = 0; j < a.size(); ++j) {
        ASSERT_EQ(a[j].values()[k], b[j].values()[k]);
        sum += a[j].values()[k];
      }
      // Σ_j W_j = I − √ε C⁻¹: the sources add up but for the regularisation.
      ASSERT_NEAR(std::abs(sum - mix.values()[k]), 0, 1e-2) << channels;
    }
  }
  EXPECT_THROW(wiener_em<float>({}, dsp::Spectrogram<float>(1, 1, 1), {}, one), Error);
  EXPECT_THROW(wiener_em<float>(none, dsp::Spectrogram<float>(2, 5, 41), {}, one), Error);
  EXPECT_THROW(wiener_em<float>(none, dsp::Spectrogram<float>(2, 5, 40), {.epsilon = 0}, one), Error);
}

// Sources that stand between two channels, as levels pan them: the covariance of each has rank 1, and only √ε = 1e-5 keeps
// their sum from being singular. Float must lose no more by that than the header says.
TEST(WienerEm, PannedSourcesAddUpInFloat) {
  ThreadPool pool(2);
  RunContext run{pool};
  for (const double right : {1.0, 0.5, 0.3}) {
    Rng rng(6);
    dsp::Spectrogram<float> mix(2, 40, 33);
    std::vector<dsp::Magnitudes<float>> v(2, dsp::Magnitudes<float>(1, 40, 33));
    for (std::size_t t = 0; t < 40; ++t)
      for (std::size_t k = 0; k < 33; ++k) {
        const Complex loud{rng.normal(0, 30), rng.normal(0, 30)}, quiet{rng.normal(0, 3), rng.normal(0, 3)};
        v[0].at(0, t, k) = static_cast<float>(std::abs(loud));
        v[1].at(0, t, k) = static_cast<float>(std::abs(quiet));
        mix.at(0, t, k) = std::complex<float>(loud + quiet);
        mix.at(1, t, k) = std::complex<float>(right * (loud + quiet));
      }
    const auto sources = wiener_em<float>(v, mix, {}, run);
    double rest = 0, energy = 0;
    for (std::size_t k = 0; k < mix.size(); ++k) {
      const Complex x(mix.values()[k]);
      rest += std::norm(x - Complex(sources[0].values()[k]) - Complex(sources[1].values()[k]));
      energy += std::norm(x);
    }
    EXPECT_LT(std::sqrt(rest / energy), 1e-5) << right;
  }
}

TEST(WienerEm, StopsWhenCancelled) {
  ThreadPool pool(2);
  CancelSource stop;
  RunContext run{.pool = pool, .cancel = stop.token()};
  stop.cancel();
  for (const std::size_t channels : {1u, 2u, 3u}) {
    std::vector<Spectrogram> sources(2, Spectrogram(channels, 3, 40));
    EXPECT_NO_THROW(expectation_maximisation(sources, Spectrogram(channels, 3, 40), {.iterations = 0}, run));
    try {
      expectation_maximisation(sources, Spectrogram(channels, 3, 40), {}, run);
      ADD_FAILURE() << channels;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    }
  }
}

class GriffinLim : public ::testing::Test {
 protected:
  static constexpr std::size_t kSamples = 8000;
  ThreadPool pool{2};
  CancelSource stop;
  RunContext run{.pool = pool, .cancel = stop.token()};
  dsp::Stft<double> stft{dsp::StftOptions{.window = {.length = 512}, .hop = 128}};
  std::vector<double> signal = std::vector<double>(kSamples);
  dsp::Spectrogram<double> truth;
  dsp::Magnitudes<double> wanted;

  void SetUp() override {
    Rng rng(3);
    for (std::size_t n = 0; n < kSamples; ++n) {
      const double time = static_cast<double>(n) / 8000;
      signal[n] = std::sin(2 * std::numbers::pi * (300 * time + 400 * time * time)) + 0.1 * rng.normal();
    }
    truth = stft.forward({signal.data(), 1, kSamples, kSamples}, pool);
    wanted = magnitudes(truth, 1, pool);
  }

  double convergence_db(const GriffinLimOptions& options, const dsp::Spectrogram<double>& start) {
    std::vector<double> y(kSamples);
    griffin_lim<double>(wanted, start, stft, {y.data(), 1, kSamples, kSamples}, options, run);
    return spectral_convergence_db<double>(wanted, stft, {y.data(), 1, kSamples, kSamples}, pool);
  }
};

TEST_F(GriffinLim, ClassicNeverGetsWorse) {
  const dsp::Spectrogram<double> zero(1, truth.frames(), truth.bins());
  double before = convergence_db({.iterations = 0, .momentum = 0}, zero);
  for (const std::size_t iterations : {1u, 2u, 4u, 8u, 16u}) {
    const double now = convergence_db({.iterations = iterations, .momentum = 0}, zero);
    EXPECT_LE(now, before + 1e-9);
    before = now;
  }
}

TEST_F(GriffinLim, MomentumIsFasterAndTheTruePhaseIsAFixedPoint) {
  const dsp::Spectrogram<double> zero(1, truth.frames(), truth.bins());
  EXPECT_LT(convergence_db({.iterations = 32}, zero), convergence_db({.iterations = 32, .momentum = 0}, zero) - 1);
  EXPECT_LT(convergence_db({.iterations = 4}, truth), -200);
}

TEST_F(GriffinLim, RefusesBadMomentumAndShapes) {
  EXPECT_THROW(convergence_db({.momentum = 1}, truth), Error);
  EXPECT_THROW(convergence_db({}, dsp::Spectrogram<double>(1, 2, 3)), Error);
}

TEST_F(GriffinLim, StopsWhenCancelled) {
  stop.cancel();
  try {
    convergence_db({.iterations = 1}, truth);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

}  // namespace
}  // namespace unbraid::mask
