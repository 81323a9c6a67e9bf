#include "unbraid/data/synth.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/compose.hpp"
#include "unbraid/data/slakh.hpp"
#include "unbraid/data/verify.hpp"
#include "unbraid/dsp/loudness.hpp"
#include "unbraid/io/reader.hpp"

#define UNBRAID_NEEDS_SOUNDFONT()                         \
  if (!std::filesystem::exists(SynthOptions{}.soundfont)) \
  GTEST_SKIP() << "no SoundFont " << SynthOptions{}.soundfont << " (apt install fluid-soundfont-gm)"

namespace unbraid::data {
namespace {

namespace fs = std::filesystem;
using unbraid::testing::TemporaryFolder;

MidiEvent event(std::uint64_t tick, int status, int a, int b = 0) {
  return {.tick = tick, .status = static_cast<std::uint8_t>(status), .data = {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)}};
}

/// Two players and, when asked for, one whose volume is 0. A second of notes at 120 bpm.
MidiFile small_song(bool with_silent_part = false) {
  MidiFile song{
      .tracks = {{event(0, 0xC0, 0), event(0, 0x90, 60, 100), event(0, 0x90, 64, 100), event(960, 0x80, 60), event(960, 0x80, 64)},
                 {event(0, 0x99, 36, 110), event(480, 0x99, 38, 110), event(960, 0x89, 38)}}};
  if (with_silent_part) song.tracks.push_back({event(0, 0xC2, 40), event(0, 0xB2, 7, 0), event(0, 0x92, 70, 100), event(960, 0x82, 70)});
  return song;
}

double peak(const AudioBuffer& audio) {
  float value = 0;
  for (const float sample : audio.samples()) value = std::max(value, std::abs(sample));
  return value;
}

TEST(Synth, StemsAreNormalisedAndAddUpExactly) {
  UNBRAID_NEEDS_SOUNDFONT();
  ThreadPool pool(2);
  RunContext run{pool};
  for (const std::size_t channels : {1u, 2u})
    for (const auto format : {io::SampleFormat::kPcm16, io::SampleFormat::kPcm24}) {
      const SynthTrack track = synthesize(small_song(), {.sample_rate = 16000, .channels = channels, .format = format}, run);
      ASSERT_EQ(track.stems.size(), 2u);
      EXPECT_EQ(track.mix.frames(), 48000u);  // 1 s of notes and 2 s of tail
      EXPECT_EQ(track.mix.channels(), channels);
      AudioBuffer sum(channels, track.mix.frames());
      for (const SynthStem& stem : track.stems) {
        add_scaled(stem.audio, 1.0f, sum);
        // Back at the level it was rendered at (gates make loudness depend on it), the stem has the loudness
        // that was measured there. 16-bit rounding noise is some 70 dB below the stem.
        AudioBuffer rendered = stem.audio;
        const double gain = track.overall_gain * std::pow(10, (-13 - stem.loudness_lufs) / 20);
        for (float& sample : rendered.samples()) sample = static_cast<float>(sample / gain);
        EXPECT_NEAR(dsp::block_loudness_lufs(rendered, 16000), stem.loudness_lufs, 0.01);
      }
      for (std::size_t i = 0; i < sum.samples().size(); ++i) ASSERT_EQ(sum.samples()[i], track.mix.samples()[i]) << "sample " << i;
      const double step = std::ldexp(1.0, 1 - io::bits(format));
      EXPECT_LE(peak(track.mix), std::pow(10, -1.0 / 20) + 2 * 0.5 * step);
      ASSERT_LT(track.overall_gain, 1);
      EXPECT_NEAR(peak(track.mix), std::pow(10, -1.0 / 20), 2 * step);
    }
}

TEST(Synth, QuietMixesKeepTheirLevel) {
  UNBRAID_NEEDS_SOUNDFONT();
  ThreadPool pool(1);
  RunContext run{pool};
  const SynthTrack track = synthesize(small_song(), {.sample_rate = 16000, .stem_loudness_lufs = -40}, run);
  EXPECT_EQ(track.overall_gain, 1.0);
  EXPECT_LT(peak(track.mix), std::pow(10, -1.0 / 20));
}

TEST(Synth, SamplesDoNotDependOnThreads) {
  UNBRAID_NEEDS_SOUNDFONT();
  const MidiFile song = compose({.seed = 5, .length_s = 4});
  std::vector<SynthTrack> tracks;
  for (const std::size_t threads : {1u, 3u}) {
    ThreadPool pool(threads);
    RunContext run{pool};
    tracks.push_back(synthesize(song, {.sample_rate = 22050, .channels = 2}, run));
  }
  ASSERT_EQ(tracks[0].stems.size(), tracks[1].stems.size());
  for (std::size_t i = 0; i < tracks[0].stems.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(tracks[0].stems[i].audio.samples(), tracks[1].stems[i].audio.samples())) << i;
  EXPECT_TRUE(std::ranges::equal(tracks[0].mix.samples(), tracks[1].mix.samples()));
}

TEST(Synth, SilentPartsStayInTheMetadata) {
  UNBRAID_NEEDS_SOUNDFONT();
  ThreadPool pool(2);
  RunContext run{pool};
  const SynthTrack track = synthesize(small_song(true), {.sample_rate = 16000}, run);
  ASSERT_EQ(track.stems.size(), 3u);
  EXPECT_FALSE(track.stems[2].is_rendered());
  EXPECT_EQ(track.stems[2].loudness_lufs, -std::numeric_limits<double>::infinity());
  const TemporaryFolder folder;
  write_slakh_track(track, folder / "Track00001", {}, run);
  EXPECT_TRUE(fs::exists(folder / "Track00001/MIDI/S02.mid"));
  EXPECT_FALSE(fs::exists(folder / "Track00001/stems/S02.wav"));
  std::ifstream stream(folder / "Track00001/metadata.yaml");
  const std::string yaml{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_NE(yaml.find("audio_rendered: false\n    inst_class: Strings\n    integrated_loudness: -.inf"), std::string::npos) << yaml;
}

TEST(Synth, WritesWhatItMade) {
  UNBRAID_NEEDS_SOUNDFONT();
  ThreadPool pool(2);
  RunContext run{pool};
  const SynthTrack track = synthesize(small_song(), {.sample_rate = 16000, .channels = 2}, run);
  const TemporaryFolder folder;
  const fs::path target = folder / "Ünïcode trâck";
  write_slakh_track(track, target, {.container = io::Container::kFlac}, run);
  const io::Audio mix = io::read_audio(target / "mix.flac");
  EXPECT_EQ(mix.sample_rate, 16000);
  EXPECT_TRUE(std::ranges::equal(mix.samples.samples(), track.mix.samples()));
  const io::Audio stem = io::read_audio(target / "stems/S01.flac");
  EXPECT_TRUE(std::ranges::equal(stem.samples.samples(), track.stems[1].audio.samples()));
  // The stem's MIDI alone renders to the same part.
  const auto parts = split_by_instrument(read_midi(target / "MIDI/S01.mid"));
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].program, kDrumProgram);
  EXPECT_EQ(parts[0].notes, 2u);
  EXPECT_EQ(encode_midi(read_midi(target / "all_src.mid")), encode_midi(small_song()));
  try {
    write_slakh_track(track, target, {.container = io::Container::kFlac}, run);
    ADD_FAILURE() << "overwrote a track";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
  }
  EXPECT_NO_THROW(write_slakh_track(track, target, {.container = io::Container::kFlac, .overwrite = true}, run));
}

