#include "unbraid/data/dataset.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>

#include "support/fixtures.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/slakh.hpp"
#include "unbraid/data/summary.hpp"
#include "unbraid/data/verify.hpp"
#include "unbraid/io/stem_writer.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::data {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

void write_audio(const fs::path& path, const AudioBuffer& audio, double rate = 8000) {
  fs::create_directories(path.parent_path());
  const io::Container container = io::container_for(path);
  const auto format = container == io::Container::kFlac ? io::SampleFormat::kPcm16 : io::SampleFormat::kFloat32;
  auto writer = io::create_writer(
      path, {.container = container, .format = format, .sample_rate = rate, .channels = audio.channels(), .overwrite = true});
  writer->write(audio);
  writer->finish();
}

/// Two stems and their sum.
struct Pair {
  AudioBuffer a = testing::noise(1, 800, 1, 0.25), b = testing::noise(1, 800, 2, 0.25), mix{1, 800};
  Pair() {
    add_scaled(a, 1, mix);
    add_scaled(b, 1, mix);
  }
};

std::vector<std::string> names(const Dataset& dataset) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < dataset.size(); ++i) out.push_back(dataset.split(i) + "/" + dataset.track_name(i));
  return out;
}

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kInternal;
}

TEST(OpenDataset, Dsd100) {
  const TemporaryFolder folder;
  const Pair pair;
  for (const char* split : {"Dev", "Test"}) {
    const std::string song = std::string(split) == "Dev" ? "051 - Band - Song" : "001 - Björk - Jóga";
    write_audio(folder / "Mixtures" / split / song / "mixture.wav", pair.mix);
    write_audio(folder / "Sources" / split / song / "bass.wav", pair.a);
    write_audio(folder / "Sources" / split / song / "vocals.wav", pair.b);
  }
  const DatasetPtr dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset->format(), "dsd100");
  EXPECT_EQ(names(*dataset), (std::vector<std::string>{"Dev/051 - Band - Song", "Test/001 - Björk - Jóga"}));
  const Track track = dataset->track(1);
  EXPECT_EQ(track.stem_names(), (std::vector<std::string>{"bass", "vocals"}));
  EXPECT_EQ(track.sample_rate, 8000);
  EXPECT_EQ(testing::largest_difference(track.stem("vocals").audio->read(), pair.b), 0);
}

TEST(OpenDataset, MusdbHqTrackFoldersAndSplits) {
  const TemporaryFolder folder;
  const Pair pair;
  for (const char* stem : {"mixture", "drums", "bass", "other", "vocals"}) {
    write_audio(folder / "hq" / "train" / "A - B" / (std::string(stem) + ".wav"), pair.a);
    write_audio(folder / "hq" / "test" / "C - D" / (std::string(stem) + ".wav"), pair.a);
  }
  const DatasetPtr hq = open_dataset(folder / "hq");
  EXPECT_EQ(hq->format(), "musdb18hq");
  EXPECT_EQ(names(*hq), (std::vector<std::string>{"test/C - D", "train/A - B"}));

  write_audio(folder / "any" / "song 1" / "lead synth.wav", pair.a);
  write_audio(folder / "any" / "song 1" / "鼓.flac", pair.b);
  write_audio(folder / "any" / "song 1" / "._鼓.flac", pair.b);
  const DatasetPtr any = open_dataset(folder / "any");
  EXPECT_EQ(any->format(), "track_folders");
  const Track track = any->track(0);
  EXPECT_EQ(track.stem_names(), (std::vector<std::string>{"lead synth", "鼓"}));
  EXPECT_FALSE(track.has_mixture_file);
  EXPECT_LT(testing::largest_difference(track.mixture->read(), pair.mix),
            1e-4);  // flac holds 24 bits at most, 16 here
  const DatasetPtr single = open_dataset(folder / "any" / "song 1");
  EXPECT_EQ(names(*single), (std::vector<std::string>{"/song 1"}));

  // What `separate --stems vocals` leaves is a track, too; a mixture alone is not.
  write_audio(folder / "one" / "vocals.wav", pair.a);
  EXPECT_EQ(open_dataset(folder / "one")->track(0).stem_names(), std::vector<std::string>{"vocals"});
  write_audio(folder / "none" / "mixture.wav", pair.a);
  EXPECT_EQ(code_of([&] { open_dataset(folder / "none"); }), ErrorCode::kFormat);
}

