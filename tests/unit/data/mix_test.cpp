#include "unbraid/data/mix.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/loudness.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::data {
namespace {

namespace fs = std::filesystem;
using unbraid::testing::TemporaryFolder;

constexpr double kRate = 8000;

/// Songs in memory: every stem is noise of its own.
class Songs final : public Dataset {
 public:
  struct Options {
    std::size_t songs = 5;
    double seconds = 4;
    std::size_t channels = 1;
    double sample_rate = kRate;
    std::vector<std::string> stems = {"vocals", "drums"};
  };
  explicit Songs(Options options) {
    for (std::size_t t = 0; t < options.songs; ++t) {
      Track track{.name = "song " + std::to_string(t), .sample_rate = options.sample_rate, .mixture = nullptr, .stems = {}};
      for (std::size_t s = 0; s < options.stems.size(); ++s) {
        Rng rng(t, s);
        AudioBuffer audio(options.channels, static_cast<std::size_t>(options.seconds * options.sample_rate));
        for (float& sample : audio.samples()) sample = static_cast<float>(rng.uniform(-0.1, 0.1) * (1 + double(s)));
        add(track, options.stems[s], std::move(audio), options.sample_rate);
      }
      tracks_.push_back(std::move(track));
    }
  }
  explicit Songs(std::vector<Track> tracks) : tracks_(std::move(tracks)) {}
  static void add(Track& track, std::string name, AudioBuffer audio, double rate) {
    track.stems.push_back({.name = std::move(name), .instrument = {}, .audio = memory_source(std::move(audio), rate)});
  }

  std::size_t size() const override { return tracks_.size(); }
  Track track(std::size_t index) const override { return tracks_.at(index); }
  std::string track_name(std::size_t index) const override { return tracks_.at(index).name; }
  std::string split(std::size_t) const override { return {}; }
  std::string format() const override { return "memory"; }

 private:
  std::vector<Track> tracks_;
};

DatasetPtr songs(Songs::Options options = {}) { return std::make_shared<Songs>(std::move(options)); }

/// One track with one stem "vocals".
DatasetPtr one_source(AudioBuffer audio, double rate = kRate) {
  Track track{.name = "one", .sample_rate = rate, .mixture = nullptr, .stems = {}};
  Songs::add(track, "vocals", std::move(audio), rate);
  return std::make_shared<Songs>(std::vector{track});
}

MixRecipe recipe(std::vector<std::string> stems = {"vocals", "drums"}) {
  MixRecipe result{.sources = {.path = "memory"}, .stems = {}, .count = 50, .duration_s = 1, .sample_rate = kRate};
  for (std::string& name : stems) {
    result.stems.push_back({.name = std::move(name)});
    result.stems.back().event.source_time_s = Distribution::uniform(0, 7);
    result.stems.back().event.snr_db = Distribution::uniform(-5, 5);
  }
  return result;
}

AudioBuffer constant(float value, double seconds, std::size_t channels = 1) {
  AudioBuffer audio(channels, static_cast<std::size_t>(seconds * kRate));
  std::ranges::fill(audio.samples(), value);
  return audio;
}

float peak(const AudioBuffer& audio) {
  float value = 0;
  for (const float x : audio.samples()) value = std::max(value, std::abs(x));
  return value;
}

bool same(const AudioBuffer& a, const AudioBuffer& b) {
  return a.channels() == b.channels() && std::ranges::equal(a.samples(), b.samples());
}

TEST(Mix, AnItemIsTheSameAloneInAnyOrderOnAnyThread) {
  MixRecipe with_everything = recipe();
  for (MixStemSpec& stem : with_everything.stems) {
    stem.event.pitch_shift = Distribution::uniform(-2, 2);
    stem.event.time_stretch = Distribution::uniform(0.8, 1.2);
    stem.event.effects = {{.kind = "reverb", .probability = 0.5}, {.kind = "eq"}, {.kind = "compress"}};
  }
  const MixtureDataset mixtures(songs(), with_everything);
  std::vector<Mixture> serial;
  for (std::size_t i = 0; i < 12; ++i) serial.push_back(mixtures.make(i));
  std::vector<Mixture> parallel(12);
  ThreadPool pool(3);
  pool.parallel_for(12, [&](std::size_t i) { parallel[11 - i] = mixtures.make(11 - i); });
  const MixtureDataset again(songs(), with_everything);
  EXPECT_TRUE(same(again.make(7).audio, serial[7].audio));
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_TRUE(same(parallel[i].audio, serial[i].audio)) << i;
    EXPECT_TRUE(same(parallel[i].stems.at("drums"), serial[i].stems.at("drums"))) << i;
  }
  EXPECT_FALSE(same(serial[0].audio, serial[1].audio));
  with_everything.seed = 1;
  EXPECT_FALSE(same(MixtureDataset(songs(), with_everything).make(0).audio, serial[0].audio));
}

