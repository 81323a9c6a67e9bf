// Files with small faults, as they lie on many disks: what can be read is read, in its place, and the rest is told.

#include <gtest/gtest.h>

#include <bit>
#include <string>
#include <vector>

#include "signals.hpp"
#include "support/fixtures.hpp"
#include "support/quicktime.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {
namespace {

using testing::big_endian;
using testing::TemporaryFolder;

constexpr std::size_t kMp3Frames = 1152;  ///< of an MP3 packet

struct Read {
  Audio audio;
  std::vector<std::string> warnings;
};
Read read_with_warnings(const std::filesystem::path& path) {
  const auto reader = open_reader(path);
  Read read{{AudioBuffer(reader->info().channels, static_cast<std::size_t>(reader->info().frames)), reader->info().sample_rate}, {}};
  EXPECT_EQ(reader->read(read.audio.samples), read.audio.samples.frames());
  read.warnings = reader->info().warnings;
  return read;
}

void expect_format_error(const std::filesystem::path& path, const std::string& part) {
  try {
    read_with_warnings(path);
    ADD_FAILURE() << "was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat) << error.what();
    EXPECT_NE(error.message().find(part), std::string::npos) << error.what();
  }
}

TEST(Damage, NoneInQuicktimeFilesOfPcm) {
  const TemporaryFolder folder;
  const auto path = folder / "x.mov";
  std::vector<std::int16_t> samples(2 * 20000);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int16_t>(i * 7919 % 60000 - 30000);
  const std::string bytes = testing::quicktime(samples);
  put_bytes(path, bytes);
  const Read read = read_with_warnings(path);
  EXPECT_TRUE(read.warnings.empty());
  ASSERT_EQ(read.audio.samples.frames(), 20000u);
  for (std::size_t i = 0; i < samples.size(); ++i)
    ASSERT_EQ(read.audio.samples.view().channel(i % 2)[i / 2], static_cast<float>(samples[i]) / 32768.0f) << i;

  put_bytes(path, bytes.substr(0, bytes.size() - 40000));  // half of them
  expect_format_error(path, "cut short");
}

TEST(Damage, WhatLiesBehindAnMp3IsNotMusic) {
  const TemporaryFolder folder;
  const auto path = folder / "x.mp3";
  write_audio(path, noise(2, 100000, 0.3f), {.container = Container::kMp3});
  const std::string bytes = file_bytes(path);
  const Audio whole = read_audio(path);
  std::string page = "<html><body>", lyrics = "LYRICSBEGIN";
  for (int i = 0; i < 200; ++i) {
    page += "<p>404 Not Found</p>\n";
    lyrics += "[00:01]la la la\n";
  }
  for (const std::string& junk : {std::string(5000, '\0'), page, lyrics + "LYRICS200", std::string(100, '\0'), std::string(1, 'x')}) {
    put_bytes(path, bytes + junk);
    const Read read = read_with_warnings(path);
    EXPECT_EQ(max_difference(read.audio.samples, whole.samples), 0.0f) << junk.substr(0, 5);
    EXPECT_TRUE(read.warnings.empty());
    put_bytes(path, bytes.substr(0, bytes.size() / 2) + junk);
    expect_format_error(path, "cut short");
  }
}

TEST(Damage, AHoleInAnMp3CostsAPacket) {
  const TemporaryFolder folder;
  const auto path = folder / "x.mp3";
  write_audio(path, noise(2, 200000, 0.3f), {.container = Container::kMp3});
  const std::string bytes = file_bytes(path);
  const Audio whole = read_audio(path);
  put_bytes(path, bytes.substr(0, bytes.size() / 2) + bytes.substr(bytes.size() / 2 + 300));
  const Read read = read_with_warnings(path);
  EXPECT_EQ(read.warnings, std::vector<std::string>{"1 damaged packet left out"});
  EXPECT_NEAR(static_cast<double>(read.audio.samples.frames()), 200000.0, kMp3Frames);
  const std::size_t before = 100000 - 4 * kMp3Frames;
  EXPECT_EQ(max_difference(read.audio.samples.view().slice(0, before), whole.samples.view().slice(0, before)), 0.0f);
  // Behind it everything is a packet earlier, once the decoder has what it needs from those before.
  const std::size_t after = 100000 + 8 * kMp3Frames, count = 50000;
  EXPECT_LT(max_difference(read.audio.samples.view().slice(after - kMp3Frames, count), whole.samples.view().slice(after, count)), 1e-6f);

  // Told once, however often it is read.
  const auto reader = open_reader(path);
  AudioBuffer all(2, static_cast<std::size_t>(reader->info().frames));
  for (int i = 0; i < 3; ++i) {
    reader->seek(i == 1 ? 90000 : 0);
    reader->read(all);
  }
  EXPECT_EQ(reader->info().warnings, std::vector<std::string>{"1 damaged packet left out"});
}

TEST(Damage, TwoMp3sInOneFileAreOneAfterTheOther) {
  const TemporaryFolder folder;
  const auto path = folder / "x.mp3";
  write_audio(path, noise(2, 100000, 0.3f), {.container = Container::kMp3, .tags = {.fields = {{"title", "first"}}}});
  const std::string bytes = file_bytes(path);
  const Audio one = read_audio(path);
  put_bytes(path, bytes + bytes);
  const Read both = read_with_warnings(path);
  EXPECT_GE(both.audio.samples.frames(), 200000u);
  EXPECT_LE(both.audio.samples.frames(), 200000u + 5 * kMp3Frames);  // delay, padding and header of the second
  EXPECT_EQ(max_difference(both.audio.samples.view().slice(0, 95000), one.samples.view().slice(0, 95000)), 0.0f);
}

TEST(Damage, PacketsOfAacThatCannotBeDecodedAreSilenceUpToATenth) {
  const TemporaryFolder folder;
  const auto path = folder / "x.m4a";
  write_audio(path, noise(1, 300000, 0.3f), {.container = Container::kM4a, .channels = 1});
  const std::string bytes = file_bytes(path);
  const std::size_t data = bytes.find("mdat") + 4;
  Rng rng(3);
  const auto spoil = [&](std::size_t count) {
    std::string spoilt = bytes;
    for (std::size_t i = 0; i < count; ++i) spoilt[data + 30000 + i] = static_cast<char>(rng.uniform(0, 256));
    put_bytes(path, spoilt);
  };
  const Audio whole = read_audio(path);
  spoil(2000);  // of some 80000
  const Read read = read_with_warnings(path);
  ASSERT_EQ(read.warnings.size(), 1u);
  EXPECT_NE(read.warnings[0].find("left out"), std::string::npos) << read.warnings[0];
  EXPECT_EQ(read.audio.samples.frames(), 300000u);
  EXPECT_EQ(max_difference(read.audio.samples.view().slice(0, 50000), whole.samples.view().slice(0, 50000)), 0.0f);
  spoil(40000);
  expect_format_error(path, "cannot be decoded");
}

TEST(Damage, OggWithoutItsLastPageIsReadWithAWarning) {
  const TemporaryFolder folder;
  for (const Container container : {Container::kOgg, Container::kOpus}) {
    SCOPED_TRACE(to_string(container));
    const auto path = folder / ("x" + extension(container));
    write_audio(path, noise(2, 200000, 0.3f), {.container = container, .sample_rate = 48000});
    EXPECT_TRUE(read_with_warnings(path).warnings.empty());
    const std::string bytes = file_bytes(path);
    put_bytes(path, bytes + std::string(128, 'x'));  // as old tags lie there
    EXPECT_TRUE(probe(path).warnings.empty());
    for (const double part : {0.95, 0.5}) {
      put_bytes(path, bytes.substr(0, static_cast<std::size_t>(bytes.size() * part)));
      const Read read = read_with_warnings(path);
      EXPECT_GT(read.audio.samples.frames(), 0u);
      ASSERT_EQ(read.warnings.size(), 1u);
      EXPECT_NE(read.warnings[0].find("cut short"), std::string::npos);
    }
  }
}

/// A Matroska file of 16-bit mono at 8 kHz, a block for each tenth of a second.
std::string matroska(std::size_t blocks, double duration_ms) {
  const auto element = [](std::uint32_t id, const std::string& body) {
    const int bytes = id >= 0x10000000 ? 4 : id >= 0x100000 ? 3 : id >= 0x4000 ? 2 : 1;
    return big_endian(id, bytes) + big_endian(0x0100000000000000 | body.size(), 8) + body;
  };
  const std::string audio =
      element(0xE1, element(0xB5, big_endian(std::bit_cast<std::uint64_t>(8000.0), 8)) + element(0x9F, "\x01") + element(0x6264, "\x10"));
  const std::string track =
      element(0xAE, element(0xD7, "\x01") + element(0x73C5, "\x01") + element(0x83, "\x02") + element(0x86, "A_PCM/INT/LIT") + audio);
  const std::string info = element(0x2AD7B1, big_endian(1000000, 4)) +
                           element(0x4489, big_endian(std::bit_cast<std::uint64_t>(duration_ms), 8)) + element(0x4D80, "x") +
                           element(0x5741, "x");
  std::string cluster = element(0xE7, std::string(1, '\0'));
  for (std::size_t i = 0; i < blocks; ++i)
    cluster += element(0xA3, "\x81" + big_endian(100 * i, 2) + "\x80" + std::string(1600, static_cast<char>(i)));
  const std::string head = element(0x1A45DFA3, element(0x4282, "matroska") + element(0x4287, "\x04") + element(0x4285, "\x02"));
  return head + element(0x18538067, element(0x1549A966, info) + element(0x1654AE6B, track) + element(0x1F43B675, cluster));
}

TEST(Damage, MatroskaThatEndsTooEarlyIsReadWithAWarning) {
  const TemporaryFolder folder;
  const auto path = folder / "x.mka";
  put_bytes(path, matroska(30, 3000));
  EXPECT_TRUE(probe(path).warnings.empty());
  EXPECT_EQ(probe(path).frames, 24000u);
  put_bytes(path, matroska(30, 3000).substr(0, 25000));
  const AudioInfo info = probe(path);
  EXPECT_LT(info.frames, 16000u);
  ASSERT_EQ(info.warnings.size(), 1u);
  EXPECT_NE(info.warnings[0].find("cut short"), std::string::npos) << info.warnings[0];
}

}  // namespace
}  // namespace unbraid::io