TEST(OpenDataset, MusdbKeepsFourteenSongsForValidation) {
  const TemporaryFolder folder;
  const Pair pair;
  for (const char* stem : {"mixture", "drums", "bass", "other", "vocals"})
    for (const char* song : {"train/A - B", "train/Actions - One Minute Smile", "test/Young Griffo - Pennies"})
      write_audio(folder / song / (std::string(stem) + ".wav"), pair.a);
  EXPECT_EQ(names(*open_dataset(folder.path())),
            (std::vector<std::string>{"test/Young Griffo - Pennies", "train/A - B", "validation/Actions - One Minute Smile"}));
}

TEST(OpenDataset, FoldersBesideSplitsAreNotLost) {
  const TemporaryFolder folder;
  const Pair pair;
  const auto write_song = [&](const std::string& song) {
    for (const char* stem : {"drums.wav", "vocals.wav"}) write_audio(folder / song / stem, pair.a);
  };
  for (const char* song : {"splits/train/a", "splits/val/b", "splits/fold 3/c", "splits/test/d", "splits/single"}) write_song(song);
  fs::create_directories(folder / "splits" / "notes");
  EXPECT_EQ(names(*open_dataset(folder / "splits")), (std::vector<std::string>{"/single", "fold 3/c", "test/d", "train/a", "val/b"}));

  // "val" alone makes it a set of splits.
  for (const char* song : {"two/val/a", "two/mine/b"}) write_song(song);
  EXPECT_EQ(names(*open_dataset(folder / "two")), (std::vector<std::string>{"mine/b", "val/a"}));

  // A song may be called as a split is.
  for (const char* song : {"songs/alpha", "songs/beta", "songs/Test"}) write_song(song);
  EXPECT_EQ(names(*open_dataset(folder / "songs")), (std::vector<std::string>{"/Test", "/alpha", "/beta"}));

  for (const char* stem : {"mixture", "drums", "bass", "other", "vocals"})
    write_audio(folder / "mixed" / "test" / "e" / (std::string(stem) + ".wav"), pair.a);
  write_song("mixed/estimates/e");
  try {
    open_dataset(folder / "mixed");
    FAIL() << "two layouts";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_NE(std::string(error.what()).find("estimates holds track_folders, test musdb18hq"), std::string::npos) << error.what();
  }
}

TEST(OpenDataset, FingerprintsTellAudioApart) {
  const TemporaryFolder folder;
  const Pair pair;
  write_audio(folder / "song" / "a.wav", pair.a);
  write_audio(folder / "song" / "b.wav", pair.b);
  const auto fingerprint = [&] { return open_dataset(folder / "song")->track(0).fingerprint(); };
  const std::string before = fingerprint();
  EXPECT_EQ(before.size(), 16u);
  EXPECT_EQ(fingerprint(), before);
  const auto written = fs::last_write_time(folder / "song" / "b.wav");
  fs::last_write_time(folder / "song" / "b.wav", written + std::chrono::seconds(1));
  EXPECT_NE(fingerprint(), before) << "as long, but written later";
  fs::last_write_time(folder / "song" / "b.wav", written);
  EXPECT_EQ(fingerprint(), before);
  fs::rename(folder / "song" / "b.wav", folder / "song" / "c.wav");
  EXPECT_NE(fingerprint(), before);

  // In memory the samples count, and so do rate and cut.
  const auto of = [](const SourcePtr& source) { return source->fingerprint(); };
  const SourcePtr source = memory_source(pair.a, 8000);
  EXPECT_EQ(of(source), of(memory_source(pair.a, 8000)));
  EXPECT_NE(of(source), of(memory_source(pair.b, 8000)));
  EXPECT_NE(of(source), of(memory_source(pair.a, 16000)));
  EXPECT_NE(of(excerpt_source(source, 0, 10)), of(excerpt_source(source, 1, 10)));
  EXPECT_NE(of(sum_source({source})), of(sum_source({source, source})));
  EXPECT_NE(of(rounded_source(source, 16)), of(source));
}