TEST(Mix, CoherentMixturesShareWhatMakesThemMusic) {
  MixRecipe wanted = recipe();
  for (MixStemSpec& stem : wanted.stems) {
    stem.event.pitch_shift = Distribution::uniform(-2, 2);
    stem.event.time_stretch = Distribution::uniform(0.8, 1.2);
  }
  const MixtureDataset mixtures(songs(), wanted);
  std::size_t coherent = 0, same_song = 0, incoherent = 0;
  for (std::size_t i = 0; i < 400; ++i) {
    const MixPlan plan = mixtures.plan(i);
    const MixEvent &a = plan.events[0], &b = plan.events[1];
    EXPECT_NE(a.snr_db, b.snr_db);
    if (plan.coherent) {
      ++coherent;
      EXPECT_EQ(a.source, b.source);
      EXPECT_EQ(a.source_time_s, b.source_time_s);
      EXPECT_EQ(a.pitch_shift, b.pitch_shift);
      EXPECT_EQ(a.time_stretch, b.time_stretch);
    } else {
      ++incoherent;
      same_song += a.source == b.source;
      EXPECT_NE(a.source_time_s, b.source_time_s);
      EXPECT_NE(a.pitch_shift, b.pitch_shift);
    }
  }
  EXPECT_NEAR(coherent, 200, 50);                // five standard deviations of 10
  EXPECT_NEAR(same_song, incoherent / 5.0, 30);  // five songs: one in five by chance
}

TEST(Mix, LevelsAreRefPlusSnr) {
  MixRecipe wanted = recipe();
  wanted.ref_db = -25;
  wanted.fade_s = 0;
  const MixtureDataset mixtures(songs(), wanted);
  for (std::size_t i = 0; i < 10; ++i) {
    const Mixture mixture = mixtures.make(i);
    ASSERT_EQ(mixture.scale, 1);
    for (std::size_t s = 0; s < 2; ++s)
      EXPECT_NEAR(dsp::block_loudness_lufs(mixture.stems[s].audio, kRate), -25 + *mixture.plan.events[s].snr_db, 1e-3);
  }
}

TEST(Mix, WithoutSnrTheRecordingKeepsItsLevel) {
  MixRecipe wanted = recipe({"vocals"});
  wanted.stems[0].event = {};
  wanted.fade_s = 0;
  EXPECT_TRUE(same(MixtureDataset(one_source(constant(0.25f, 2)), wanted).make(0).audio, constant(0.25f, 1)));
}

TEST(Mix, ClippingDividesEverythingByThePeak) {
  MixRecipe wanted = recipe();
  wanted.ref_db = 0;
  const MixtureDataset mixtures(songs(), wanted);
  wanted.fix_clipping = false;
  const Mixture fixed = mixtures.make(3), raw = MixtureDataset(songs(), wanted).make(3);
  ASSERT_GT(peak(raw.audio), 1.0f);
  EXPECT_EQ(raw.scale, 1);
  EXPECT_NEAR(fixed.scale, 1 / peak(raw.audio), 1e-7);
  EXPECT_NEAR(peak(fixed.audio), 1, 1e-6);
  AudioBuffer sum(1, fixed.audio.frames());
  for (const Stem& stem : fixed.stems) add_scaled(stem.audio, 1, sum);
  EXPECT_TRUE(same(sum, fixed.audio));
  EXPECT_NEAR(peak(fixed.stems.at("vocals")) / peak(raw.stems.at("vocals")), fixed.scale, 1e-6);
}

