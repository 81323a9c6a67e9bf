// Stem files: five streams in, the same five out, in order and with their names.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "signals.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/io/stem_writer.hpp"

namespace unbraid::io {
namespace {

using testing::TemporaryFolder;

const std::vector<std::string> kNames{"mixture", "drums", "bass", "other", "Gesang ü"};

/// Five tones, told apart by their frequency.
AudioBuffer tone(int stream, std::size_t frames) {
  AudioBuffer audio(2, frames);
  for (std::size_t f = 0; f < frames; ++f)
    for (std::size_t c = 0; c < 2; ++c)
      audio.channel(c)[f] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * 100.0 * (stream + 1) * f / 44100.0));
  return audio;
}

WriterOptions stem_options() { return {.container = Container::kStemMp4, .sample_rate = 44100, .channels = 2}; }

TEST(StemFile, KeepsStreamsNamesAndLength) {
  const TemporaryFolder folder;
  const auto path = folder / "song.stem.mp4";
  const std::size_t frames = 50001;
  std::vector<AudioBuffer> streams;
  for (int s = 0; s < 5; ++s) streams.push_back(tone(s, frames));
  WriterOptions options = stem_options();
  options.tags.fields = {{"title", "Song"}, {"artist", "Ärzte"}};
  options.tags.pictures.push_back({"image/png", {1, 2, 3, 4, 5}});
  const auto writer = create_stem_writer(path, kNames, options);
  for (std::size_t first = 0; first < frames; first += 7000) {
    std::vector<AudioView> blocks;
    for (const AudioBuffer& stream : streams) blocks.push_back(stream.view().slice(first, std::min<std::size_t>(7000, frames - first)));
    writer->write(blocks);
  }
  EXPECT_EQ(writer->finish().frames, frames);

  const AudioInfo info = probe(path);
  EXPECT_EQ(info.container, Container::kStemMp4);
  EXPECT_EQ(info.streams, 5u);
  EXPECT_EQ(info.stream_names, kNames);
  EXPECT_EQ(info.frames, frames);
  EXPECT_EQ(info.tags.fields.at("title"), "Song");
  EXPECT_EQ(info.tags.fields.at("artist"), "Ärzte");
  ASSERT_EQ(info.tags.pictures.size(), 1u);
  EXPECT_EQ(info.tags.pictures[0].bytes, (std::vector<std::uint8_t>{1, 2, 3, 4, 5}));
  for (std::size_t s = 0; s < 5; ++s) {
    const Audio back = read_audio(path, {.stream = s});
    ASSERT_EQ(back.samples.frames(), frames);
    // AAC at 256 kbit/s keeps a tone to well within 1 %; another stream's tone would differ by its whole
    // amplitude.
    EXPECT_LT(max_difference(back.samples.view().slice(2000, 40000), streams[s].view().slice(2000, 40000)), 0.02f) << s;
  }
  EXPECT_THROW(open_reader(path, {.stream = 5}), Error);
}

TEST(StemFile, HasTheBoxOfTheFormat) {
  const TemporaryFolder folder;
  const auto path = folder / "song.stem.mp4";
  const AudioBuffer silence(2, 1000);
  const std::vector<AudioView> blocks(5, silence);
  const auto writer = create_stem_writer(path, kNames, stem_options());
  writer->write(blocks);
  writer->finish();
  const std::string bytes = file_bytes(path);
  const std::size_t box = bytes.find("stem{");
  ASSERT_NE(box, std::string::npos);
  const nlohmann::json content = nlohmann::json::parse(bytes.substr(box + 4));
  EXPECT_EQ(content["stems"].size(), 4u);
  EXPECT_EQ(content["stems"][3]["name"], "Gesang ü");
  EXPECT_TRUE(content["mastering_dsp"].contains("compressor"));

  // The box's names go before those of the tracks.
  std::string renamed = bytes;
  renamed.replace(bytes.find("\"drums\"", box), 7, "\"DRUMS\"");
  put_bytes(path, renamed);
  EXPECT_EQ(probe(path).stream_names[1], "DRUMS");
}

TEST(StemFile, RefusesWrongCalls) {
  const TemporaryFolder folder;
  EXPECT_THROW(create_writer(folder / "a.stem.mp4", stem_options()), Error);
  EXPECT_THROW(create_stem_writer(folder / "a.stem.mp4", {}, stem_options()), Error);
  EXPECT_THROW(create_stem_writer(folder / "a.wav", kNames, {}), Error);
  {
    const auto writer = create_stem_writer(folder / "a.stem.mp4", kNames, stem_options());
    const AudioBuffer block(2, 10);
    EXPECT_THROW(writer->write(std::vector<AudioView>(4, block)), Error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace unbraid::io