TEST(OpenDataset, LabelFoldersWithAndWithoutCommonTitles) {
  const TemporaryFolder folder;
  const Pair pair;
  for (const char* title : {"x.wav", "y.wav"}) {
    write_audio(folder / "labels" / "mix" / title, pair.mix);
    write_audio(folder / "labels" / "speech" / title, pair.a);
    write_audio(folder / "labels" / "rain" / title, pair.b);
  }
  const DatasetPtr labels = open_dataset(folder / "labels");
  EXPECT_EQ(labels->format(), "mixture_sources");
  EXPECT_EQ(labels->size(), 2u);
  EXPECT_EQ(labels->track(0).stem_names(), (std::vector<std::string>{"rain", "speech"}));

  write_audio(folder / "scaper" / "foreground" / "vocals" / "song.wav", pair.a);
  write_audio(folder / "scaper" / "foreground" / "drums" / "song.wav", pair.b);
  const Track aligned = open_dataset(folder / "scaper")->track(0);
  EXPECT_EQ(aligned.stem_names(), (std::vector<std::string>{"drums", "vocals"}));

  write_audio(folder / "pools" / "vocals" / "1.wav", pair.a);
  write_audio(folder / "pools" / "drums" / "2.wav", pair.b);
  const DatasetPtr pools = open_dataset(folder / "pools");
  EXPECT_EQ(pools->format(), "stem_pools");
  EXPECT_EQ(names(*pools), (std::vector<std::string>{"/1", "/2"}));
  EXPECT_EQ(pools->track(1).stem_names(), (std::vector<std::string>{"drums"}));
}

// Folders laid out as the pages of the program MSST describe its dataset types (docs/datasets.md).
TEST(OpenDataset, TypesOneFourFiveOfMsst) {
  const TemporaryFolder folder;
  const Pair pair;
  for (const char* song : {"Song 1", "Song 2"}) {  // stems as wav or flac; another stem may be missing
    write_audio(folder / song / "vocals.wav", pair.a);
    write_audio(folder / song / "other.flac", pair.b);
  }
  write_audio(folder / "Song 1" / "bass.wav", pair.a);
  const DatasetPtr dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset->format(), "track_folders");
  EXPECT_EQ(names(*dataset), (std::vector<std::string>{"/Song 1", "/Song 2"}));
  EXPECT_EQ(dataset->track(0).stem_names(), (std::vector<std::string>{"bass", "other", "vocals"}));
  const Track track = dataset->track(1);
  EXPECT_EQ(track.stem_names(), (std::vector<std::string>{"other", "vocals"}));
  EXPECT_FALSE(track.has_mixture_file);
  EXPECT_LT(testing::largest_difference(track.mixture->read(), pair.mix), 1e-4);
}

TEST(OpenDataset, TypesSixAndSevenOfMsstKeepTheirMixture) {
  const TemporaryFolder folder;
  const Pair pair;
  AudioBuffer mastered = pair.mix;
  for (float& x : mastered.channel(0)) x *= 0.5f;
  write_audio(folder / "Song 1" / "flute.wav", pair.a);
  write_audio(folder / "Song 1" / "violin.wav", pair.b);
  write_audio(folder / "Song 1" / "mixture.wav", mastered);
  write_audio(folder / "Song 2" / "flute.wav", pair.a);
  const DatasetPtr dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset->format(), "track_folders");
  const Track first = dataset->track(0), second = dataset->track(1);
  EXPECT_EQ(first.stem_names(), (std::vector<std::string>{"flute", "violin"}));
  EXPECT_EQ(testing::largest_difference(first.mixture->read(), mastered), 0);  // not the sum of the stems
  EXPECT_EQ(second.stem_names(), (std::vector<std::string>{"flute"}));
  EXPECT_FALSE(second.has_mixture_file);
}

TEST(OpenDataset, TypesTwoAndThreeOfMsst) {
  const TemporaryFolder folder;
  const Pair pair;
  write_audio(folder / "labels" / "flute" / "1.wav", pair.a);
  write_audio(folder / "labels" / "flute" / "2.flac", pair.a);
  write_audio(folder / "labels" / "violin" / "1.wav", pair.b);
  // Instruments that nobody told of look like songs, and equal titles like one track: the format must be named.
  EXPECT_EQ(open_dataset(folder / "labels")->format(), "track_folders");
  const DatasetPtr pools = open_dataset(folder / "labels", {.format = "stem_pools"});
  EXPECT_EQ(pools->format(), "stem_pools");
  EXPECT_EQ(names(*pools), (std::vector<std::string>{"/2", "/flute/1", "/violin/1"}));
  EXPECT_EQ(pools->track(0).stem_names(), (std::vector<std::string>{"flute"}));
  EXPECT_EQ(pools->track(2).stem_names(), (std::vector<std::string>{"violin"}));
  EXPECT_EQ(testing::largest_difference(pools->track(2).mixture->read(), pair.b), 0);

  write_text(folder / "files.csv",
             "instrum,path\nflute,labels/flute/1.wav\nviolin," + (folder / "labels" / "violin" / "1.wav").string() + "\n");
  const DatasetPtr listed = open_dataset(folder / "files.csv");
  EXPECT_EQ(listed->format(), "stem_pools");
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ(testing::largest_difference(listed->track(1).stem("violin").audio->read(), pair.b), 0);
}