TEST(Mix, FadesAreQuarterSines) {
  MixRecipe wanted = recipe({"vocals"});
  wanted.stems[0].event = {};
  const Mixture mixture = MixtureDataset(one_source(constant(0.5f, 2)), wanted).make(0);
  const auto samples = mixture.audio.channel(0);
  for (std::size_t i = 0; i < 80; ++i) {  // 10 ms at 8 kHz, numpy.linspace(0, π/2, 80)
    const double expected = 0.5 * std::sin(std::numbers::pi / 2 * static_cast<double>(i) / 79);
    EXPECT_NEAR(samples[i], expected, 1e-6);
    EXPECT_NEAR(samples[samples.size() - 1 - i], expected, 1e-6);
  }
  EXPECT_EQ(samples[80], 0.5f);
}

TEST(Mix, EventsStandWhereTheyAreDrawn) {
  MixRecipe wanted = recipe({"vocals"});
  wanted.fade_s = 0;
  wanted.stems[0].event = {.event_time_s = Distribution::constant(0.25), .event_duration_s = Distribution::constant(0.5)};
  const DatasetPtr source = one_source(constant(0.5f, 2));
  const auto samples = [&](const MixRecipe& r) { return MixtureDataset(source, r).make(0).audio; };
  AudioBuffer audio = samples(wanted);
  EXPECT_EQ(audio.channel(0)[1999], 0);
  EXPECT_EQ(audio.channel(0)[2000], 0.5f);
  EXPECT_EQ(audio.channel(0)[5999], 0.5f);
  EXPECT_EQ(audio.channel(0)[6000], 0);
  // Too late to fit: the event moves, its length has priority.
  wanted.stems[0].event.event_time_s = Distribution::constant(0.9);
  audio = samples(wanted);
  EXPECT_EQ(audio.channel(0)[3999], 0);
  EXPECT_EQ(audio.channel(0)[4000], 0.5f);
  EXPECT_EQ(audio.channel(0)[7999], 0.5f);
}

TEST(Mix, DurationsAndTimesFitTheSource) {
  MixRecipe wanted = recipe({"vocals"});
  wanted.stems[0].event.event_duration_s = Distribution::constant(5);
  wanted.stems[0].event.time_stretch = Distribution::constant(1.25);
  const MixPlan plan = MixtureDataset(songs({.seconds = 4}), wanted).plan(0);
  EXPECT_DOUBLE_EQ(plan.events[0].event_duration_s,
                   1 / 1.25);  // 5 → 4 (the source) → 0.8 (stretched it fills 1 s)
  EXPECT_LE(plan.events[0].source_time_s, 4 - 0.8);
  wanted.duration_s = 10;
  wanted.stems[0].event.time_stretch.reset();
  const Mixture mixture = MixtureDataset(songs({.seconds = 4}), wanted).make(0);
  EXPECT_EQ(mixture.plan.events[0].event_duration_s, 4);
  EXPECT_EQ(mixture.plan.events[0].source_time_s, 0);
  EXPECT_EQ(mixture.audio.frames(), 80000u);
  EXPECT_EQ(mixture.audio.channel(0)[32000], 0);
}

TEST(Mix, ShortEventsAreRepeatedToMeasureThem) {
  AudioBuffer source(1, 800);  // 0.1 s
  Rng rng(3);
  for (float& x : source.samples()) x = static_cast<float>(rng.uniform(-0.1, 0.1));
  MixRecipe wanted = recipe({"vocals"});
  wanted.fade_s = 0;
  wanted.stems[0].event = {.snr_db = Distribution::constant(0)};
  AudioBuffer five_times(1, 4000);
  for (std::size_t i = 0; i < 5; ++i) copy(source.view(), five_times.view().slice(800 * i, 800));
  const double gain = std::pow(10, (-20 - dsp::block_loudness_lufs(five_times, kRate)) / 20);
  const Mixture mixture = MixtureDataset(one_source(source), wanted).make(0);
  EXPECT_NEAR(mixture.audio.channel(0)[5], gain * source.channel(0)[5], 1e-6);
}

TEST(Mix, SilenceStaysSilentAndNaNIsAnError) {
  MixRecipe wanted = recipe({"vocals"});
  EXPECT_EQ(peak(MixtureDataset(one_source(constant(0, 3)), wanted).make(0).audio), 0);
  EXPECT_THROW(MixtureDataset(one_source(constant(std::numeric_limits<float>::quiet_NaN(), 3)), wanted).make(0), Error);
  EXPECT_THROW(MixtureDataset(one_source(AudioBuffer(1, 0)), wanted).make(0), Error);
  AudioBuffer single(1, 1);
  single.channel(0)[0] = 0.5f;
  EXPECT_NO_THROW(MixtureDataset(one_source(single), wanted).make(0));
}

