// Texts and pictures survive where the container has room for them.

#include <gtest/gtest.h>

#include "signals.hpp"
#include "support/fixtures.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {
namespace {

using testing::TemporaryFolder;

Tags rich_tags() {
  Tags tags;
  tags.fields = {{"title", "Tîtle 日本 🎵"}, {"artist", "Artist"}, {"album", "Album = 2"}, {"date", "1999"}, {"track", "3"}};
  tags.fields["genre"] = "Rock";
  tags.fields["comment"] = "first line";
  tags.fields["albumartist"] = "Various";
  tags.fields["composer"] = "Somebody";
  Picture picture{"image/jpeg", {}};
  for (int i = 0; i < 70000; ++i) picture.bytes.push_back(static_cast<std::uint8_t>(i * 31));
  tags.pictures.push_back(picture);
  return tags;
}

void expect_field(const Tags& tags, const std::string& key, const std::string& value) {
  const auto found = tags.fields.find(key);
  ASSERT_NE(found, tags.fields.end()) << key;
  EXPECT_EQ(found->second, value);
}

TEST(Tags, AllFieldsAndPicturesInFlacMp3M4a) {
  const TemporaryFolder folder;
  const Tags tags = rich_tags();
  const AudioBuffer audio = noise(2, 30000, 0.3f);
  for (const Container container : {Container::kFlac, Container::kMp3, Container::kM4a}) {
    SCOPED_TRACE(to_string(container));
    const auto path = folder / ("x" + extension(container));
    write_audio(path, audio, {.container = container, .format = SampleFormat::kPcm16, .tags = tags});
    const Audio back = read_audio(path);
    EXPECT_EQ(back.samples.frames(), audio.frames());
    const Tags found = probe(path).tags;
    for (const auto& [key, value] : tags.fields) expect_field(found, key, value);
    EXPECT_EQ(found.fields.size(), tags.fields.size());
    ASSERT_EQ(found.pictures.size(), 1u);
    EXPECT_EQ(found.pictures[0].mime_type, "image/jpeg");
    EXPECT_EQ(found.pictures[0].bytes, tags.pictures[0].bytes);
  }
}

TEST(Tags, MainFieldsInWavAndOgg) {
  const TemporaryFolder folder;
  const Tags tags = rich_tags();
  for (const Container container : {Container::kWav, Container::kOgg, Container::kOpus}) {
    SCOPED_TRACE(to_string(container));
    const auto path = folder / ("x" + extension(container));
    write_audio(path, noise(2, 3000, 0.3f), {.container = container, .format = SampleFormat::kPcm16, .sample_rate = 48000, .tags = tags});
    const Tags found = probe(path).tags;
    for (const char* key : {"title", "artist", "album", "date", "track", "genre", "comment"}) expect_field(found, key, tags.fields.at(key));
  }
}

// The audio of a FLAC file moves when pictures are put in front of it: it must arrive whole.
TEST(Tags, FlacAudioStaysWholeBehindBigPictures) {
  const TemporaryFolder folder;
  const AudioBuffer audio = noise(2, 200000, 0.5f);
  Tags tags;
  for (int i = 0; i < 3; ++i) tags.pictures.push_back({"image/png", std::vector<std::uint8_t>(1500000, 7)});
  write_audio(folder / "plain.flac", audio, {.container = Container::kFlac, .format = SampleFormat::kPcm24});
  write_audio(folder / "rich.flac", audio, {.container = Container::kFlac, .format = SampleFormat::kPcm24, .tags = tags});
  EXPECT_EQ(max_difference(read_audio(folder / "rich.flac").samples, read_audio(folder / "plain.flac").samples), 0.0f);
  EXPECT_EQ(probe(folder / "rich.flac").tags.pictures.size(), 3u);
}

// A block of FLAC's header holds 16 MB: what is longer is left out, and nothing else.
TEST(Tags, FlacLeavesOutWhatHasNoRoom) {
  const TemporaryFolder folder;
  const AudioBuffer audio = noise(2, 3000, 0.3f);
  Tags tags;
  tags.fields = {{"comment", std::string(17 << 20, 'x')}, {"title", "Title"}};
  const auto path = folder / "x.flac";
  write_audio(path, audio, {.container = Container::kFlac, .format = SampleFormat::kPcm16, .tags = tags});
  EXPECT_EQ(read_audio(path).samples.frames(), audio.frames());
  const Tags found = probe(path).tags;
  expect_field(found, "title", "Title");
  EXPECT_FALSE(found.fields.contains("comment"));
}

}  // namespace
}  // namespace unbraid::io