TEST(OpenDataset, StemFilesAreReadDirectlyAndInStep) {
  const TemporaryFolder folder;
  const std::vector<std::string> streams{"mixture", "drums", "bass", "other", "vocals"};
  fs::create_directories(folder / "train");
  // Clicks at other places in every stem survive AAC well enough to tell where they are.
  constexpr std::size_t kFrames = 44100;
  std::vector<AudioBuffer> audio(5, AudioBuffer(2, kFrames));
  for (std::size_t s = 1; s < 5; ++s) {
    for (std::size_t c = 0; c < 2; ++c) {
      for (AudioBuffer* buffer : {&audio[0], &audio[s]}) buffer->channel(c)[8000 * s] = 0.9f;
    }
  }
  const auto writer = io::create_stem_writer(folder / "train" / "A - B.stem.mp4", streams,
                                             {.container = io::Container::kStemMp4, .sample_rate = 44100, .channels = 2});
  writer->write(std::vector<AudioView>(audio.begin(), audio.end()));
  writer->finish();

  const DatasetPtr dataset = open_dataset(folder.path());
  EXPECT_EQ(dataset->format(), "musdb18");
  ASSERT_EQ(names(*dataset), std::vector<std::string>{"train/A - B"});
  const Track track = dataset->track(0);
  EXPECT_EQ(track.stem_names(), (std::vector<std::string>{"drums", "bass", "other", "vocals"}));
  EXPECT_EQ(track.mixture->info().frames, kFrames);
  for (std::size_t s = 1; s < 5; ++s) {
    const AudioBuffer stem = track.stems[s - 1].audio->read();
    ASSERT_EQ(stem.frames(), kFrames);
    const auto samples = stem.channel(1);
    EXPECT_EQ(std::ranges::max_element(samples) - samples.begin(), 8000 * static_cast<std::ptrdiff_t>(s)) << streams[s];
    // An excerpt is the same samples as the whole.
    EXPECT_EQ(testing::largest_difference(track.stems[s - 1].audio->read(20'000, 5000), AudioBuffer(stem.view().slice(20'000, 5000))), 0);
  }

  // As stempeg read it: steps of 16 bits, and the last of the packets of 1024 frames whole.
  const DatasetPtr published = open_dataset(folder.path(), {.format = "musdb18_stempeg"});
  EXPECT_EQ(published->format(), "musdb18_stempeg");
  const AudioBuffer whole = published->track(0).stems[0].audio->read();
  EXPECT_GE(whole.frames(), kFrames);
  EXPECT_LT(whole.frames(), kFrames + 2048);
  for (const float sample : whole.samples()) ASSERT_EQ(sample * 32768, std::round(sample * 32768));
  EXPECT_LE(testing::largest_difference(AudioBuffer(whole.view().slice(0, kFrames)), track.stems[0].audio->read()), 0.5F / 32768);
}

TEST(OpenDataset, Manifests) {
  const TemporaryFolder folder;
  const Pair pair;
  write_audio(folder / "m.wav", pair.mix);
  write_audio(folder / "a, b.wav", pair.a);
  write_text(folder / "tracks.csv",
             "\xEF\xBB\xBFtrack,split,mixture,lead,pad\r\n\"One, two\",train,m.wav,\"a, "
             "b.wav\",\r\nThree,,,m.wav,gone.wav\r\n");
  const DatasetPtr tracks = open_dataset(folder / "tracks.csv");
  EXPECT_EQ(names(*tracks), (std::vector<std::string>{"train/One, two", "/Three"}));
  EXPECT_EQ(tracks->track(0).stem_names(), (std::vector<std::string>{"lead"}));
  const Track three = tracks->track(1);
  EXPECT_TRUE(three.missing.contains("pad"));
  EXPECT_EQ(three.warnings.size(), 1u);

  write_text(folder / "pool.csv", "instrum,path\nvocals,m.wav\n");
  EXPECT_EQ(open_dataset(folder / "pool.csv")->format(), "stem_pools");

  for (const char* bad : {"", "a,b\n1,2\n", "track,x\nonly\n", "track,x\n\"open,1\n", "track,x\n", "track,x\n,m.wav\n"}) {
    write_text(folder / "bad.csv", bad);
    EXPECT_EQ(code_of([&] { open_dataset(folder / "bad.csv"); }), ErrorCode::kFormat) << bad;
  }
}