TEST(Mix, ConvertsRatesAndChannels) {
  AudioBuffer source(2, 44100 * 2);
  for (std::size_t i = 0; i < source.frames(); ++i) {
    source.channel(0)[i] = 0.4f * static_cast<float>(std::sin(2 * std::numbers::pi * 500 * static_cast<double>(i) / 44100));
    source.channel(1)[i] = 0.5f * source.channel(0)[i];
  }
  MixRecipe wanted = recipe({"vocals"});
  wanted.stems[0].event = {};
  const Mixture mono = MixtureDataset(one_source(source, 44100), wanted).make(0);
  ASSERT_EQ(mono.audio.frames(), 8000u);
  for (std::size_t i = 1000; i < 7000; ++i)
    ASSERT_NEAR(mono.audio.channel(0)[i], 0.3 * std::sin(2 * std::numbers::pi * 500 * static_cast<double>(i) / kRate), 1e-4);
  wanted.channels = 2;
  const Mixture stereo = MixtureDataset(one_source(constant(0.5f, 2)), wanted).make(0);
  EXPECT_EQ(stereo.audio.channels(), 2u);
  EXPECT_TRUE(std::ranges::equal(stereo.audio.channel(0), stereo.audio.channel(1)));
}

TEST(Mix, MixtureEffectsChangeTheSumAlone) {
  MixRecipe wanted = recipe();
  wanted.mixture_effects = {{.kind = "invert"}};
  const Mixture mixture = MixtureDataset(songs(), wanted).make(0);
  AudioBuffer sum(1, mixture.audio.frames());
  for (const Stem& stem : mixture.stems) add_scaled(stem.audio, -1, sum);
  EXPECT_TRUE(same(sum, mixture.audio));
}

TEST(Mix, IsADatasetOfTracks) {
  const auto mixtures = std::make_shared<MixtureDataset>(songs(), recipe());
  EXPECT_EQ(mixtures->size(), 50u);
  const Track track = mixtures->track(17);
  EXPECT_EQ(track.name, "000017");
  EXPECT_EQ(track.mixture->info().frames, 8000u);
  const Mixture made = mixtures->make(17);
  EXPECT_TRUE(same(track.mixture->read(), made.audio));
  EXPECT_TRUE(same(track.stem("drums").audio->read(), made.stems.at("drums")));
  EXPECT_EQ(track.mixture->read(7990, 100).frames(), 10u);
  EXPECT_EQ(track.mixture->read(9000, 1).frames(), 0u);
}

TEST(Mix, SourcesCanBeChosen) {
  MixRecipe wanted = recipe();
  wanted.coherent = 0;
  wanted.stems[0].event.source = {.names = {"song 2"}};
  wanted.stems[1].event.source = {
      .kind = NameChoice::Kind::kChooseWeighted, .names = {"song 0", "song 1", "gone"}, .weights = {0.1, 0.4, 0.5}};
  const MixtureDataset mixtures(songs(), wanted);
  std::size_t first = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    const MixPlan plan = mixtures.plan(i);
    EXPECT_EQ(plan.events[0].source, "song 2");
    first += plan.events[1].source == "song 0";
  }
  EXPECT_NEAR(first, 100, 45);  // 0.1 / (0.1 + 0.4), five standard deviations
  wanted.stems[0].event.source = {.names = {"no such song"}};
  EXPECT_THROW(MixtureDataset(songs(), wanted), Error);
  EXPECT_THROW(MixtureDataset(songs(), recipe({"vocals", "kazoo"})), Error);
  wanted = recipe();
  wanted.stems[0].event.source = {.names = {"song 1"}};
  wanted.stems[1].event.source = {.names = {"song 2"}};
  EXPECT_THROW(MixtureDataset(songs(), wanted), Error);  // coherent, and no song has both
}

