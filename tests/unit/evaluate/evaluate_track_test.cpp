#include "unbraid/evaluate/evaluate_track.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/evaluate/evaluate_dataset.hpp"
#include "unbraid/metrics/summary.hpp"

namespace unbraid::evaluate {
namespace {

AudioBuffer noise(std::size_t frames, std::uint64_t seed, double amplitude = 0.3, std::size_t channels = 2) {
  AudioBuffer audio(channels, frames);
  Rng rng(seed);
  for (float& x : audio.samples()) x = static_cast<float>(rng.uniform(-amplitude, amplitude));
  return audio;
}

data::Track track(const std::vector<std::pair<std::string, AudioBuffer>>& stems, double rate = 8000) {
  data::Track result{.name = "song", .sample_rate = rate};
  std::vector<data::SourcePtr> sources;
  for (const auto& [name, audio] : stems) {
    sources.push_back(data::memory_source(audio, rate));
    result.stems.push_back({.name = name, .instrument = {}, .audio = sources.back()});
  }
  result.mixture = data::sum_source(sources);
  return result;
}

AudioBuffer with_noise(const AudioBuffer& audio, std::uint64_t seed) {
  AudioBuffer result(audio);
  add_scaled(noise(audio.frames(), seed, 0.3, audio.channels()), 0.1f, result);
  return result;
}

class EvaluateTrack : public ::testing::Test {
 protected:
  ThreadPool pool{2};
  RunContext run{pool};
  const AudioBuffer bass = noise(20'000, 1), drums = noise(20'000, 2), vocals = noise(20'000, 3);
  const EvaluateOptions quick{.metrics = {"bsseval_v4", "si_sdr", "sdr"}, .filter_length = 16};
};

TEST_F(EvaluateTrack, ScoresEveryTargetByName) {
  const auto result = evaluate_track(track({{"bass", bass}, {"drums", drums}, {"piano", vocals}}),
                                     track({{"Drums", with_noise(drums, 5)}, {"bass", with_noise(bass, 4)}, {"fx", vocals}}), quick, run);
  ASSERT_EQ(result.targets.size(), 2u);
  EXPECT_EQ(result.targets[1].name, "drums");
  EXPECT_EQ(result.missing, std::vector<std::string>{"piano"});
  EXPECT_EQ(result.extra, std::vector<std::string>{"fx"});
  EXPECT_EQ(result.window_start_s, (std::vector<double>{0, 1}));
  for (const auto& target : result.targets) {
    EXPECT_NEAR(target.metrics.at("sdr"), 20, 0.2);
    EXPECT_NEAR(target.metrics.at("si_sdr"), 20, 0.3);
    EXPECT_NEAR(target.metrics.at("bsseval_v4.SDR"), 20, 0.3);
    EXPECT_EQ(target.windows.sar.size(), 2u);
  }
}

TEST_F(EvaluateTrack, AccompanimentIsTheSumOfTheRest) {
  AudioBuffer rest(bass);
  add_scaled(drums, 1, rest);
  const auto truth = track({{"bass", bass}, {"drums", drums}, {"vocals", vocals}});
  const auto given = evaluate_track(truth, track({{"vocals", with_noise(vocals, 6)}, {"accompaniment", with_noise(rest, 7)}}), quick, run);
  ASSERT_EQ(given.targets.size(), 2u);
  EXPECT_EQ(given.targets[1].name, "accompaniment");
  const auto residual = evaluate_track(truth, track({{"vocals", with_noise(vocals, 6)}, {"bass+drums", with_noise(rest, 7)}}), quick, run);
  EXPECT_EQ(residual.targets[1].metrics, given.targets[1].metrics);
  EXPECT_NEAR(given.targets[1].metrics.at("sdr"), 23, 0.3);
  EvaluateOptions made = quick;
  made.accompaniment = true;
  const auto derived = evaluate_track(truth, truth, made, run);
  ASSERT_EQ(derived.targets.size(), 4u);
  EXPECT_EQ(derived.targets[3].name, "accompaniment");
}

TEST_F(EvaluateTrack, SilenceIsNotApplicable) {
  const auto result = evaluate_track(track({{"bass", bass}, {"drums", AudioBuffer(2, 20'000)}}),
                                     track({{"bass", with_noise(bass, 8)}, {"drums", noise(20'000, 9)}}), quick, run);
  EXPECT_EQ(result.targets[1].not_applicable, "the reference is silent throughout");
  for (const auto& [name, value] : result.targets[1].metrics) EXPECT_TRUE(std::isnan(value)) << name;
  EXPECT_TRUE(std::isfinite(result.targets[0].metrics.at("bsseval_v4.SAR")));
}

EvaluateOptions every_metric() {
  EvaluateOptions all{.metrics = {}, .filter_length = 16};
  for (const auto& metric : known_metrics()) all.metrics.push_back(metric.name);
  return all;
}

// One value that is no number is enough, wherever it stands, for every metric, and for that target alone.
TEST_F(EvaluateTrack, ValuesThatAreNotFiniteAreNotApplicable) {
  for (const bool in_reference : {false, true}) {
    AudioBuffer reference(bass), estimate(with_noise(bass, 8));
    (in_reference ? reference : estimate).channel(0)[777] = std::numeric_limits<float>::quiet_NaN();
    const auto result = evaluate_track(track({{"bass", reference}, {"drums", drums}}, 44100),
                                       track({{"bass", estimate}, {"drums", with_noise(drums, 9)}}, 44100), every_metric(), run);
    EXPECT_EQ(result.targets[0].not_applicable,
              in_reference ? "the reference has values that are not finite" : "the estimate has values that are not finite");
    for (const auto& [name, value] : result.targets[0].metrics) EXPECT_TRUE(std::isnan(value)) << name;
    EXPECT_NEAR(result.targets[1].metrics.at("sdr"), 20, 0.2);
    EXPECT_EQ(result.targets[1].not_applicable, in_reference ? "another reference has values that are not finite" : "");
  }
}

// A mixture with such a value takes away the scores that need it: no error is inaudible beside it.
TEST_F(EvaluateTrack, AMixtureThatIsNotFinite) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    data::Track truth = track({{"bass", bass}, {"drums", drums}}, 44100);
    AudioBuffer mixture = truth.mixture->read();
    mixture.channel(0)[777] = value;
    truth.mixture = data::memory_source(mixture, 44100);
    const auto result = evaluate_track(truth, track({{"bass", with_noise(bass, 8)}, {"drums", with_noise(drums, 9)}}, 44100),
                                       {.metrics = {"log_wmse", "si_sdr", "sdr"}}, run);
    for (const TargetResult& target : result.targets) {
      EXPECT_EQ(target.not_applicable, "the mixture has values that are not finite");
      EXPECT_TRUE(std::isnan(target.metrics.at("log_wmse")));
      EXPECT_TRUE(std::isnan(target.metrics.at("si_sdr_improvement")));
      EXPECT_NEAR(target.metrics.at("si_sdr"), 20, 0.3);
      EXPECT_NEAR(target.metrics.at("sdr"), 20, 0.2);
    }
  }
}

TEST_F(EvaluateTrack, WarningsOfTheTracksAreAmongTheResults) {
  data::Track truth = track({{"bass", bass}}), estimate = track({{"bass", with_noise(bass, 8)}});
  truth.warnings = {"S10 is listed but there is no S10.wav"};
  estimate.warnings = {"there are several files for bass; bass.flac is left out"};
  EXPECT_EQ(evaluate_track(truth, estimate, quick, run).warnings,
            (std::vector<std::string>{"references: S10 is listed but there is no S10.wav",
                                      "estimates: there are several files for bass; bass.flac is left out"}));
}

TEST(Metrics, SayWhatTheyAreMeasuredIn) {
  EXPECT_TRUE(lower_is_better("l1_time"));
  EXPECT_FALSE(lower_is_better("bsseval_v4.SDR"));
  EXPECT_FALSE(lower_is_better("unknown"));
  EXPECT_EQ(with_unit("bsseval_v4.SDR"), "bsseval_v4.SDR (dB)");
  EXPECT_EQ(with_unit("si_sdr_improvement"), "si_sdr_improvement (dB)");
  EXPECT_EQ(with_unit("l1_time"), "l1_time");
  EXPECT_EQ(with_unit("unknown"), "unknown");
}

// What the other channel scores must not stand for a channel that is lost; a channel that is silent in the reference has no say.
TEST_F(EvaluateTrack, AChannelThatIsLostShows) {
  AudioBuffer lost(with_noise(bass, 8)), half(drums);
  std::ranges::fill(lost.channel(1), 0.0f);
  std::ranges::fill(half.channel(1), 0.01f);  // an offset alone
  const auto result = evaluate_track(track({{"bass", bass}, {"drums", half}}, 44100),
                                     track({{"bass", lost}, {"drums", with_noise(half, 9)}}, 44100), every_metric(), run);
  for (const char* name : {"si_sdr", "si_sdr_improvement", "scale.SI-SDR", "projection.SDR"})
    EXPECT_FALSE(std::isfinite(result.targets[0].metrics.at(name))) << name;
  EXPECT_NEAR(result.targets[1].metrics.at("si_sdr"), 20, 0.3);
  EXPECT_NEAR(result.targets[1].metrics.at("scale.SI-SDR"), 20, 0.3);
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_EQ(result.warnings[0], "channel 2 of estimate bass is silent, its reference is not");
}

TEST_F(EvaluateTrack, LengthsRatesAndChannels) {
  const auto truth = track({{"bass", bass}, {"drums", drums}});
  const auto shorter = track({{"bass", AudioBuffer(bass.view().slice(0, 15'000))}, {"drums", drums}});
  const auto result = evaluate_track(truth, shorter, quick, run);
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_EQ(result.warnings[0], "signals of different lengths were cut to 15000 frames (1.875 s), which estimate bass has");
  EXPECT_EQ(result.seconds, 15'000 / 8000.0);
  EvaluateOptions strict = quick;
  strict.strict = true;
  EXPECT_THROW(evaluate_track(truth, shorter, strict, run), Error);
  EXPECT_THROW(evaluate_track(truth, track({{"bass", bass}}, 16'000), quick, run), Error);
  EXPECT_THROW(evaluate_track(truth, track({{"bass", noise(20'000, 1, 0.3, 1)}}), quick, run), Error);
  EXPECT_THROW(evaluate_track(truth, track({{"violin", bass}}), quick, run), Error);
  EXPECT_THROW(evaluate_track(truth, track({{"bass", AudioBuffer(2, 0)}, {"drums", drums}}), quick, run), Error);
}

TEST_F(EvaluateTrack, ShortTracksHaveAnAnswerForEveryMetric) {
  for (const std::size_t frames : {1u, 2400u}) {
    const AudioBuffer a = noise(frames, 10), b = noise(frames, 11);
    const auto result = evaluate_track(track({{"a", a}, {"b", b}}, 44100),
                                       track({{"a", with_noise(a, 12)}, {"b", with_noise(b, 13)}}, 44100), every_metric(), run);
    for (const auto& metric : known_metrics())
      for (const auto& name : metric.results) EXPECT_TRUE(result.targets[0].metrics.contains(name)) << name;
    EXPECT_TRUE(std::isfinite(result.targets[0].metrics.at("sdr")));
    EXPECT_TRUE(std::isfinite(result.targets[0].metrics.at("bsseval_v4.SDR")));
  }
  const auto none = evaluate_track(track({{"a", AudioBuffer(2, 0)}}), track({{"a", AudioBuffer(2, 0)}}), quick, run);
  EXPECT_EQ(none.targets[0].not_applicable, "no samples");
}

TEST_F(EvaluateTrack, APerfectEstimateIsInfinitelyGood) {
  const data::Track truth = track({{"bass", bass}, {"drums", drums}});
  const auto result = evaluate_track(truth, truth, quick, run);
  EXPECT_EQ(result.targets[0].metrics.at("bsseval_v4.SDR"), INFINITY);
  EXPECT_EQ(result.targets[0].metrics.at("si_sdr"), INFINITY);
  // Windows without a score leave the infinite ones, finite ones count alone.
  EXPECT_EQ(metrics::median_or_infinity(std::vector<double>{NAN, INFINITY}), INFINITY);
  EXPECT_EQ(metrics::median_or_infinity(std::vector<double>{INFINITY, 3}), 3);
  EXPECT_TRUE(std::isnan(metrics::median_or_infinity(std::vector<double>{NAN})));
}

// Three windows at a time or the whole: streaming must not show.
TEST_F(EvaluateTrack, StreamingGivesTheWholeTracksScores) {
  const AudioBuffer a = noise(70 * 1000, 14), b = noise(70 * 1000, 15);
  const AudioBuffer x = with_noise(a, 16), y = with_noise(b, 17);
  EvaluateOptions options = quick;
  options.hop_s = 0.5;
  const auto result = evaluate_track(track({{"a", a}, {"b", b}}, 1000), track({{"a", x}, {"b", y}}, 1000), options, run);
  const std::vector<AudioView> references{a, b}, estimates{x, y};
  const auto whole = metrics::bss_eval(references, estimates, {.window_frames = 1000, .hop_frames = 500, .filter_length = 16}, run);
  ASSERT_EQ(whole.sources[0].sir.size(), 139u);
  EXPECT_EQ(result.targets[0].windows.sir, whole.sources[0].sir);
  EXPECT_EQ(result.targets[1].windows.sar, whole.sources[1].sar);
}

TEST_F(EvaluateTrack, TheShortestWindowIsOneFrameAndNotTheTrack) {
  EvaluateOptions options = quick;
  const data::Track truth = track({{"bass", bass}}), estimate = track({{"bass", with_noise(bass, 4)}});
  options.window_s = 1e-6;
  EXPECT_EQ(evaluate_track(truth, estimate, options, run).window_start_s, (std::vector<double>{0, 1, 2}));
  options.window_s = 0;
  EXPECT_EQ(evaluate_track(truth, estimate, options, run).window_start_s, (std::vector<double>{0}));
}

TEST_F(EvaluateTrack, ATrackThatCannotBeReadStopsNoOther) {
  class Songs final : public data::Dataset {
   public:
    Songs(data::Track song, bool broken) : song_(std::move(song)), broken_(broken) {}
    std::size_t size() const override { return 2; }
    std::string track_name(std::size_t i) const override { return i == 0 ? "first" : "second"; }
    std::string split(std::size_t) const override { return {}; }
    std::string format() const override { return "memory"; }
    data::Track track(std::size_t i) const override {
      if (broken_ && i == 0) throw std::bad_alloc();
      return song_;
    }

   private:
    data::Track song_;
    bool broken_;
  };
  const data::Track song = track({{"bass", bass}, {"drums", drums}});
  std::size_t told = 0;
  const auto result = evaluate_dataset(Songs(song, false), Songs(song, true), quick, run, [&](const auto&) { ++told; });
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_EQ(result.failures[0].track, "first");
  EXPECT_EQ(result.failures[0].reason, "not enough memory");
  EXPECT_EQ(result.tracks.size(), 1u);
  EXPECT_EQ(told, 1u);
}

// Two songs of one name in two splits, whose estimates are 20 dB and 0 dB apart from them.
TEST_F(EvaluateTrack, TracksOfOneNameInTwoSplitsKeepApart) {
  class Splits final : public data::Dataset {
   public:
    explicit Splits(std::vector<std::pair<std::string, data::Track>> songs) : songs_(std::move(songs)) {}
    std::size_t size() const override { return songs_.size(); }
    std::string track_name(std::size_t) const override { return "song"; }
    std::string split(std::size_t i) const override { return songs_[i].first; }
    std::string format() const override { return "memory"; }
    data::Track track(std::size_t i) const override {
      data::Track result = songs_[i].second;
      result.split = split(i);
      return result;
    }

   private:
    std::vector<std::pair<std::string, data::Track>> songs_;
  };
  const data::Track one = track({{"bass", bass}}), other = track({{"bass", drums}});
  AudioBuffer far(drums);
  add_scaled(noise(20'000, 7), 1, far);
  const Splits truth({{"test", one}, {"train", other}, {"valid", other}}),
      ours({{"train", track({{"bass", far}})}, {"test", track({{"bass", with_noise(bass, 4)}})}});
  const auto result = evaluate_dataset(truth, ours, quick, run);
  ASSERT_EQ(result.tracks.size(), 2u);
  EXPECT_EQ(result.tracks[0].id().label(), "test/song");
  EXPECT_NEAR(result.tracks[0].targets[0].metrics.at("sdr"), 20, 0.2);
  EXPECT_EQ(result.tracks[1].id().label(), "train/song");
  EXPECT_NEAR(result.tracks[1].targets[0].metrics.at("sdr"), 0, 0.2);
  EXPECT_EQ(result.missing, std::vector<std::string>{"valid/song"});
  const Splits flat({{"", one}, {"other", other}});
  EXPECT_THROW(evaluate_dataset(truth, flat, quick, run), Error);
}

TEST_F(EvaluateTrack, WrongOptions) {
  EXPECT_THROW((EvaluateOptions{.metrics = {"snr9"}}.validate()), Error);
  EXPECT_THROW((EvaluateOptions{.metrics = {}}.validate()), Error);
  EXPECT_THROW((EvaluateOptions{.hop_s = 0}.validate()), Error);
  EXPECT_THROW((EvaluateOptions{.window_s = -1}.validate()), Error);
  EXPECT_THROW((EvaluateOptions{.filter_length = 0}.validate()), Error);
}

}  // namespace
}  // namespace unbraid::evaluate
