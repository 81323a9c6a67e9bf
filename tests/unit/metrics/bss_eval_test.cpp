// What BSS Eval must do for signals whose answer is known without another program.

#include "unbraid/metrics/bss_eval.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/dsp/fir.hpp"
#include "unbraid/metrics/summary.hpp"

namespace unbraid::metrics {
namespace {

AudioBuffer noise(std::size_t channels, std::size_t frames, std::uint64_t seed, double amplitude = 0.5) {
  AudioBuffer audio(channels, frames);
  Rng rng(seed);
  for (float& x : audio.samples()) x = static_cast<float>(rng.uniform(-amplitude, amplitude));
  return audio;
}

AudioBuffer mixed(const AudioBuffer& a, float gain_a, const AudioBuffer& b, float gain_b) {
  AudioBuffer sum(a.channels(), a.frames());
  add_scaled(a, gain_a, sum);
  add_scaled(b, gain_b, sum);
  return sum;
}

std::vector<AudioView> views(const std::vector<AudioBuffer>& buffers) { return {buffers.begin(), buffers.end()}; }

class BssEval : public ::testing::Test {
 protected:
  ThreadPool pool{2};
  RunContext run{pool};

  BssEvalResult evaluate(const std::vector<AudioBuffer>& references, const std::vector<AudioBuffer>& estimates, BssEvalOptions options) {
    return bss_eval(views(references), views(estimates), options, run);
  }
};

const BssEvalOptions kShort{.window_frames = 4000, .hop_frames = 4000, .filter_length = 32};

TEST_F(BssEval, NoiseAtAKnownLevel) {
  // Independent noise 20 dB below a white source is almost all artifact; a fraction of about L·channels / frames of its
  // energy falls into the span of the references by chance.
  const std::vector<AudioBuffer> references{noise(2, 40'000, 1), noise(2, 40'000, 2)};
  const AudioBuffer other = noise(2, 40'000, 3);
  const std::vector<AudioBuffer> estimates{mixed(references[0], 1, other, 0.1f), mixed(references[1], 1, other, 0.1f)};
  const auto result = evaluate(references, estimates, kShort);
  ASSERT_EQ(result.sources[0].sdr.size(), 10u);
  for (const auto& source : result.sources) {
    EXPECT_NEAR(median(source.sdr), 20.0, 0.2);
    EXPECT_NEAR(median(source.sar), 20.0, 0.3);
    EXPECT_GT(median(source.sir), 40.0);
    EXPECT_GT(median(source.isr), 40.0);
  }
  EXPECT_LT(result.residual, 1e-12);
}

TEST_F(BssEval, LeakageIsInterferenceAndFilteringIsSpatial) {
  const std::vector<AudioBuffer> references{noise(1, 40'000, 4), noise(1, 40'000, 5)};
  // 14 dB of the other source, delayed by 3 samples: within the filters' reach.
  AudioBuffer delayed(1, 40'000);
  for (std::size_t n = 3; n < 40'000; ++n) delayed.channel(0)[n] = references[1].channel(0)[n - 3];
  const std::vector<AudioBuffer> estimates{mixed(references[0], 1, delayed, 0.2f), references[1]};
  const auto leak = evaluate(references, estimates, kShort).sources[0];
  EXPECT_NEAR(median(leak.sir), -20 * std::log10(0.2), 0.2);
  EXPECT_GT(median(leak.sar), 30);

  AudioBuffer softer = mixed(references[0], 0.5f, references[0], 0.0f);
  const auto gain = evaluate(references, {softer, references[1]}, kShort).sources[0];
  EXPECT_NEAR(median(gain.isr), 20 * std::log10(2.0), 1e-6);
  EXPECT_NEAR(median(gain.sdr), 20 * std::log10(2.0), 1e-6);
  BssEvalOptions sources = kShort;
  sources.criteria = BssCriteria::kSources;
  EXPECT_GT(median(evaluate(references, {softer, references[1]}, sources).sources[0].sdr), 100);
}

// References as codecs leave them: music-like, both channels nearly alike, next to nothing above 0.8 of the Nyquist
// frequency. Estimates with white noise about 20 dB below them: that noise is the artifact.
TEST_F(BssEval, EmptyBandsDoNotDecide) {
  constexpr std::size_t kFrames = 40'000;
  const dsp::KaiserDesign kaiser = dsp::kaiser_design(150, 3000, 44100);
  const std::vector<double> taps = dsp::fir_low_pass(
      {.sample_rate = 44100, .high_hz = 17'640, .taps = kaiser.taps, .window = dsp::WindowKind::kKaiser, .kaiser_beta = kaiser.beta});
  Rng rng(1);
  const auto decoded = [&](double gain) {
    std::vector<double> red(kFrames + taps.size()), out(kFrames);
    double previous = 0;
    for (double& x : red) x = previous = 0.99 * previous + 0.1 * rng.uniform(-0.5, 0.5);
    for (std::size_t n = 0; n < kFrames; ++n) {
      for (std::size_t k = 0; k < taps.size(); ++k) out[n] += taps[k] * red[n + k];
      out[n] = gain * (out[n] + rng.uniform(-3e-6, 3e-6));
    }
    return out;
  };
  std::vector<AudioBuffer> references, estimates;
  std::vector<double> noise_db;
  for (int source = 0; source < 2; ++source) {
    double truth_energy = 0, noise_energy = 0;
    const std::vector<double> middle = decoded(1), side = decoded(0.01);
    AudioBuffer &truth = references.emplace_back(2, kFrames), &guess = estimates.emplace_back(2, kFrames);
    for (std::size_t n = 0; n < kFrames; ++n) {
      truth.channel(0)[n] = static_cast<float>(middle[n]);
      truth.channel(1)[n] = static_cast<float>(middle[n] + side[n]);
      for (std::size_t c = 0; c < 2; ++c) {
        const double x = truth.channel(c)[n], white = 0.02 * rng.normal();
        guess.channel(c)[n] = static_cast<float>(x + white);
        truth_energy += x * x;
        noise_energy += white * white;
      }
    }
    noise_db.push_back(10 * std::log10(truth_energy / noise_energy));
  }
  BssEvalOptions options{.window_frames = 10'000, .hop_frames = 10'000, .filter_length = 256};
  // Of the noise 256·4 / 40 000 falls into the span (0.1 dB); windows differ from the whole by chance.
  const BssEvalResult damped = evaluate(references, estimates, options);
  for (std::size_t source = 0; source < 2; ++source) EXPECT_NEAR(median(damped.sources[source].sar), noise_db[source], 0.5);
  // Undamped, as the references' programs do it, rounding decides.
  options.compat = true;
  EXPECT_LT(median(evaluate(references, estimates, options).sources[0].sar), 15);
}

TEST_F(BssEval, PerfectEstimate) {
  const std::vector<AudioBuffer> references{noise(2, 9000, 6), noise(2, 9000, 7)};
  const auto result = evaluate(references, references, kShort);
  for (const auto& source : result.sources) {
    for (std::size_t w = 0; w < 2; ++w) {
      EXPECT_EQ(source.sdr[w], std::numeric_limits<double>::infinity());
      EXPECT_GT(source.isr[w], 200);
      EXPECT_GT(source.sir[w], 200);
      EXPECT_GT(source.sar[w], 200);
    }
  }
}

TEST_F(BssEval, ScaleDoesNotMatterToProjections) {
  const std::vector<AudioBuffer> references{noise(2, 12'000, 8), noise(2, 12'000, 9)};
  const AudioBuffer other = noise(2, 12'000, 10);
  const std::vector<AudioBuffer> estimates{mixed(references[0], 0.8f, other, 0.2f), mixed(references[1], 0.7f, other, 0.1f)};
  std::vector<AudioBuffer> louder;
  for (const auto& e : estimates) louder.push_back(mixed(e, 4.0f, e, 0.0f));  // a power of two: exact
  const auto a = evaluate(references, estimates, kShort), b = evaluate(references, louder, kShort);
  for (std::size_t j = 0; j < 2; ++j)
    for (std::size_t w = 0; w < 3; ++w) {
      EXPECT_NEAR(a.sources[j].sir[w], b.sources[j].sir[w], 1e-9);
      EXPECT_NEAR(a.sources[j].sar[w], b.sources[j].sar[w], 1e-9);
    }
}

TEST_F(BssEval, FindsThePermutation) {
  const std::vector<AudioBuffer> references{noise(1, 9000, 11), noise(1, 9000, 12), noise(1, 9000, 13)};
  const AudioBuffer other = noise(1, 9000, 14, 0.1);
  std::vector<AudioBuffer> in_order;
  for (const auto& r : references) in_order.push_back(mixed(r, 1, other, 1));
  const std::vector<AudioBuffer> shuffled{in_order[2], in_order[0], in_order[1]};
  BssEvalOptions options = kShort;
  const auto straight = evaluate(references, in_order, options);
  options.permute = true;
  const auto found = evaluate(references, shuffled, options);
  EXPECT_EQ(found.permutation, (std::vector<std::vector<std::size_t>>{{1, 2, 0}}));
  for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(found.sources[j].sir[0], straight.sources[j].sir[0], 1e-9);

  // A silent window hides nothing, except in museval's own rules.
  std::vector<AudioBuffer> gap = shuffled;
  for (std::size_t n = 4000; n < 8000; ++n) gap[1].channel(0)[n] = 0;
  const auto with_gap = evaluate(references, gap, options);
  EXPECT_EQ(with_gap.permutation[0], (std::vector<std::size_t>{1, 2, 0}));
  EXPECT_TRUE(std::isnan(with_gap.sources[1].sir[1]));
  options.compat = true;
  EXPECT_EQ(evaluate(references, gap, options).permutation[0], (std::vector<std::size_t>{0, 1, 2}));
}

TEST_F(BssEval, ThreadsAndStreamingDoNotMatter) {
  const std::vector<AudioBuffer> references{noise(2, 50'000, 15), noise(2, 50'000, 16)};
  const AudioBuffer other = noise(2, 50'000, 17);
  const std::vector<AudioBuffer> estimates{mixed(references[0], 0.9f, other, 0.3f), mixed(references[1], 1.1f, other, 0.2f)};
  const BssEvalOptions options{.window_frames = 8000, .hop_frames = 4000, .filter_length = 64};
  const auto whole = evaluate(references, estimates, options);
  ASSERT_EQ(whole.sources[0].sdr.size(), 11u);

  ThreadPool one(1);
  RunContext alone{one};
  BssEvalV4 stream(2, 2, options);
  const auto stretch = [&](const std::vector<AudioBuffer>& buffers, std::size_t first, std::size_t last) {
    std::vector<AudioView> result;
    for (const auto& b : buffers) result.push_back(b.view().slice(first, last - first));
    return result;
  };
  for (std::size_t at = 0; at < 50'000; at += 7001) {
    const std::size_t end = std::min<std::size_t>(at + 7001, 50'000);
    stream.measure(stretch(references, at, end), stretch(estimates, at, end), alone);
  }
  stream.solve(alone);
  for (std::size_t at = 0; at + 8000 <= 50'000; at += 12'000) {  // three windows at a time
    const std::size_t end = std::min<std::size_t>(at + 16'000, 50'000);
    stream.score(stretch(references, at, end), stretch(estimates, at, end), alone);
  }
  const auto streamed = stream.result();
  EXPECT_EQ(streamed.window_start_frames, whole.window_start_frames);
  for (std::size_t j = 0; j < 2; ++j) {
    EXPECT_EQ(streamed.sources[j].sdr, whole.sources[j].sdr);
    EXPECT_EQ(streamed.sources[j].isr, whole.sources[j].isr);
    EXPECT_EQ(streamed.sources[j].sir, whole.sources[j].sir);
    EXPECT_EQ(streamed.sources[j].sar, whole.sources[j].sar);
  }
}

TEST_F(BssEval, SilentSourcesAreNotApplicable) {
  const std::vector<AudioBuffer> references{noise(2, 9000, 18), AudioBuffer(2, 9000), noise(2, 9000, 19)};
  const AudioBuffer other = noise(2, 9000, 20, 0.05);
  const std::vector<AudioBuffer> estimates{mixed(references[0], 1, other, 1), other, mixed(references[2], 1, other, 1)};
  const auto result = evaluate(references, estimates, kShort);
  EXPECT_EQ(result.sources[1].not_applicable, "the reference is silent throughout");
  EXPECT_TRUE(std::isnan(median(result.sources[1].sdr)));
  // The others score as if it had never been there.
  const auto without = evaluate({references[0], references[2]}, {estimates[0], estimates[2]}, kShort);
  EXPECT_TRUE(result.sources[0].not_applicable.empty());
  EXPECT_NEAR(result.sources[0].sir[0], without.sources[0].sir[0], 1e-9);
  EXPECT_NEAR(result.sources[2].sar[1], without.sources[1].sar[1], 1e-9);

  BssEvalOptions compat = kShort;
  compat.compat = true;
  EXPECT_THROW(evaluate(references, estimates, compat), Error);
  const auto quiet = evaluate({references[0], references[2]}, {estimates[0], AudioBuffer(2, 9000)}, kShort);
  EXPECT_EQ(quiet.sources[1].not_applicable, "the estimate is silent throughout");
  EXPECT_FALSE(std::isnan(quiet.sources[0].sdr[0]));
}

TEST_F(BssEval, OppositeChannelsAreSilentOnlyToMuseval) {
  std::vector<AudioBuffer> references{noise(2, 8000, 21), noise(2, 8000, 22)};
  for (std::size_t n = 0; n < 8000; ++n) references[0].channel(1)[n] = -references[0].channel(0)[n];
  const AudioBuffer other = noise(2, 8000, 23, 0.05);
  const std::vector<AudioBuffer> estimates{mixed(references[0], 1, other, 1), mixed(references[1], 1, other, 1)};
  const auto result = evaluate(references, estimates, kShort);
  EXPECT_NEAR(result.sources[0].sdr[0], 20, 0.5);
  BssEvalOptions compat = kShort;
  compat.compat = true;
  EXPECT_THROW(evaluate(references, estimates, compat), Error);
}

TEST_F(BssEval, ValuesThatAreNotFinite) {
  const std::vector<AudioBuffer> references{noise(1, 9000, 24), noise(1, 9000, 25)};
  std::vector<AudioBuffer> estimates = references;
  estimates[0].channel(0)[5] = std::numeric_limits<float>::quiet_NaN();
  const auto result = evaluate(references, estimates, kShort);
  EXPECT_EQ(result.sources[0].not_applicable, "the estimate has values that are not finite");
  EXPECT_TRUE(result.sources[1].not_applicable.empty());
  EXPECT_GT(result.sources[1].sar[0], 200);

  const std::vector<AudioBuffer> silent_first{AudioBuffer(1, 9000), references[1]};
  std::vector<AudioBuffer> spoilt = references;
  spoilt[1].channel(0)[5] = std::numeric_limits<float>::quiet_NaN();
  const auto beside_silence = evaluate(silent_first, spoilt, kShort);
  EXPECT_EQ(beside_silence.sources[0].not_applicable, "the reference is silent throughout");
  EXPECT_EQ(beside_silence.sources[1].not_applicable, "the estimate has values that are not finite");

  std::vector<AudioBuffer> broken = references;
  broken[1].channel(0)[0] = std::numeric_limits<float>::infinity();
  const auto none = evaluate(broken, references, kShort);
  EXPECT_EQ(none.sources[0].not_applicable, "another reference has values that are not finite");
  EXPECT_EQ(none.sources[1].not_applicable, "the reference has values that are not finite");
  EXPECT_TRUE(std::isnan(none.sources[0].sdr[0]));
}

TEST_F(BssEval, ShortSignals) {
  for (const std::size_t frames : {0u, 1u, 2u, 31u, 32u, 33u, 3999u, 4000u, 4001u}) {
    const std::vector<AudioBuffer> references{noise(2, frames, 26), noise(2, frames, 27)};
    const AudioBuffer other = noise(2, frames, 28, 0.05);
    const std::vector<AudioBuffer> estimates{mixed(references[0], 1, other, 1), mixed(references[1], 1, other, 1)};
    for (const bool framewise : {false, true}) {
      BssEvalOptions options = kShort;
      options.framewise_filters = framewise;
      const auto result = evaluate(references, estimates, options);
      EXPECT_EQ(result.sources[0].sdr.size(), frames == 0 ? 0u : 1u) << frames;
      if (frames == 0) EXPECT_EQ(result.sources[0].not_applicable, "no samples");
      else EXPECT_TRUE(std::isfinite(result.sources[0].sdr[0])) << frames;
    }
  }
}

TEST_F(BssEval, WrongUse) {
  const std::vector<AudioBuffer> two{noise(1, 100, 29), noise(1, 100, 30)};
  EXPECT_THROW(evaluate(two, {two[0]}, kShort), Error);
  EXPECT_THROW(evaluate(two, {two[0], noise(2, 100, 31)}, kShort), Error);
  EXPECT_THROW(evaluate(two, {two[0], noise(1, 99, 31)}, kShort), Error);
  EXPECT_THROW(evaluate({}, {}, kShort), Error);
  EXPECT_THROW(evaluate(two, two, {.filter_length = 0}), Error);
  EXPECT_THROW(evaluate(two, two, {.hop_frames = 0}), Error);
  EXPECT_THROW(BssEvalV4(2, 1, {.framewise_filters = true}), Error);
  const std::vector<AudioBuffer> nine(9, noise(1, 100, 32));
  EXPECT_THROW(evaluate(nine, nine, {.permute = true}), Error);
  CancelSource stop;
  stop.cancel();
  RunContext stopped{.pool = pool, .cancel = stop.token()};
  EXPECT_THROW(bss_eval(views(two), views(two), kShort, stopped), Error);
}

}  // namespace
}  // namespace unbraid::metrics