TEST(MixWrite, StoredStemsAddUpAndCanBeMadeAlone) {
  const MixtureDataset mixtures(songs({.channels = 2}), [] {
    MixRecipe r = recipe();
    r.channels = 2;
    r.text = "x";
    return r;
  }());
  ThreadPool pool(2);
  RunContext run{pool};
  const TemporaryFolder folder;
  for (const auto format : {io::SampleFormat::kPcm16, io::SampleFormat::kPcm24, io::SampleFormat::kFloat32}) {
    const std::string name = std::string(io::to_string(format));
    write_mixtures(mixtures, folder / name, {.items = {0, 1, 2}, .format = format}, run);
    write_mixtures(mixtures, folder / (name + "-alone"), {.items = {2}, .format = format}, run);
    AudioBuffer sum(2, 8000);
    for (const char* stem : {"vocals", "drums"}) {
      const AudioBuffer stored = io::read_audio(folder / name / "000002" / (std::string(stem) + ".wav")).samples;
      EXPECT_TRUE(same(stored, io::read_audio(folder / (name + "-alone") / "000002" / (std::string(stem) + ".wav")).samples));
      add_scaled(stored, 1, sum);
    }
    EXPECT_TRUE(same(sum, io::read_audio(folder / name / "000002/mixture.wav").samples)) << name;
  }
  std::ifstream stream(folder / "float32/000001/mixture.jams");
  const auto jams = nlohmann::json::parse(stream);
  const auto& annotation = jams["annotations"][0];
  const MixPlan plan = mixtures.plan(1);
  EXPECT_EQ(annotation["namespace"], "scaper");
  EXPECT_EQ(annotation["data"].size(), 2u);
  EXPECT_EQ(annotation["data"][1]["value"]["label"], "drums");
  EXPECT_DOUBLE_EQ(annotation["data"][1]["value"]["snr"], *plan.events[1].snr_db);
  EXPECT_DOUBLE_EQ(annotation["data"][0]["value"]["source_time"], plan.events[0].source_time_s);
  EXPECT_EQ(annotation["sandbox"]["scaper"]["coherent"], plan.coherent);
}

// Peaks of 1 do not fit integers; rounding must not push the sum over the edge, nor may a stem that others cancel clip.
TEST(MixWrite, NothingClipsInIntegers) {
  ThreadPool pool(2);
  RunContext run{pool};
  const TemporaryFolder folder;
  MixRecipe wanted = recipe();
  wanted.text = "x";
  for (MixStemSpec& stem : wanted.stems) stem.event.snr_db = Distribution::uniform(15, 25);
  const MixtureDataset loud(songs(), wanted);
  for (const auto format : {io::SampleFormat::kPcm16, io::SampleFormat::kPcm24}) {
    const fs::path out = folder / std::string(io::to_string(format));
    write_mixtures(loud, out, {.items = {0, 1, 2, 3}, .format = format}, run);
    for (const std::string item : {"000000", "000001", "000002", "000003"}) {
      SCOPED_TRACE(out / item);
      std::vector<double> sum(8000);
      for (const char* stem : {"vocals.wav", "drums.wav"}) {
        const AudioBuffer stored = io::read_audio(out / item / stem).samples;
        for (std::size_t n = 0; n < sum.size(); ++n) sum[n] += static_cast<double>(stored.channel(0)[n]);
      }
      const AudioBuffer mixture = io::read_audio(out / item / "mixture.wav").samples;
      EXPECT_TRUE(std::ranges::equal(sum, mixture.channel(0), {}, {}, [](float x) { return static_cast<double>(x); }));
      const Mixture made = loud.make(std::stoul(item));
      const float largest = std::max({peak(made.audio), peak(made.stems[0].audio), peak(made.stems[1].audio)});
      std::ifstream stream(out / item / "mixture.jams");
      const double scale = nlohmann::json::parse(stream)["annotations"][0]["sandbox"]["scaper"]["scale_factor"];
      EXPECT_NEAR(scale, made.scale / static_cast<double>(largest), 1e-4 * scale) << "by no more than it takes: two steps of 2^-15";
    }
  }

  wanted.fix_clipping = false;
  const MixtureDataset clipping(songs(), wanted);
  EXPECT_THROW(write_mixtures(clipping, folder / "refused", {.items = {0}, .format = io::SampleFormat::kPcm16}, run), Error);
  EXPECT_NO_THROW(write_mixtures(clipping, folder / "floats", {.items = {0}}, run));

  // A full 16-bit recording fits as it is.
  AudioBuffer full = constant(32767.0f / 32768, 1);
  full.channel(0)[5] = -1;
  MixRecipe plain{.sources = {.path = "memory"}, .stems = {{.name = "vocals"}}, .count = 1, .duration_s = 1, .sample_rate = kRate};
  plain.fade_s = 0;
  plain.fix_clipping = false;
  write_mixtures(MixtureDataset(one_source(full), plain), folder / "full", {.format = io::SampleFormat::kPcm16}, run);
  EXPECT_TRUE(same(io::read_audio(folder / "full/000000/mixture.wav").samples, full));
}

