#include "unbraid/evaluate/oracle.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <new>
#include <nlohmann/json.hpp>

#include "support/fixtures.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/evaluate/oracle_run.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/mask/apply.hpp"
#include "unbraid/mask/ideal.hpp"
#include "unbraid/mask/wiener_em.hpp"
#include "unbraid/metrics/scale_invariant.hpp"
#include "unbraid/metrics/si_sdr_seed.hpp"

namespace unbraid::evaluate {
namespace {

using Names = std::vector<std::string>;

/// Stems of coloured noise and their sum.
data::Track make_track(std::size_t channels, std::size_t frames, std::size_t stems, double rate = 8000) {
  data::Track track{.name = "noise", .sample_rate = rate};
  AudioBuffer mix(channels, frames);
  for (std::size_t s = 0; s < stems; ++s) {
    AudioBuffer audio = testing::noise(channels, frames, s + 1, 0.2);
    for (std::size_t c = 0; c < channels; ++c) {
      float previous = 0;
      for (float& x : audio.channel(c)) {
        x = previous = x + (0.3f * static_cast<float>(s) - 0.6f) * previous;
        if (std::abs(previous) > 4) previous = 0;
      }
    }
    add_scaled(audio, 1, mix);
    track.stems.push_back(
        {.name = std::string(1, static_cast<char>('a' + s)), .instrument = {}, .audio = data::memory_source(audio, rate)});
  }
  track.mixture = data::memory_source(mix, rate);
  return track;
}

/// The same by whole spectrograms and the metrics library. Scores of channel 0 of a mono track, [mask][stem].
std::map<std::string, std::vector<double>> by_whole_spectrograms(const data::Track& track, const OracleOptions& options, std::size_t window,
                                                                 ThreadPool& pool) {
  const dsp::Stft<double> stft({.window = {.length = window},
                                .hop = window / 4,
                                .scaling = options.seed_arithmetic ? dsp::StftScaling::kScipySpectrum : dsp::StftScaling::kNone});
  const auto load = [](const data::AudioSource& source) {
    const AudioBuffer audio = source.read();
    return std::vector<double>(audio.samples().begin(), audio.samples().end());
  };
  const auto forward = [&](const std::vector<double>& x) { return stft.forward({x.data(), 1, x.size(), x.size()}, pool); };
  const dsp::Spectrogram<double> mixture = forward(load(*track.mixture));
  std::vector<std::vector<double>> references;
  std::vector<dsp::Spectrogram<double>> sources;
  for (const data::TrackStem& stem : track.stems) {
    references.push_back(load(*stem.audio));
    sources.push_back(forward(references.back()));
  }
  std::map<std::string, std::vector<double>> scores;
  for (const std::string& name : options.masks) {
    mask::IdealMask ideal = mask::ideal_mask(name);
    if (options.seed_arithmetic) ideal.epsilon = 1e-10;
    const auto masks = mask::ideal_masks<double>(ideal, sources, mixture, pool);
    for (std::size_t s = 0; s < masks.size(); ++s) {
      std::vector<double> estimate(references[s].size());
      stft.inverse(mask::apply(masks[s], mixture, pool), {estimate.data(), 1, estimate.size(), estimate.size()}, pool);
      scores[name].push_back(metrics::si_sdr_seed(references[s], estimate, options.seed_arithmetic ? 1e-10 : 0));
    }
  }
  return scores;
}

// Lengths around a window, a hop, a thread's task and a segment that is read at once.
TEST(Oracle, StreamingEqualsWholeSpectrogramsAtEveryLength) {
  ThreadPool pool(2);
  RunContext run{pool};
  for (const std::size_t frames :
       {1u, 2u, 127u, 128u, 129u, 255u, 256u, 511u, 512u, 513u, 8191u, 8192u, 8193u, 8448u, 262143u, 262144u, 262145u, 262400u, 300001u}) {
    for (const bool seed : {false, true}) {
      SCOPED_TRACE(std::to_string(frames) + (seed ? " seed" : " exact"));
      const data::Track track = make_track(1, frames, 3);
      OracleOptions options{.masks = {"ibm", "irm", "wiener2", "psm"}, .window = 512, .hop = 128, .seed_arithmetic = seed};
      if (frames > 20'000) options.masks = {"wiener2"};
      const OracleResult result = oracle(track, options, run);
      const auto expected = by_whole_spectrograms(track, options, 512, pool);
      EXPECT_EQ(result.frames, (frames + 127) / 128 + 1);
      for (const OracleMask& mask : result.masks) {
        for (std::size_t s = 0; s < 3; ++s) {
          const double want = expected.at(mask.name)[s];
          // One or two samples can be matched exactly; there both are beyond the 150 dB that mean anything.
          if (std::isnan(want)) EXPECT_TRUE(std::isnan(mask.si_sdr_db[s])) << mask.name;  // the mask left nothing of it
          else if (want > 120) EXPECT_GT(mask.si_sdr_db[s], 120);
          else EXPECT_NEAR(mask.si_sdr_db[s], want, 1e-7) << mask.name;
        }
      }
    }
  }
}

TEST(Oracle, ThreadsDoNotMatterAndChannelsCountTogether) {
  ThreadPool one(1), three(3);
  RunContext serial{one}, parallel{three};
  const data::Track stereo = make_track(2, 30'000, 3);
  const OracleResult a = oracle(stereo, {}, serial), b = oracle(stereo, {}, parallel);
  for (std::size_t m = 0; m < a.masks.size(); ++m) EXPECT_EQ(a.masks[m].si_sdr_db, b.masks[m].si_sdr_db);
  EXPECT_EQ(a.correlation, b.correlation);
  EXPECT_GT(a.correlation, 1 - 1e-10);

  // Two equal channels score as one.
  const data::Track mono = make_track(1, 30'000, 3);
  data::Track doubled = mono;
  const auto twice = [](const data::SourcePtr& source) {
    const AudioBuffer audio = source->read();
    AudioBuffer both(2, audio.frames());
    for (std::size_t c = 0; c < 2; ++c) std::ranges::copy(audio.channel(0), both.channel(c).begin());
    return data::memory_source(both, 8000);
  };
  doubled.mixture = twice(mono.mixture);
  for (data::TrackStem& stem : doubled.stems) stem.audio = twice(stem.audio);
  const OracleResult x = oracle(mono, {}, serial), y = oracle(doubled, {}, serial);
  for (std::size_t m = 0; m < x.masks.size(); ++m) {
    for (std::size_t s = 0; s < 3; ++s) EXPECT_NEAR(x.masks[m].si_sdr_db[s], y.masks[m].si_sdr_db[s], 1e-9);
  }
}

TEST(Oracle, MasksRankAsTheyMust) {
  ThreadPool pool(2);
  RunContext run{pool};
  const OracleResult result = oracle(make_track(1, 40'000, 4), {}, run);
  std::map<std::string, double> mean;
  for (const OracleMask& mask : result.masks) mean[mask.name] = mask.mean_db;
  EXPECT_EQ(mean["irm"], mean["wiener1"]);
  EXPECT_GT(mean["wiener2"], mean["irm"]);
  EXPECT_GT(mean["psm"], mean["wiener2"]);
}

// Two sources in different places of a stereo mixture: two channels determine them, which no mask of one channel can use.
TEST(Oracle, ComplexMasksAndPlacesBreakTheBound) {
  ThreadPool pool(2);
  RunContext run{pool};
  constexpr std::size_t kFrames = 300'000;  // more than a stretch of the multichannel filter
  data::Track track{.name = "pan", .sample_rate = 8000};
  AudioBuffer mix(2, kFrames);
  const float pan[2][2] = {{1.0f, 0.3f}, {0.2f, 0.9f}};
  for (std::size_t s = 0; s < 2; ++s) {
    AudioBuffer audio(2, kFrames);
    const AudioBuffer mono = testing::noise(1, kFrames, s + 1, 0.2);
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t n = 0; n < kFrames; ++n) audio.channel(c)[n] = pan[s][c] * mono.channel(0)[n];
    add_scaled(audio, 1, mix);
    track.stems.push_back({.name = s == 0 ? "a" : "b", .instrument = {}, .audio = data::memory_source(audio, 8000)});
  }
  track.mixture = data::memory_source(mix, 8000);
  std::map<std::string, std::array<std::vector<float>, 2>> heard;
  const OracleResult result = oracle(track, {.masks = {"mwf", "wiener2", "cirm", "psm"}}, run,
                                     [&](const std::string& mask, const std::string& stem, AudioView block) {
                                       for (std::size_t c = 0; c < 2; ++c) {
                                         auto& samples = heard[mask + " " + stem][c];
                                         samples.insert(samples.end(), block.channel(c).begin(), block.channel(c).end());
                                       }
                                     });
  ASSERT_EQ(result.masks.size(), 4u);
  EXPECT_EQ(result.masks[0].name, "mwf");
  EXPECT_GT(result.masks[0].mean_db, result.masks[1].mean_db + 10);
  EXPECT_GT(result.masks[2].mean_db, result.masks[3].mean_db + 10);
  // What the sink hears is what was scored.
  for (const OracleMask& mask : result.masks) {
    for (std::size_t s = 0; s < 2; ++s) {
      const AudioBuffer reference = track.stems[s].audio->read();
      double er = 0, ee = 0, rr = 0;
      for (std::size_t c = 0; c < 2; ++c) {
        const std::vector<float>& estimate = heard[mask.name + " " + track.stems[s].name][c];
        ASSERT_EQ(estimate.size(), kFrames);
        for (std::size_t n = 0; n < kFrames; ++n) {
          const double e = estimate[n], r = reference.channel(c)[n];
          er += e * r;
          ee += e * e;
          rr += r * r;
        }
      }
      EXPECT_NEAR(10 * std::log10(er * er / rr / (ee - er * er / rr)), mask.si_sdr_db[s], 1e-2) << mask.name;
    }
  }
}

TEST(Oracle, MultichannelWienerIsThatOfTheMaskLibrary) {
  ThreadPool pool(2);
  RunContext run{pool};
  const data::Track track = make_track(2, 9000, 3);  // one stretch
  const OracleResult result = oracle(track, {.masks = {"mwf"}, .window = 512, .hop = 128}, run);
  const dsp::Stft<double> stft({.window = {.length = 512}, .hop = 128});
  const auto forward = [&](const data::AudioSource& source, std::vector<double>& samples) {
    const AudioBuffer audio = source.read();
    samples.assign(audio.samples().begin(), audio.samples().end());
    return stft.forward({samples.data(), 2, 9000, 9000}, pool);
  };
  std::vector<double> mix;
  const auto mixture = forward(*track.mixture, mix);
  std::vector<std::vector<double>> references(3);
  std::vector<dsp::Spectrogram<double>> stems;
  for (std::size_t s = 0; s < 3; ++s) stems.push_back(forward(*track.stems[s].audio, references[s]));
  mask::expectation_maximisation(stems, mixture, {.iterations = 1}, run);
  for (std::size_t s = 0; s < 3; ++s) {
    std::vector<double> estimate(18000);
    stft.inverse(stems[s], {estimate.data(), 2, 9000, 9000}, pool);
    // float32 spectra against float64 ones
    EXPECT_NEAR(result.masks[0].si_sdr_db[s], metrics::si_sdr_seed(references[s], estimate, 0), 1e-3);
  }
}

TEST(Oracle, SilentMissingAndUnfitStemsAreSkippedWithAReason) {
  ThreadPool pool(1);
  RunContext run{pool};
  data::Track track = make_track(1, 5000, 2);
  track.stems[0].instrument = "Bass";
  track.missing["S10"] = "no stems/S10.wav";
  track.stems.push_back({.name = "silent", .instrument = {}, .audio = data::memory_source(AudioBuffer(1, 5000), 8000)});
  track.stems.push_back({.name = "fast", .instrument = {}, .audio = data::memory_source(AudioBuffer(1, 5000), 16000)});
  track.stems.push_back({.name = "empty", .instrument = {}, .audio = data::memory_source(AudioBuffer(1, 0), 8000)});
  track.stems.push_back({.name = "gone", .instrument = {}, .audio = data::file_source("/nonexistent.wav")});
  track.stems.push_back({.name = "short", .instrument = {}, .audio = data::memory_source(testing::noise(1, 100, 5), 8000)});
  const OracleResult result = oracle(track, {.masks = {"irm"}}, run);
  EXPECT_EQ(result.stems, (Names{"a_Bass", "b", "silent", "short"}));
  Names skipped;
  for (const auto& [name, reason] : result.skipped) {
    skipped.push_back(name);
    EXPECT_FALSE(reason.empty());
  }
  EXPECT_EQ(skipped, (Names{"S10", "fast", "empty", "gone", "silent"}));
  const std::vector<double>& scores = result.masks[0].si_sdr_db;
  EXPECT_TRUE(std::isnan(scores[2]));
  EXPECT_NEAR(result.masks[0].mean_db, (scores[0] + scores[1] + scores[3]) / 3, 1e-12);

  const OracleResult seed = oracle(track, {.masks = {"irm"}, .seed_arithmetic = true}, run);
  EXPECT_EQ(seed.masks[0].si_sdr_db[2], 0.0);
  EXPECT_NEAR(seed.masks[0].mean_db, (seed.masks[0].si_sdr_db[0] + seed.masks[0].si_sdr_db[1] + 0.0 + seed.masks[0].si_sdr_db[3]) / 4,
              1e-12);

  AudioBuffer broken = testing::noise(1, 5000, 1);
  broken.channel(0)[7] = NAN;
  track.stems[1].audio = data::memory_source(broken, 8000);
  const auto error_of_oracle = [&] {
    try {
      oracle(track, {}, run);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(error_of_oracle(), "noise: b has samples that are not finite");
  track.mixture = data::sum_source({track.stems[0].audio, track.stems[3].audio}, {"a", "fast"});
  EXPECT_EQ(error_of_oracle(), "noise: stems differ: a of 8000 Hz with 1 channels beside fast of 16000 Hz with 1");
  track.stems.clear();
  EXPECT_THROW(oracle(track, {}, run), Error);
}

TEST(Oracle, TrimsAndChoosesItsWindow) {
  ThreadPool pool(1);
  RunContext run{pool};
  const OracleResult result = oracle(make_track(1, 50'000, 2, 44100), {.masks = {"ibm"}, .trim_s = 0.5}, run);
  EXPECT_EQ(result.samples, 22050u);
  EXPECT_EQ(result.window, 2048u);
  EXPECT_EQ(result.hop, 512u);
  EXPECT_EQ(oracle(make_track(1, 500, 2, 16000), {.masks = {"ibm"}}, run).window, 1024u);
  for (const OracleOptions& bad : {OracleOptions{.masks = {}},
                                   {.masks = {"best"}},
                                   {.masks = {"irm", "ibm", "irm"}},
                                   {.trim_s = -1},
                                   {.trim_s = NAN},
                                   {.trim_s = INFINITY},
                                   {.window = 512, .hop = 100},
                                   {.window = 512, .hop = 512},
                                   {.window = 511},
                                   {.window = 1002},  // no quarter
                                   {.window = 2},
                                   {.hop = 5}}) {
    EXPECT_THROW(bad.validate(), Error);
    EXPECT_THROW(oracle(make_track(1, 500, 2), bad, run), Error);
  }
}

TEST(Oracle, WindowsThatAreNoPowersOfTwo) {
  ThreadPool pool(1);
  RunContext run{pool};
  const data::Track track = make_track(1, 30'000, 2);
  const double power_of_two = oracle(track, {.masks = {"irm"}, .window = 1024}, run).masks[0].mean_db;
  EXPECT_NEAR(oracle(track, {.masks = {"irm"}, .window = 1000}, run).masks[0].mean_db, power_of_two, 0.5);
  EXPECT_NEAR(oracle(track, {.masks = {"irm"}, .window = 1002, .hop = 167}, run).masks[0].mean_db, power_of_two, 0.5);
}

TEST(OracleRunTest, SavesStemsWritesTracksAndResumes) {
  const testing::TemporaryFolder folder;
  ThreadPool pool(2);
  class Two final : public data::Dataset {
   public:
    std::size_t size() const override { return 4; }
    std::string track_name(std::size_t i) const override { return "t" + std::string(1, static_cast<char>('0' + i)); }
    std::string split(std::size_t) const override { return "test"; }
    std::string format() const override { return "fake"; }
    data::Track track(std::size_t i) const override {
      if (i == 2) throw Error{ErrorCode::kFormat, "damaged", "t2"};
      if (i == 3) throw std::bad_alloc();
      data::Track made = make_track(1, 20'000 + i, 2);
      made.name = track_name(i);
      return made;
    }
  } dataset;
  RunContext run{pool};
  const OracleOptions options{.masks = {"ibm", "wiener2"}};
  const OracleRun first = oracle_run(dataset, options, {.folder = folder.path(), .save_stems = true}, run);
  ASSERT_EQ(first.results.size(), 2u);
  ASSERT_EQ(first.failed.size(), 2u);
  EXPECT_EQ(first.failed[0].second, "t2: damaged");
  EXPECT_EQ(first.failed[1].second, "not enough memory");

  // The saved estimates score what the result says.
  const AudioBuffer estimate = io::read_audio(folder / "test/t1/wiener2/b.wav").samples;
  const AudioBuffer reference = dataset.track(1).stems[1].audio->read();
  ASSERT_EQ(estimate.frames(), reference.frames());
  const AudioView references[] = {reference.view()}, estimates[] = {estimate.view()};
  const double score =
      metrics::scale_scores(references, estimates, {.remove_mean = false, .interference = false}, run).sources[0].channels[0].si_sdr;
  EXPECT_NEAR(first.results[1].masks[1].si_sdr_db[1], score, 1e-4);  // the file is float32

  const OracleRun again = oracle_run(dataset, options, {.folder = folder.path(), .resume = true}, run);
  EXPECT_EQ(again.resumed, 2u);
  EXPECT_EQ(to_json(again), to_json(first));
  std::ofstream(folder / "test/t0/oracle.json") << "{\"version\": ";  // cut short: done again
  EXPECT_EQ(oracle_run(dataset, options, {.folder = folder.path(), .resume = true}, run).resumed, 1u);
  nlohmann::ordered_json edited = nlohmann::ordered_json::parse(std::ifstream(folder / "test/t1/oracle.json"));
  edited["result"]["si_sdr"].erase("wiener2");  // a mask's scores are missing: done again
  std::ofstream(folder / "test/t1/oracle.json") << edited;
  EXPECT_EQ(oracle_run(dataset, options, {.folder = folder.path(), .resume = true}, run).resumed, 1u);
  // Estimates are written where they are wanted and not there: both tracks were just done without them.
  const OracleRunOptions saving{.folder = folder.path(), .resume = true, .save_stems = true};
  EXPECT_EQ(oracle_run(dataset, options, saving, run).resumed, 0u);
  EXPECT_EQ(oracle_run(dataset, options, saving, run).resumed, 2u);
  std::filesystem::remove(folder / "test/t1/ibm/a.wav");
  EXPECT_EQ(oracle_run(dataset, options, saving, run).resumed, 1u);
  EXPECT_TRUE(std::filesystem::exists(folder / "test/t1/ibm/a.wav"));
  EXPECT_EQ(oracle_run(dataset, {.masks = {"ibm"}}, {.folder = folder.path(), .resume = true}, run).resumed, 0u);
  EXPECT_THROW(oracle_run(dataset, options, {.resume = true}, run), Error);

  const auto all = aggregate(first);
  EXPECT_EQ(all[0].tracks, 2u);
  EXPECT_EQ(all[0].stems, 4u);
  EXPECT_NEAR(all[0].mean_db, (first.results[0].masks[0].mean_db + first.results[1].masks[0].mean_db) / 2, 1e-12);
  EXPECT_EQ(to_json(first)["schema"], "unbraid.oracle/1");
}

/// One track in memory that can be exchanged.
class OneTrack final : public data::Dataset {
 public:
  explicit OneTrack(data::Track track) : track_(std::move(track)) {}
  std::size_t size() const override { return 1; }
  std::string track_name(std::size_t) const override { return track_.name; }
  std::string split(std::size_t) const override { return {}; }
  std::string format() const override { return "memory"; }
  data::Track track(std::size_t) const override { return track_; }

 private:
  data::Track track_;
};

TEST(OracleRunTest, ResumesNothingOfOtherAudio) {
  const testing::TemporaryFolder folder;
  ThreadPool pool(2);
  RunContext run{pool};
  const OracleOptions options{.masks = {"irm"}};
  const OracleRunOptions resuming{.folder = folder.path(), .resume = true};
  const data::Track track = make_track(1, 8000, 2);
  data::Track other = track;
  AudioBuffer changed = track.stems[0].audio->read();
  changed.channel(0)[4000] += 0.1f;
  other.stems[0].audio = data::memory_source(changed, track.sample_rate);
  oracle_run(OneTrack(track), options, resuming, run);
  EXPECT_EQ(oracle_run(OneTrack(track), options, resuming, run).resumed, 1u);
  EXPECT_EQ(oracle_run(OneTrack(other), options, resuming, run).resumed, 0u);
}

TEST(OracleRunTest, NamesThatAreNotUtf8AndWarningsAreKept) {
  const testing::TemporaryFolder folder;
  ThreadPool pool(1);
  RunContext run{pool};
  data::Track track = make_track(1, 8000, 2);
  track.name = "caf\xe9";
  track.warnings = {"S10 is listed but there is no S10.wav"};
  const OracleRunOptions resuming{.folder = folder.path(), .resume = true};
  const OracleRun first = oracle_run(OneTrack(track), {.masks = {"irm"}}, resuming, run);
  ASSERT_TRUE(first.failed.empty()) << first.failed[0].second;
  const OracleRun second = oracle_run(OneTrack(track), {.masks = {"irm"}}, resuming, run);
  EXPECT_EQ(second.resumed, 1u);
  EXPECT_EQ(second.results[0].track, track.name);
  EXPECT_EQ(second.results[0].warnings, track.warnings);
  EXPECT_EQ(to_json(second)["tracks"][0]["warnings"].size(), 1u);
}

TEST(OracleRunTest, NothingHasNoMean) {
  const OracleRun nothing{.options = {.masks = {"irm"}}, .results = {{.stems = {"a"}, .masks = {{.name = "irm", .si_sdr_db = {NAN}}}}}};
  const auto all = aggregate(nothing);
  EXPECT_EQ(all[0].tracks, 0u);
  EXPECT_TRUE(std::isnan(all[0].mean_db));
  const auto json = to_json(nothing)["aggregate"]["irm"];
  for (const char* field : {"mean", "median", "std", "stem_mean"}) EXPECT_TRUE(json[field].is_null()) << field;
}

TEST(OracleRunTest, NamesStayInsideTheFolder) {
  EXPECT_EQ(path_component("../a/b"), ".._a_b");
  EXPECT_EQ(path_component(".."), "_..");
  EXPECT_EQ(path_component(""), "_");
  EXPECT_EQ(path_component("S03_Synth Pad"), "S03_Synth Pad");
}

TEST(OraclePictures, OnePerSpectrogramAndMask) {
  ThreadPool pool(1);
  RunContext run{pool};
  std::map<std::string, OraclePicture> drawn;
  oracle_pictures(make_track(1, 20'000, 2), {.masks = {"irm"}}, 1.0, run, [&](const OraclePicture& p) { drawn[p.name] = p; });
  ASSERT_EQ(drawn.size(), 5u);
  const OraclePicture& mix = drawn.at("mix");
  EXPECT_EQ(mix.values.size(), mix.frames * mix.bins);
  EXPECT_EQ(*std::ranges::max_element(mix.values), 0.0f);
  for (std::size_t i = 0; i < mix.values.size(); i += 97) {
    EXPECT_NEAR(drawn.at("irm a").values[i] + drawn.at("irm b").values[i], 1, 1e-5);
  }
}

}  // namespace
}  // namespace unbraid::evaluate