TEST(Synth, RefusesWhatItCannotPlay) {
  UNBRAID_NEEDS_SOUNDFONT();
  ThreadPool pool(1);
  RunContext run{pool};
  const auto code = [&](const MidiFile& song, const SynthOptions& options) {
    try {
      synthesize(song, options, run);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code({}, {}), ErrorCode::kUnsupported);
  MidiFile endless = small_song();
  endless.tracks[0].push_back(event(0x0FFFFFF0, 0x90, 60, 1));
  EXPECT_EQ(code(endless, {}), ErrorCode::kUnsupported);
  EXPECT_EQ(code(small_song(), {.soundfont = "/nowhere.sf2"}), ErrorCode::kNotFound);
  const TemporaryFolder folder;
  std::ofstream(folder / "text.sf2") << "this is no SoundFont";
  EXPECT_EQ(code(small_song(), {.soundfont = folder / "text.sf2"}), ErrorCode::kFormat);
  EXPECT_EQ(code(small_song(), {.sample_rate = 7999}), ErrorCode::kUsage);
  EXPECT_EQ(code(small_song(), {.channels = 3}), ErrorCode::kUsage);
  EXPECT_EQ(code(small_song(), {.format = io::SampleFormat::kPcm8}), ErrorCode::kUsage);
  EXPECT_EQ(code(small_song(), {.length_s = 0.1}), ErrorCode::kUsage);
}

TEST(Synth, LengthIsExact) {
  UNBRAID_NEEDS_SOUNDFONT();
  ThreadPool pool(2);
  RunContext run{pool};
  for (const double rate : {8000.0, 16000.0, 44100.0, 48000.0, 11025.0})
    EXPECT_EQ(synthesize(small_song(), {.sample_rate = rate, .length_s = 1.5}, run).mix.frames(),
              static_cast<std::size_t>(std::llround(1.5 * rate)));
}

TEST(SynthDataset, ComposedPiecesAreAValidSlakhDataset) {
  UNBRAID_NEEDS_SOUNDFONT();
  const TemporaryFolder folder;
  ThreadPool pool(2);
  RunContext run{pool};
  const auto report = synthesize_dataset(composed_pieces(3, 1), folder / "slakh", {.sample_rate = 16000, .length_s = 4}, {},
                                         {.train = 1, .validation = 1, .test = 1}, run);
  ASSERT_EQ(report.made.size(), 3u);
  const DatasetPtr dataset = open_dataset(folder / "slakh");
  EXPECT_EQ(dataset->format(), "slakh");
  ASSERT_EQ(dataset->size(), 3u);
  for (const TrackCheck& check : verify(*dataset, {}, run)) {
    EXPECT_TRUE(check.ok()) << check.name << ": " << (check.problems.empty() ? "" : check.problems[0]);
    EXPECT_EQ(check.residual_db, -std::numeric_limits<double>::infinity());
    EXPECT_NEAR(check.correlation, 1, 1e-12);
  }
  std::set<std::string> splits;
  for (const auto& made : report.made) {
    const SlakhTrack track(folder / "slakh" / made.track);
    splits.insert(fs::path(made.track).parent_path());
    EXPECT_EQ(track.info().uuid->size(), 32u);
    EXPECT_EQ(track.info().normalized, true);
    EXPECT_EQ(track.info().normalization_factor, -13.0);
    EXPECT_EQ(track.info().target_peak, -1.0);
    EXPECT_EQ(track.info().overall_gain, made.overall_gain);
    EXPECT_EQ(track.info().lmd_midi_dir, made.source);
    EXPECT_EQ(track.drum_stems().size(), 1u);
    for (const SlakhStem& stem : track.stems()) {
      EXPECT_TRUE(stem.midi_saved);
      EXPECT_EQ(stem.midi_program_name, program_name(*stem.program_num));
      EXPECT_EQ(stem.inst_class, instrument_class(*stem.program_num));
      EXPECT_EQ(stem.plugin_name, "FluidR3_GM.sf2");
    }
  }
  EXPECT_EQ(splits, (std::set<std::string>{"test", "train", "validation"}));
}

TEST(SynthDataset, NumbersAndSplitsDoNotDependOnWhatIsSkipped) {
  UNBRAID_NEEDS_SOUNDFONT();
  const TemporaryFolder folder;
  fs::create_directories(folder / "midi/sub");
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder / "midi" / name, std::ios::binary) << bytes;
  };
  const std::string good = encode_midi(small_song());
  write("a.mid", good);
  write("b.mid", good.substr(0, good.size() - 20));
  write("c.MIDI", encode_midi({.tracks = {{}}}));
  write("sub/d.mid", good);
  write("._a.mid", "resource fork");
  write("notes.txt", "not music");
  const auto pieces = find_midi({folder / "midi"});
  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces[3].source, "sub/d.mid");
  ThreadPool pool(2);
  RunContext run{pool};
  const auto report = synthesize_dataset(pieces, folder / "out", {.sample_rate = 8000, .length_s = 0.5}, {},
                                         {.train = 0.5, .validation = 0.25, .test = 0.25, .seed = 3}, run);
  ASSERT_EQ(report.made.size(), 2u);
  ASSERT_EQ(report.skipped.size(), 2u);
  EXPECT_TRUE(report.made[1].track.ends_with("/Track00004")) << report.made[1].track;
  EXPECT_NE(report.skipped[0].reason.find("cut short"), std::string::npos) << report.skipped[0].reason;
  EXPECT_NE(report.skipped[1].reason.find("plays no note"), std::string::npos) << report.skipped[1].reason;
  for (const auto& made : report.made) EXPECT_TRUE(fs::exists(folder / "out" / made.track / "metadata.yaml"));
  EXPECT_THROW(find_midi({folder / "nowhere"}), Error);
  EXPECT_THROW(find_midi({folder / "out" / "nothing"}), Error);
}

}  // namespace
}  // namespace unbraid::data