TEST(MixWrite, NamesThatAreNotUtf8DoNotStopIt) {
  ThreadPool pool(1);
  RunContext run{pool};
  const TemporaryFolder folder;
  MixRecipe wanted = recipe();
  wanted.text = "# caf\xe9";
  const MixtureDataset mixtures(songs(), wanted);
  write_mixtures(mixtures, folder / "out", {.items = {0}}, run);
  EXPECT_NO_THROW(write_mixtures(mixtures, folder / "out", {.items = {0, 1}}, run)) << "the same recipe";
}

TEST(MixWrite, GoesOnWhereItStoppedAndRefusesAnotherRecipe) {
  MixRecipe wanted = recipe();
  const MixtureDataset mixtures(songs(), wanted);
  ThreadPool pool(1);
  RunContext run{pool};
  const TemporaryFolder folder;
  write_mixtures(mixtures, folder / "out", {.items = {0, 1}}, run);
  const auto stamp = fs::last_write_time(folder / "out/000000/mixture.wav");
  fs::remove(folder / "out/000001/mixture.jams");  // as if interrupted here
  std::ofstream(folder / "out/000001/mixture.wav") << "half";
  write_mixtures(mixtures, folder / "out", {.items = {0, 1}}, run);
  EXPECT_EQ(fs::last_write_time(folder / "out/000000/mixture.wav"), stamp);
  EXPECT_EQ(io::read_audio(folder / "out/000001/mixture.wav").samples.frames(), 8000u);
  wanted.seed = 2;
  EXPECT_THROW(write_mixtures(MixtureDataset(songs(), wanted), folder / "out", {.items = {0}}, run), Error);
  EXPECT_THROW(write_mixtures(mixtures, folder / "out", {.items = {50}}, run), Error);
  EXPECT_NO_THROW(write_mixtures(MixtureDataset(songs(), wanted), folder / "out", {.items = {0}, .overwrite = true}, run));
}

// ---- Recipes
// --------------------------------------------------------------------------------------------------

TEST(MixRecipe, ReadsTheSeedsTemplate) {
  const MixRecipe read = parse_mix_recipe(R"(
sources: {path: musdb, split: train, submix: four_stems}
stems: [vocals, drums, bass, other]
seed: 7
event:
  source_file: [choose, []]
  source_time: [uniform, 0, 7]
  event_time: [const, 0]
  event_duration: [const, 5]
  snr: [uniform, -5, 5]
  pitch_shift: [truncnorm, 0, 1, -2, 2]
  time_stretch: [choose_weighted, [0.9, 1.1], [0.25, 0.75]]
)",
                                          "r.yaml", "/data");
  EXPECT_EQ(read.sources.path, "/data/musdb");
  EXPECT_EQ(read.sources.split, "train");
  EXPECT_EQ(read.seed, 7u);
  ASSERT_EQ(read.stems.size(), 4u);
  EXPECT_EQ(read.stems[3].name, "other");
  EXPECT_EQ(read.stems[1].event.snr_db->lowest(), -5);
  EXPECT_EQ(read.stems[1].event.pitch_shift->kind(), Distribution::Kind::kTruncatedNormal);
  EXPECT_EQ(read.duration_s, 5);  // the defaults are the seed's
  EXPECT_EQ(read.ref_db, -20);
  EXPECT_EQ(read.fade_s, 0.01);
  EXPECT_EQ(read.channels, 1u);
}

TEST(MixRecipe, StemsOverrideTheCommonEvent) {
  const MixRecipe read = parse_mix_recipe(R"(
sources: x
event: {snr: 0, effects: [invert]}
stems:
  Bass: {snr: [uniform, 1, 2], effects: [{gain: {gain_db: -3, probability: 0.5}}, reverb]}
  Drums: {snr: null}
  Piano:
)",
                                          "r.yaml");
  EXPECT_EQ(read.stems[0].event.snr_db->highest(), 2);
  ASSERT_EQ(read.stems[0].event.effects.size(), 2u);
  EXPECT_EQ(read.stems[0].event.effects[0].probability, 0.5);
  EXPECT_FALSE(read.stems[1].event.snr_db);
  EXPECT_EQ(read.stems[2].event.effects[0].kind, "invert");
}

