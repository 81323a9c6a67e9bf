// Files that are not what they claim to be: each gives one clear line, and none gives wrong samples.

#include <gtest/gtest.h>
#include <sndfile.h>

#include <string>
#include <vector>

#include "signals.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {
namespace {

using testing::TemporaryFolder;

/// Opens and reads all of it; the error that this must give.
void expect_error(const std::filesystem::path& path, ErrorCode code, const std::string& part) {
  try {
    const Audio audio = read_audio(path);
    ADD_FAILURE() << path << " was read: " << audio.samples.frames() << " frames";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(error.context(), path.string());
    EXPECT_NE(error.message().find(part), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

void set_number(std::string& bytes, std::size_t offset, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes[offset + i] = static_cast<char>(value >> 8 * i);
}

TEST(BadInput, MissingFolderEmpty) {
  const TemporaryFolder folder;
  expect_error(folder / "nothing.wav", ErrorCode::kNotFound, "no such file");
  expect_error(folder / "no" / "such.wav", ErrorCode::kNotFound, "no such file");
  expect_error(folder.path(), ErrorCode::kFormat, "folder");
  put_bytes(folder / "empty.wav", "");
  expect_error(folder / "empty.wav", ErrorCode::kFormat, "empty");
}

TEST(BadInput, TextUnderEveryName) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 500; ++i) text += "This is not music, line " + std::to_string(i) + ".\n";
  for (const char* name : {"a.wav", "a.flac", "a.mp3", "a.m4a", "a.ogg", "a.stem.mp4", "a.txt", "a"}) {
    put_bytes(folder / name, text);
    expect_error(folder / name, ErrorCode::kFormat, "");
  }
  put_bytes(folder / "short", "x");
  expect_error(folder / "short", ErrorCode::kFormat, "");
  put_bytes(folder / "zeros.wav", std::string(100000, '\0'));
  expect_error(folder / "zeros.wav", ErrorCode::kFormat, "");
}

TEST(BadInput, CutShort) {
  const TemporaryFolder folder;
  const AudioBuffer audio = noise(2, 100000, 0.3f);
  for (const Container container : {Container::kWav, Container::kAiff, Container::kFlac, Container::kMp3, Container::kM4a}) {
    SCOPED_TRACE(to_string(container));
    const auto path = folder / ("x" + extension(container));
    write_audio(path, audio, {.container = container, .format = SampleFormat::kPcm16});
    const std::string bytes = file_bytes(path);
    for (const double part : {0.9, 0.5, 0.1}) {
      put_bytes(path, bytes.substr(0, static_cast<std::size_t>(bytes.size() * part)));
      expect_error(path, ErrorCode::kFormat, container == Container::kM4a ? "" : "cut short");
    }
  }
}

// The header of RF64 tells its length elsewhere.
TEST(BadInput, CutShortRf64) {
  const TemporaryFolder folder;
  const auto path = folder / "x.wav";
  SF_INFO info{};
  info.samplerate = 44100;
  info.channels = 1;
  info.format = SF_FORMAT_RF64 | SF_FORMAT_PCM_16;
  SNDFILE* const file = sf_open(path.c_str(), SFM_WRITE, &info);
  const std::vector<short> samples(1000, 7);
  ASSERT_EQ(sf_writef_short(file, samples.data(), 1000), 1000);
  sf_close(file);
  const std::string bytes = file_bytes(path);
  ASSERT_EQ(bytes.substr(0, 4), "RF64");
  EXPECT_EQ(read_audio(path).samples.frames(), 1000u);
  put_bytes(path, bytes.substr(0, bytes.size() - 500));
  expect_error(path, ErrorCode::kFormat, "cut short");
}

TEST(BadInput, DamageInTheMiddleOfFlac) {
  const TemporaryFolder folder;
  const auto path = folder / "x.flac";
  write_audio(path, noise(2, 100000, 0.3f), {.container = Container::kFlac, .format = SampleFormat::kPcm16});
  std::string bytes = file_bytes(path);
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 20000; ++i) bytes[i] = 0x55;
  put_bytes(path, bytes);
  expect_error(path, ErrorCode::kFormat, "damaged");
}

TEST(BadInput, FlacOfNothingButMetadataBlocks) {
  const TemporaryFolder folder;
  const auto path = folder / "x.flac";
  put_bytes(path, "fLaC" + std::string(100000, '\0'));
  expect_error(path, ErrorCode::kFormat, "too many metadata blocks");
}

TEST(BadInput, ImpossibleHeaders) {
  const TemporaryFolder folder;
  const auto path = folder / "x.wav";
  write_audio(path, noise(2, 1000, 0.3f), {.format = SampleFormat::kPcm16});
  const std::string bytes = file_bytes(path);
  const std::size_t format = bytes.find("fmt ") + 8;
  std::string zero_channels = bytes;
  set_number(zero_channels, format + 2, 0, 2);
  put_bytes(path, zero_channels);
  expect_error(path, ErrorCode::kFormat, "");
  std::string zero_rate = bytes;
  set_number(zero_rate, format + 4, 0, 4);
  put_bytes(path, zero_rate);
  expect_error(path, ErrorCode::kFormat, "");
}

// A gapless tag whose sum of delay and length leaves 64 bits: it counts for nothing.
TEST(BadInput, GaplessTagThatOverflows) {
  const TemporaryFolder folder;
  const auto path = folder / "x.m4a";
  const std::string text = " 00000000 FFFFFFFF00000000 00000000 0000000100000008";
  const auto atom = [](const std::string& type, const std::string& body) {
    std::string bytes(3, '\0');
    return bytes + static_cast<char>(8 + body.size()) + type + body;
  };
  const std::string none(4, '\0');
  const std::string tag = atom("----", atom("mean", none + "com.apple.iTunes") + atom("name", none + "iTunSMPB") +
                                           atom("data", std::string("\0\0\0\1", 4) + none + text));
  Tags tags;
  tags.fields["comment"] = std::string(tag.size() - 24, 'x');  // takes as much, and gives way
  write_audio(path, noise(2, 30000, 0.3f), {.container = Container::kM4a, .tags = tags});
  std::string bytes = file_bytes(path);
  const std::size_t comment = bytes.find(
      "\xa9"
      "cmt");
  ASSERT_NE(comment, std::string::npos);
  ASSERT_EQ(static_cast<unsigned char>(bytes[comment - 1]), tag.size());
  put_bytes(path, bytes.replace(comment - 4, tag.size(), tag));
  EXPECT_EQ(read_audio(path).samples.frames(), 30000u);
}

// Programs that write to a pipe cannot go back to fill in the length: then what is there counts.
TEST(BadInput, StreamedHeadersAreFine) {
  const TemporaryFolder folder;
  const AudioBuffer audio = noise(1, 5000, 0.3f);
  const auto wav = folder / "x.wav";
  write_audio(wav, audio, {.format = SampleFormat::kPcm16, .channels = 1});
  std::string bytes = file_bytes(wav);
  set_number(bytes, bytes.find("data") + 4, 0xFFFFFFFF, 4);
  set_number(bytes, 4, 0xFFFFFFFF, 4);
  put_bytes(wav, bytes);
  EXPECT_EQ(read_audio(wav).samples.frames(), 5000u);

  const auto flac = folder / "x.flac";
  write_audio(flac, audio, {.container = Container::kFlac, .format = SampleFormat::kPcm16, .channels = 1});
  const Audio known = read_audio(flac);
  bytes = file_bytes(flac);
  bytes[21] &= static_cast<char>(0xF0);  // the length: 36 bits behind the rate, the channels and the depth
  for (int i = 22; i < 26; ++i) bytes[i] = 0;
  put_bytes(flac, bytes);
  EXPECT_EQ(probe(flac).frames, 5000u);
  EXPECT_EQ(max_difference(read_audio(flac).samples, known.samples), 0.0f);
  EXPECT_EQ(max_difference(read_audio(flac, {}, 1234, 100).samples, known.samples.view().slice(1234, 100)), 0.0f);
}

// Playlists name other files and addresses. Nobody asked for those.
TEST(BadInput, PlaylistsAreNotFollowed) {
  const TemporaryFolder folder;
  write_audio(folder / "secret.mp3", noise(2, 50000, 0.3f), {.container = Container::kMp3});
  const std::string secret = (folder / "secret.mp3").string();
  put_bytes(folder / "list.mp3", "ffconcat version 1.0\nfile '" + secret + "'\n");
  expect_error(folder / "list.mp3", ErrorCode::kFormat, "");
  put_bytes(folder / "list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + secret + "\n#EXT-X-ENDLIST\n");
  expect_error(folder / "list.m3u8", ErrorCode::kFormat, "");
}

TEST(BadInput, WrongStreamAndWrongBlock) {
  const TemporaryFolder folder;
  for (const Container container : {Container::kWav, Container::kMp3}) {
    const auto path = folder / ("x" + extension(container));
    write_audio(path, noise(2, 5000, 0.3f), {.container = container});
    EXPECT_THROW(open_reader(path, {.stream = 1}), Error);
    const auto reader = open_reader(path);
    AudioBuffer mono(1, 100);
    EXPECT_THROW(reader->read(mono), Error);
    EXPECT_THROW(reader->seek(5001), Error);
  }
}

}  // namespace
}  // namespace unbraid::io
