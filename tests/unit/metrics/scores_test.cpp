// The scores of one estimate, by closed forms.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "metrics/a_weighting.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/metrics/l1_norm.hpp"
#include "unbraid/metrics/l1_snr.hpp"
#include "unbraid/metrics/log_wmse.hpp"
#include "unbraid/metrics/mel_difference.hpp"
#include "unbraid/metrics/projection_scores.hpp"
#include "unbraid/metrics/scale_invariant.hpp"
#include "unbraid/metrics/sdr.hpp"
#include "unbraid/metrics/si_sdr_seed.hpp"
#include "unbraid/metrics/stft_distance.hpp"
#include "unbraid/metrics/summary.hpp"

namespace unbraid::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A sinusoid of whole periods: orthogonal to any other of them, with energy frames·amplitude²/2.
AudioBuffer sine(std::size_t periods, std::size_t frames = 4000, double amplitude = 0.5) {
  AudioBuffer audio(1, frames);
  for (std::size_t n = 0; n < frames; ++n)
    audio.channel(0)[n] =
        static_cast<float>(amplitude * std::sin(2 * std::numbers::pi * static_cast<double>(periods * n) / static_cast<double>(frames)));
  return audio;
}

AudioBuffer mixed(const AudioBuffer& a, float gain_a, const AudioBuffer& b, float gain_b) {
  AudioBuffer sum(a.channels(), a.frames());
  add_scaled(a, gain_a, sum);
  add_scaled(b, gain_b, sum);
  return sum;
}

class Scores : public ::testing::Test {
 protected:
  ThreadPool pool{2};
  RunContext run{pool};
};

TEST_F(Scores, ScaleFamilyOnSinusoids) {
  // ŝ = a·s + b·other + c·artifact, all orthogonal and equally loud: every score is a ratio of a, b, c.
  const double a = 0.5, b = 0.2, c = 0.1;
  const AudioBuffer s = sine(10), other = sine(20), artifact = sine(30);
  AudioBuffer estimate = mixed(s, static_cast<float>(a), other, static_cast<float>(b));
  add_scaled(artifact, static_cast<float>(c), estimate);
  const std::vector<AudioView> references{s, other}, estimates{estimate, other};
  const ScaleSource source = scale_scores(references, estimates, {}, run).sources[0];
  const ScaleScores& got = source.channels[0];
  const auto db = [](double ratio) { return 10 * std::log10(ratio); };
  EXPECT_NEAR(got.si_sdr, db(a * a / (b * b + c * c)), 1e-5);  // the signals are float32
  EXPECT_NEAR(got.si_sir, db(a * a / (b * b)), 1e-5);
  EXPECT_NEAR(got.si_sar, db(a * a / (c * c)), 1e-5);
  EXPECT_NEAR(got.snr, db(1 / ((1 - a) * (1 - a) + b * b + c * c)), 1e-5);
  EXPECT_NEAR(got.sd_sdr, got.snr + db(a * a), 1e-5);
  EXPECT_NEAR(got.srr, db(1 / ((1 - 1 / a) * (1 - 1 / a))), 1e-5);
  EXPECT_NEAR(source.mixture[0].si_sdr, 0, 1e-5);  // the mixture is s + other
  const ProjectionScores projection = projection_scores(references, estimates)[0];
  EXPECT_NEAR(projection.sdr[0], db(a * a / (b * b + c * c)), 1e-5);
  EXPECT_NEAR(projection.sir[0], db(a * a / (b * b)), 1e-5);
  EXPECT_NEAR(projection.sar[0], db((a * a + b * b) / (c * c)), 1e-5);
  EXPECT_NEAR(si_sdr_seed(s.channel(0), estimate.channel(0)), got.si_sdr, 1e-6);
}

TEST_F(Scores, SiSdrIgnoresScaleAndOffset) {
  const AudioBuffer s = sine(7), other = sine(11);
  const AudioBuffer estimate = mixed(s, 1, other, 0.3f);
  AudioBuffer changed = mixed(estimate, -2, other, 0);
  for (float& x : changed.samples()) x += 0.25f;
  const std::vector<AudioView> references{s, other}, first{estimate, other}, second{changed, other};
  EXPECT_NEAR(scale_scores(references, first, {}, run).sources[0].channels[0].si_sdr,
              scale_scores(references, second, {}, run).sources[0].channels[0].si_sdr, 1e-4);
}

TEST_F(Scores, ScaleFamilyFindsThePermutationAmongMoreEstimates) {
  const AudioBuffer s = sine(5), other = sine(9), noise = sine(100);
  const AudioBuffer a = mixed(s, 1, noise, 0.1f), b = mixed(other, 1, noise, 0.1f);
  const std::vector<AudioView> references{s, other}, estimates{noise, b, a};
  const auto result = scale_scores(references, estimates, {.permute = true}, run);
  EXPECT_EQ(result.sources[0].estimate, 2u);
  EXPECT_EQ(result.sources[1].estimate, 1u);
  EXPECT_NEAR(result.sources[0].channels[0].si_sdr, 20, 1e-3);
}