TEST(MixRecipe, MistakesNameTheirLine) {
  const auto refuses = [](const std::string& yaml, const std::string& message) {
    try {
      parse_mix_recipe(yaml, "r.yaml");
      ADD_FAILURE() << "accepted: " << yaml;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
      EXPECT_EQ(error.context(), "r.yaml");
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  };
  const std::string start = "sources: x\nstems: [vocals]\n";
  refuses("", "a recipe is a mapping");
  refuses("- a\n", "a recipe is a mapping");
  refuses("stems: [a]\n", "needs 'sources'");
  refuses("sources: x\n", "needs 'stems'");
  refuses("sources: x\nstems: []\n", "names no stem");
  refuses("sources: x\nstems: [a, a]\n", "named twice");
  refuses("sources: x\nstems: [a/b]\n", "file name");
  refuses(start + "sead: 1\n", "line 3: a recipe has no 'sead'");
  refuses(start + "seed: 1\nseed: 2\n", "line 4: 'seed' stands twice");
  refuses(start + "seed: -1\n", "line 3: must be a whole number");
  refuses(start + "coherent: 2\n", "coherent: must lie between 0 and 1");
  refuses(start + "duration_s: .nan\n", "line 3: must be a finite number");
  refuses(start + "event:\n  snr: [uniform, 5, -5]\n", "line 4: uniform: takes a lower and an upper bound");
  refuses(start + "event:\n  snr: [unifrom, 5, 6]\n", "line 4: no distribution is called 'unifrom'");
  refuses(start + "event:\n  snr: loud\n", "line 4: must be a number");
  refuses(start + "event:\n  snrs: 1\n", "line 4: an event has no 'snrs'");
  refuses(start + "event:\n  pitch_shift: 100\n", "pitch_shift: must lie between");
  refuses(start + "event:\n  source_file: [uniform, 1, 2]\n", "line 4: must be a name");
  refuses(start + "event:\n  source_file: [choose_weighted, [a, b], [1]]\n", "as many weights");
  refuses(start + "event:\n  effects: [echo]\n", "line 4: no effect is called 'echo'");
  refuses(start + "event:\n  effects:\n    - eq: {gian_db: 3}\n", "line 5: eq: has no parameter 'gian_db'");
  refuses(start + "event:\n  effects: reverb\n", "line 4: effects are a list");
  refuses(start + "sources: [1\n", "is no YAML");
  try {
    read_mix_recipe("/nowhere.yaml");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

TEST(Mix, StemsFallSilentAsOftenAsTheRecipeSays) {
  MixRecipe with_silence = recipe();
  with_silence.stems[0].event.silence = 0.3;
  with_silence.coherent = 0.5;
  const MixtureDataset mixtures(songs(), with_silence);
  int silent = 0;
  constexpr int kItems = 1000;
  for (int i = 0; i < kItems; ++i) {
    const MixPlan plan = mixtures.plan(i);
    silent += plan.events[0].silent;
    EXPECT_FALSE(plan.events[1].silent);
  }
  EXPECT_NEAR(silent, 300, 60);  // four standard deviations of a binomial: 58
  for (int i = 0; i < 20; ++i) {
    const Mixture mixture = mixtures.make(i);
    const auto peak = std::ranges::max(mixture.stems.at("vocals").samples());
    EXPECT_EQ(peak == 0, mixture.plan.events[0].silent) << i;
  }
  MixRecipe wrong = recipe();
  wrong.stems[0].event.silence = 1.5;
  EXPECT_THROW(wrong.validate(), Error);
}

TEST(Mix, OneStemPlaysAloneAsOftenAsTheRecipeSays) {
  MixRecipe with_solos = recipe();
  with_solos.solo = 0.25;
  const MixtureDataset mixtures(songs(), with_solos), without(songs(), recipe());
  int alone = 0, first = 0;
  for (int i = 0; i < 1000; ++i) {
    const MixPlan plan = mixtures.plan(i);
    const auto sounding = [](const MixEvent& event) { return !event.silent; };
    const auto count = std::ranges::count_if(plan.events, sounding);
    ASSERT_TRUE(count == 1 || count == static_cast<int>(plan.events.size())) << i;
    EXPECT_EQ(plan.coherent, without.plan(i).coherent);  // nothing else is drawn otherwise
    const std::size_t which = static_cast<std::size_t>(std::ranges::find_if(plan.events, sounding) - plan.events.begin());
    EXPECT_EQ(plan.events[which].source_time_s, without.plan(i).events[which].source_time_s);
    if (count > 1) continue;
    ++alone;
    first += which == 0;
  }
  EXPECT_NEAR(alone, 250, 55);                                                 // four standard deviations of a binomial, as below
  EXPECT_NEAR(first, alone / static_cast<double>(recipe().stems.size()), 35);  // four of them, at most 32 for 250 draws
  with_solos.stems[0].event.silence = 1;                                       // what is silent cannot be the one that is left
  with_solos.solo = 1;
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(MixtureDataset(songs(), with_solos).plan(i).events[0].silent);
  with_solos.solo = 1.5;
  EXPECT_THROW(with_solos.validate(), Error);
}

TEST(Mix, SongsThatLackAStemAreLeftOutSilentOrFilled) {
  std::vector<Track> tracks;
  for (const bool has_bass : {true, false}) {
    Track track{.name = has_bass ? "whole" : "partial", .sample_rate = kRate, .mixture = nullptr, .stems = {}};
    for (const char* stem : {"bass", "drums", "vocals"})
      if (has_bass || std::string(stem) != "bass") Songs::add(track, stem, constant(0.1f, 4), kRate);
    tracks.push_back(std::move(track));
  }
  Track pool{.name = "pool", .sample_rate = kRate, .mixture = nullptr, .stems = {}};
  Songs::add(pool, "bass", constant(0.1f, 4), kRate);
  tracks.push_back(std::move(pool));
  MixRecipe both = recipe({"bass", "drums", "vocals"});
  both.coherent = 1;
  const auto sources = std::make_shared<Songs>(tracks);
  const auto seen = [&](const MixRecipe& of) {
    const MixtureDataset mixtures(sources, of);
    std::set<std::string> names;
    for (int i = 0; i < 40; ++i) {
      const MixPlan plan = mixtures.plan(i);
      names.insert(plan.events[1].source);
      EXPECT_EQ(plan.events[0].silent, plan.events[1].source == "partial");
      EXPECT_EQ(plan.events[1].source_time_s, plan.events[2].source_time_s);
    }
    return names;
  };
  EXPECT_EQ(seen(both), std::set<std::string>{"whole"});
  both.partial_songs = PartialSongs::kSilent;
  EXPECT_EQ(seen(both), (std::set<std::string>{"partial", "whole"}));
  both.coherent_source = {.names = {"part*"}};
  EXPECT_EQ(seen(both), std::set<std::string>{"partial"});
  both.coherent_source = {.names = {"nobody"}};
  EXPECT_THROW(MixtureDataset(sources, both), Error);

  both.partial_songs = PartialSongs::kFilled;
  both.coherent_source = {.names = {"partial"}};
  const MixtureDataset filled(sources, both);
  std::set<std::string> fillers;
  for (int i = 0; i < 40; ++i) {
    const MixPlan plan = filled.plan(i);
    EXPECT_FALSE(plan.events[0].silent);
    fillers.insert(plan.events[0].source);
    EXPECT_EQ(plan.events[1].source, "partial");
    EXPECT_EQ(plan.events[2].source, "partial");
    EXPECT_EQ(plan.events[1].source_time_s, plan.events[2].source_time_s);  // the filler leads nobody
  }
  EXPECT_EQ(fillers, (std::set<std::string>{"pool", "whole"}));
}

TEST(Mix, WhatFitsAPatternSharesItsWeight) {
  MixRecipe weighted = recipe({"vocals"});
  weighted.coherent = 0;
  weighted.stems[0].event.source = {.kind = NameChoice::Kind::kChooseWeighted, .names = {"song 0", "song *"}, .weights = {0.5, 0.5}};
  const MixtureDataset mixtures(songs(), weighted);
  std::map<std::string, int> count;
  for (int i = 0; i < 2000; ++i) ++count[mixtures.plan(i).events[0].source];
  EXPECT_NEAR(count["song 0"], 1000, 90);  // four standard deviations: 89
  for (const char* name : {"song 1", "song 2", "song 3", "song 4"}) EXPECT_NEAR(count[name], 250, 60) << name;
}

}  // namespace
}  // namespace unbraid::data