TEST(OpenDataset, WhatIsNoDataset) {
  const TemporaryFolder folder;
  write_text(folder / "notes" / "readme.txt", "hello");
  EXPECT_EQ(code_of([&] { open_dataset(folder / "gone"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { open_dataset(folder / "notes"); }), ErrorCode::kFormat);
  EXPECT_EQ(code_of([&] { open_dataset(folder / "notes" / "readme.txt"); }), ErrorCode::kFormat);
  EXPECT_EQ(code_of([&] { open_dataset(folder / "notes", {.format = "slack"}); }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([&] { open_dataset(folder / "notes", {.format = "slakh"}); }), ErrorCode::kFormat);
}

class SlakhFolder : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  Pair pair;
  void write_track(const std::string& name, const std::string& metadata) {
    write_text(folder / name / "metadata.yaml", metadata);
    write_audio(folder / name / "mix.wav", pair.mix);
    write_audio(folder / name / "stems" / "S00.wav", pair.a);
    write_audio(folder / name / "stems" / "S01.flac", pair.b);
  }
  static constexpr const char* kGood =
      "UUID: u\nstems:\n  S00: {inst_class: Piano, program_num: 1}\n  S01: {inst_class: Drums, is_drum: "
      "true}\n";
};

TEST_F(SlakhFolder, MissingStemsAndFieldsAreSurvived) {
  write_track("Track00001",
              "stems:\n  S00: {integrated_loudness: -.inf}\n  S01: {plugin_name: None}\n  S10: "
              "{audio_rendered: true}\n");
  const DatasetPtr dataset = open_dataset(folder.path());
  const Track track = dataset->track(0);
  EXPECT_EQ(track.stem_names(), (std::vector<std::string>{"S00", "S01"}));
  EXPECT_EQ(track.missing.at("S10"), "no stems/S10.wav");
  ASSERT_EQ(track.warnings.size(), 1u);
  const SlakhTrack slakh(folder / "Track00001");
  EXPECT_EQ(slakh.stems()[0].integrated_loudness, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(slakh.stems()[1].plugin_name, "None");
  EXPECT_EQ(slakh.stems()[0].inst_class, std::nullopt);
  EXPECT_EQ(slakh.stems()[0].label(), "S00_None");
  EXPECT_FALSE(slakh.info().uuid.has_value());
  EXPECT_EQ(slakh.stem_paths("S01").audio.extension(), ".flac");
}

TEST_F(SlakhFolder, DamagedMetadataNamesTheLine) {
  for (const char* bad : {"stems: [", "just text", "stems: 3", "stems:\n  S00: 5\n", "UUID: x\nstems:\n  S00:\n    program_num: many\n"}) {
    write_text(folder / "T" / "metadata.yaml", bad);
    EXPECT_EQ(code_of([&] { SlakhTrack(folder / "T"); }), ErrorCode::kFormat) << bad;
  }
  try {
    SlakhTrack(folder / "T");
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("line 4: program_num"), std::string::npos) << error.what();
  }
  EXPECT_EQ(code_of([&] { SlakhTrack(folder / "nothing"); }), ErrorCode::kNotFound);
}

TEST_F(SlakhFolder, SplitFilesMoveAndOmit) {
  for (const char* name : {"Track00001", "Track00002", "Track00003"}) write_track(std::string("train/") + name, kGood);
  write_text(folder / "redux.json", R"({"Track00001": {"action": null}, "Track00002": {"action": "omit"},
      "Track00003": {"action": "move", "source_split": "train", "destination_split": "test"}})");
  EXPECT_EQ(names(*open_dataset(folder.path(), {.split_file = folder / "redux.json"})),
            (std::vector<std::string>{"train/Track00001", "test/Track00003"}));
  write_text(folder / "none.json", R"({"Track00001": {"action": "omit"}, "Track00002": {"action": "omit"},
      "Track00003": {"action": "omit"}})");
  EXPECT_EQ(code_of([&] { open_dataset(folder.path(), {.split_file = folder / "none.json"}); }), ErrorCode::kFormat);
  write_text(folder / "bad.json", R"({"Track00001": {"action": "move"}})");
  EXPECT_EQ(code_of([&] { open_dataset(folder.path(), {.split_file = folder / "bad.json"}); }), ErrorCode::kFormat);
  write_text(folder / "worse.json", "[");
  EXPECT_EQ(code_of([&] { open_dataset(folder.path(), {.split_file = folder / "worse.json"}); }), ErrorCode::kFormat);
}