TEST_F(Scores, SilentAndRepeatedReferences) {
  const AudioBuffer s = sine(5), silent(1, 4000), estimate = mixed(s, 1, sine(50), 0.1f);
  const std::vector<AudioView> references{s, silent, s}, estimates{estimate, estimate, estimate};
  const auto result = scale_scores(references, estimates, {}, run);
  EXPECT_EQ(result.sources[1].not_applicable, "the reference is silent throughout");
  EXPECT_TRUE(std::isnan(result.sources[1].channels[0].si_sdr));
  EXPECT_NEAR(result.sources[0].channels[0].si_sar, 20, 1e-3);
  const auto projections = projection_scores(references, estimates);
  EXPECT_TRUE(std::isnan(projections[1].sdr[0]));
  EXPECT_NEAR(projections[2].sar[0], 20, 1e-3);
  // The notebook's arithmetic makes zero of nothing.
  EXPECT_EQ(si_sdr_seed(silent.channel(0), silent.channel(0)), 0.0);
  EXPECT_LT(si_sdr_seed(silent.channel(0), s.channel(0)), -100);
}

TEST_F(Scores, SdrAndItsBoundedForm) {
  const AudioBuffer s = sine(5), estimate = mixed(s, 1, sine(50), 0.1f);
  EXPECT_NEAR(sdr(s, estimate), 20, 1e-4);
  EXPECT_NEAR(si_sdr_msst(s, estimate), 20, 1e-3);
  EXPECT_EQ(k_sdr(10), 100);
  EXPECT_EQ(k_sdr(50), 100);
  EXPECT_NEAR(k_sdr(0), 100 * std::log(11.0) / std::log(21.0), 1e-12);
  EXPECT_NEAR(k_sdr(-50), 0, 1e-4);
}