TEST_F(SlakhFolder, VerifyFindsEveryKindOfDamage) {
  write_track("Track00001", kGood);
  write_track("Track00002", std::string(kGood) + "  S02: {}\n");  // listed, missing
  write_track("Track00003", kGood);
  write_audio(folder / "Track00003/stems/S00.wav", pair.a, 16000);  // wrong rate
  write_track("Track00004", kGood);
  write_audio(folder / "Track00004/stems/S00.wav", AudioBuffer(1, 0));  // empty
  write_track("Track00005", kGood);
  write_audio(folder / "Track00005/stems/S00.wav", AudioBuffer(pair.a.view().slice(0, 700)));  // short
  write_track("Track00006", kGood);
  AudioBuffer broken = pair.a;
  broken.channel(0)[5] = std::numeric_limits<float>::quiet_NaN();
  write_audio(folder / "Track00006/stems/S00.wav", broken);  // NaN
  write_track("Track00007", kGood);
  write_audio(folder / "Track00007/stems/S01.flac", AudioBuffer(2, 800));  // wrong channels
  write_track("Track00008", kGood);
  write_audio(folder / "Track00008/mix.wav", testing::noise(1, 800, 9, 0.5));  // another song's mix
  fs::create_directories(folder / "Track00009");                               // no metadata
  write_track("Track00010", kGood);
  write_text(folder / "Track00010/stems/S00.wav", "RIFF");  // not audio
  write_track("Track00011", kGood);
  write_audio(folder / "Track00011/stems/S01.flac", AudioBuffer(1, 800));  // silent: a note
  write_audio(folder / "Track00011/mix.wav", pair.a);
  write_text(folder / "Track00011/stems/._S00.wav", "mac");

  write_track("Track00012", kGood);
  write_audio(folder / "Track00012/mix.wav", AudioBuffer(1, 800));  // silent, its stems are not
  write_track("Track00013", kGood);
  write_audio(folder / "Track00013/stems/S00.wav", AudioBuffer(1, 800));  // silent, their mixture is not
  write_audio(folder / "Track00013/stems/S01.flac", AudioBuffer(1, 800));
  write_track("Track00014", kGood);
  for (const char* file : {"mix.wav", "stems/S00.wav", "stems/S01.flac"}) write_audio(folder / "Track00014" / file, AudioBuffer(1, 800));

  const DatasetPtr dataset = open_dataset(folder.path());
  ASSERT_EQ(dataset->size(), 14u);
  ThreadPool pool(3);
  RunContext run{pool};
  const std::vector<TrackCheck> checks = verify(*dataset, {}, run);
  EXPECT_TRUE(checks[0].ok());
  EXPECT_GT(checks[0].correlation, 1 - 1e-8);
  EXPECT_LT(checks[0].residual_db, -80);  // S01 is a 16-bit file
  const char* expected[] = {"S02 is listed", "16000 Hz",   "is empty",      "700 frames", "not finite",
                            "2 channels",    "do not sum", "metadata.yaml", "S00"};
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    SCOPED_TRACE(checks[i + 1].name);
    ASSERT_FALSE(checks[i + 1].ok());
    std::string all;
    for (const std::string& problem : checks[i + 1].problems) all += problem + "; ";
    EXPECT_NE(all.find(expected[i]), std::string::npos) << all;
  }
  EXPECT_TRUE(checks[10].ok()) << checks[10].problems.front();
  EXPECT_EQ(checks[10].notes, std::vector<std::string>{"S01 is silent"});
  EXPECT_EQ(checks[11].problems, std::vector<std::string>{"the mixture is silent, the sum of the stems is not"});
  EXPECT_EQ(checks[11].residual_db, std::numeric_limits<double>::infinity());
  EXPECT_EQ(checks[12].problems, std::vector<std::string>{"the sum of the stems is silent, the mixture is not"});
  EXPECT_TRUE(checks[13].ok()) << "all silent: notes";
  EXPECT_EQ(macos_files(folder.path()).size(), 1u);

  // A track that cannot be loaded has no count; missing stems are not counted.
  const std::vector<StemCount> counts = by_stem_count(*dataset, run);
  EXPECT_EQ(counts.size(), 13u);
  EXPECT_EQ(counts.front().stems, 2u);
}

}  // namespace
}  // namespace unbraid::data