TEST_F(Scores, L1OfASinusoid) {
  const AudioBuffer s = sine(1000, 44100), silent(1, 44100);
  EXPECT_NEAR(l1_time(s, silent), 0.5 * 2 / std::numbers::pi, 1e-3);
  EXPECT_EQ(l1_frequency(s, s, pool), 0);
  EXPECT_EQ(l1_score(0), 100);
  EXPECT_NEAR(l1_score(0.9), 10, 1e-12);
  // A single impulse: |S| is its height in the frames that hold it and 0 in all others; hops of half a frame hold it twice.
  AudioBuffer impulse(1, 10'240);
  impulse.channel(0)[5000] = 0.5f;
  EXPECT_NEAR(l1_frequency(impulse, AudioBuffer(1, 10'240), pool), 0.5 * 2 / 11, 1e-9);
}

TEST_F(Scores, AGainIsSoMuchBleedOrLoss) {
  AudioBuffer s(2, 30'000);
  Rng rng(3);
  for (float& x : s.samples()) x = static_cast<float>(rng.uniform(-0.3, 0.3));
  const AudioBuffer louder = mixed(s, 2, s, 0);
  const MelScores bleed = mel_scores(db_difference_mel(s, louder, pool));
  EXPECT_NEAR(bleed.bleed_db, 20 * std::log10(2.0), 1e-4);
  EXPECT_NEAR(bleed.bleedless, 100 / (1 + bleed.bleed_db), 1e-9);
  EXPECT_EQ(bleed.fullness, 100);
  const MelScores loss = mel_scores(db_difference_mel(louder, s, pool));
  EXPECT_NEAR(loss.lost_db, 20 * std::log10(2.0), 1e-4);
  EXPECT_EQ(loss.bleedless, 100);
  const StftDistance d = stft_distance(s, louder, pool);
  EXPECT_NEAR(d.spectral_convergence, 0.5, 1e-6);  // |2S − S| / |2S|
  EXPECT_NEAR(d.log_magnitude, std::log(2.0), 1e-3);
  EXPECT_EQ(stft_score(multi_resolution_stft_distance(s, s, pool)), 100);
}

TEST_F(Scores, LogWmseOfNoErrorAndOfALevel) {
  const AudioBuffer s = sine(1000, 44100);
  EXPECT_NEAR(log_wmse(s, s, s, pool), -4 * std::log(1e-8), 1e-9);
  // An estimate of nothing leaves an error as loud as the mixture: mean square 1 after scaling.
  EXPECT_NEAR(log_wmse(s, AudioBuffer(1, 44100), s, pool), -4 * std::log(1.0), 1e-4);
  EXPECT_THROW(log_wmse(s, s, s, pool, 16'000), Error);
}

TEST_F(Scores, LogWmseOfValuesThatAreNotFiniteIsNone) {
  const AudioBuffer s = sine(1000, 44100);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    AudioBuffer broken(s);
    broken.channel(0)[100] = value;
    EXPECT_TRUE(std::isnan(log_wmse(s, s, broken, pool)));
    EXPECT_TRUE(std::isnan(log_wmse(s, broken, s, pool)));
    EXPECT_TRUE(std::isnan(log_wmse(broken, s, s, pool)));
  }
}

TEST_F(Scores, L1SnrOfNoErrorIsTheLevelAboveItsEpsilon) {
  const AudioBuffer s = sine(1000, 44100);
  double mean = 0;
  for (const float x : s.samples()) mean += std::abs(static_cast<double>(x)) / 44100;
  EXPECT_GT(l1_snr(s, s, pool), 10 * std::log10((mean + 1e-3) / 1e-3) / 2);
  // Below 512 samples only the time counts.
  const AudioBuffer brief = sine(10, 400);
  mean = 0;
  for (const float x : brief.samples()) mean += std::abs(static_cast<double>(x)) / 400;
  EXPECT_NEAR(l1_snr(brief, brief, pool), 10 * std::log10((mean + 1e-3) / 1e-3), 1e-9);
}

TEST_F(Scores, AWeightingMeetsTheStandard) {
  // IEC 61672-1, table 3, where a filter of 101 taps can follow.
  const std::vector<double> taps = a_weighting_taps(44100);
  for (const auto& [hz, db] : std::vector<std::pair<double, double>>{{1000, 0.0}, {2000, 1.2}, {4000, 1.0}}) {
    double response = 0;
    for (std::size_t n = 0; n < taps.size(); ++n)
      response += taps[n] * std::cos(2 * std::numbers::pi * hz / 44100 * (static_cast<double>(n) - 50));
    EXPECT_NEAR(20 * std::log10(std::abs(response)), db, 0.3) << hz;
  }
}

TEST_F(Scores, SmallestSignalsAndWrongShapes) {
  const AudioBuffer one = sine(0, 1), two(2, 1);
  AudioBuffer sample(1, 1);
  sample.channel(0)[0] = 0.5f;
  EXPECT_TRUE(std::isfinite(sdr(sample, one)));
  EXPECT_TRUE(std::isfinite(l1_frequency(sample, one, pool)));
  EXPECT_TRUE(std::isfinite(l1_snr(sample, one, pool)));
  EXPECT_TRUE(std::isfinite(stft_distance(sample, one, pool).loss()));
  EXPECT_TRUE(std::isfinite(multi_resolution_stft_distance(sample, one, pool)));
  EXPECT_TRUE(std::isfinite(mel_scores(db_difference_mel(sample, one, pool)).bleedless));
  EXPECT_TRUE(std::isfinite(log_wmse(sample, one, sample, pool)));
  EXPECT_THROW(sdr(sample, two), Error);
  EXPECT_THROW(l1_time(AudioBuffer(1, 0), AudioBuffer(1, 0)), Error);
  EXPECT_THROW(stft_distance(sample, AudioBuffer(1, 2), pool), Error);
}

TEST_F(Scores, NoScoreDependsOnThreads) {
  AudioBuffer s(2, 50'000), x(2, 50'000);
  Rng rng(4);
  for (float& v : s.samples()) v = static_cast<float>(rng.uniform(-0.3, 0.3));
  for (float& v : x.samples()) v = static_cast<float>(rng.uniform(-0.3, 0.3));
  ThreadPool one(1), three(3);
  EXPECT_EQ(l1_frequency(s, x, one), l1_frequency(s, x, three));
  EXPECT_EQ(l1_snr(s, x, one), l1_snr(s, x, three));
  EXPECT_EQ(log_wmse(s, x, s, one), log_wmse(s, x, s, three));
  EXPECT_EQ(multi_resolution_stft_distance(s, x, one), multi_resolution_stft_distance(s, x, three));
  EXPECT_EQ(mel_scores(db_difference_mel(s, x, one)).fullness, mel_scores(db_difference_mel(s, x, three)).fullness);
}

TEST(Summary, LeavesOutWhatIsNotFinite) {
  const std::vector<double> values{3, kNan, 1, kInfinity, 2, 10};
  EXPECT_EQ(median(values), 2.5);
  EXPECT_EQ(mean(values), 4);
  EXPECT_NEAR(standard_deviation(values), std::sqrt((1 + 9 + 4 + 36) / 4.0), 1e-12);
  EXPECT_NEAR(standard_deviation(values, 1), std::sqrt((1 + 9 + 4 + 36) / 3.0), 1e-12);
  EXPECT_EQ(finite_count(values), 4u);
  EXPECT_TRUE(std::isnan(median(std::vector<double>{kNan})));
  EXPECT_TRUE(std::isnan(mean({})));
  EXPECT_TRUE(std::isnan(standard_deviation(std::vector<double>{1.0}, 1)));
}

}  // namespace
}  // namespace unbraid::metrics
