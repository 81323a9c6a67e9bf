// What is written comes back: every format and bit depth, exactly where the format is exact.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "signals.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::io {
namespace {

using testing::TemporaryFolder;

struct Exact {
  Container container;
  SampleFormat format;
  std::size_t channels;
};

std::string label(const ::testing::TestParamInfo<Exact>& info) {
  std::string text(to_string(info.param.container));
  return text + "_" + std::string(to_string(info.param.format)) + "_" + std::to_string(info.param.channels);
}

class ExactRoundTrip : public ::testing::TestWithParam<Exact> {};

// Samples that the format can hold exactly must come back bit for bit, and writing what was read gives the
// same file.
TEST_P(ExactRoundTrip, KeepsEveryBit) {
  const auto [container, format, channels] = GetParam();
  const TemporaryFolder folder;
  const auto path = folder / ("first" + extension(container));
  const auto again = folder / ("second" + extension(container));
  AudioBuffer audio = noise(channels, 10007, 0.9f);
  const int held_bits = is_integer(format) ? std::min(bits(format), 24) : 24;
  const float scale = std::ldexp(1.0f, held_bits - 1);
  if (is_integer(format))
    for (float& x : audio.samples()) x = std::nearbyint(x * scale) / scale;
  for (std::size_t c = 0; c < channels; ++c) audio.channel(c)[0] = -1.0f;  // the extremes
  for (std::size_t c = 0; c < channels; ++c) audio.channel(c)[1] = is_integer(format) ? (scale - 1) / scale : 1.0f;

  const WriterOptions options{.container = container, .format = format, .sample_rate = 44100, .channels = channels};
  EXPECT_EQ(write_audio(path, audio, options).clipped_samples, 0u);
  const auto reader = open_reader(path);
  EXPECT_EQ(reader->info().container, container);
  EXPECT_EQ(reader->info().format, format);
  EXPECT_EQ(reader->info().channels, channels);
  EXPECT_EQ(reader->info().sample_rate, 44100);
  EXPECT_EQ(reader->info().frames, audio.frames());
  EXPECT_TRUE(reader->info().exact_length);
  const Audio back = read_audio(path);
  EXPECT_EQ(max_difference(back.samples, audio), 0.0f);

  write_audio(again, back.samples, options);
  EXPECT_TRUE(file_bytes(again) == file_bytes(path));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, ExactRoundTrip,
    ::testing::Values(Exact{Container::kWav, SampleFormat::kPcm8, 1}, Exact{Container::kWav, SampleFormat::kPcm16, 1},
                      Exact{Container::kWav, SampleFormat::kPcm16, 2}, Exact{Container::kWav, SampleFormat::kPcm24, 2},
                      Exact{Container::kWav, SampleFormat::kPcm32, 2}, Exact{Container::kWav, SampleFormat::kFloat32, 2},
                      Exact{Container::kWav, SampleFormat::kFloat64, 1}, Exact{Container::kWav, SampleFormat::kPcm24, 6},
                      Exact{Container::kWav, SampleFormat::kFloat32, 17}, Exact{Container::kAiff, SampleFormat::kPcm8, 2},
                      Exact{Container::kAiff, SampleFormat::kPcm16, 2}, Exact{Container::kAiff, SampleFormat::kPcm24, 1},
                      Exact{Container::kAiff, SampleFormat::kPcm32, 2}, Exact{Container::kAiff, SampleFormat::kFloat32, 2},
                      Exact{Container::kAiff, SampleFormat::kFloat64, 2}, Exact{Container::kFlac, SampleFormat::kPcm8, 2},
                      Exact{Container::kFlac, SampleFormat::kPcm16, 2}, Exact{Container::kFlac, SampleFormat::kPcm24, 2},
                      Exact{Container::kFlac, SampleFormat::kPcm16, 1}, Exact{Container::kFlac, SampleFormat::kPcm24, 8}),
    label);

// Every 16-bit value there is, through float and back.
TEST(RoundTrip, All16BitValues) {
  const TemporaryFolder folder;
  AudioBuffer audio(1, 65536);
  for (int i = 0; i < 65536; ++i) audio.channel(0)[i] = static_cast<float>(i - 32768) / 32768.0f;
  const auto summary = write_audio(folder / "all.wav", audio, {.format = SampleFormat::kPcm16, .channels = 1});
  EXPECT_EQ(summary.clipped_samples, 0u);
  EXPECT_EQ(max_difference(read_audio(folder / "all.wav").samples, audio), 0.0f);
}

TEST(RoundTrip, ShortLengths) {
  const TemporaryFolder folder;
  for (const Container container : {Container::kWav, Container::kAiff, Container::kFlac})
    for (const std::size_t frames : {0, 1, 2, 4095, 4096, 4097}) {
      const auto path = folder / ("x" + extension(container));
      const AudioBuffer audio = noise(2, frames, 0.5f);
      const SampleFormat format = closest_format(container, SampleFormat::kPcm24);
      const auto summary = write_audio(path, audio, {.container = container, .format = format, .overwrite = true});
      EXPECT_EQ(summary.frames, frames);
      const Audio back = read_audio(path);
      ASSERT_EQ(back.samples.frames(), frames) << to_string(container);
      EXPECT_LE(max_difference(back.samples, audio), std::ldexp(0.5f, -23));  // half a step of 24 bits
    }
}

TEST(RoundTrip, SampleRatesStay) {
  const TemporaryFolder folder;
  for (const double rate : {8000, 11025, 22050, 44100, 48000, 88200, 96000, 176400, 192000, 12345}) {
    const auto path = folder / "rate.wav";
    write_audio(path, noise(1, 100, 0.5f), {.sample_rate = rate, .channels = 1, .overwrite = true});
    EXPECT_EQ(probe(path).sample_rate, rate);
  }
}

TEST(RoundTrip, FloatKeepsNanInfinityAndOverloads) {
  const TemporaryFolder folder;
  AudioBuffer audio(1, 5);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float values[] = {std::nanf(""), kInfinity, -kInfinity, 3.5f, 1e-42f};
  std::copy(std::begin(values), std::end(values), audio.samples().begin());
  const auto summary = write_audio(folder / "wild.wav", audio, {.format = SampleFormat::kFloat32, .channels = 1});
  EXPECT_EQ(summary.clipped_samples, 0u);
  const Audio back = read_audio(folder / "wild.wav");
  ASSERT_EQ(back.samples.frames(), 5u);
  EXPECT_TRUE(std::isnan(back.samples.channel(0)[0]));
  for (int i = 1; i < 5; ++i) EXPECT_EQ(back.samples.channel(0)[i], values[i]);
}

TEST(RoundTrip, IntegersClipAndCount) {
  const TemporaryFolder folder;
  AudioBuffer audio(1, 8);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float values[] = {1.0f, -1.0f, 1.5f, -1.5f, std::nanf(""), kInfinity, -kInfinity, 0.5f};
  const float expected[] = {32767, -32768, 32767, -32768, 0, 32767, -32768, 16384};
  std::copy(std::begin(values), std::end(values), audio.samples().begin());
  for (const Container container : {Container::kWav, Container::kFlac}) {
    const auto path = folder / ("clip" + extension(container));
    const auto summary = write_audio(path, audio, {.container = container, .format = SampleFormat::kPcm16, .channels = 1});
    EXPECT_EQ(summary.clipped_samples, 6u);  // all but −1 and 0.5
    const Audio back = read_audio(path);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(back.samples.channel(0)[i] * 32768.0f, expected[i]) << i;
  }
}

TEST(RoundTrip, ExcerptsAndSeeking) {
  const TemporaryFolder folder;
  for (const Container container : {Container::kWav, Container::kAiff, Container::kFlac}) {
    const auto path = folder / ("long" + extension(container));
    const AudioBuffer audio = noise(2, 50000, 0.5f);
    write_audio(path, audio, {.container = container, .format = SampleFormat::kPcm24});
    const Audio whole = read_audio(path);
    const auto reader = open_reader(path);
    AudioBuffer block(2, 1000);
    for (const std::uint64_t frame : {0u, 49999u, 1u, 4095u, 4096u, 31234u, 50000u}) {
      reader->seek(frame);
      const std::size_t got = reader->read(block);
      ASSERT_EQ(got, std::min<std::size_t>(1000, 50000 - frame));
      EXPECT_EQ(max_difference(block.view().slice(0, got), whole.samples.view().slice(frame, got)), 0.0f);
    }
    EXPECT_EQ(reader->read(block), 0u);
    EXPECT_THROW(reader->seek(50001), Error);
    const Audio part = read_audio(path, {}, 49990, 100);
    EXPECT_EQ(part.samples.frames(), 10u);
    EXPECT_EQ(max_difference(part.samples, whole.samples.view().slice(49990, 10)), 0.0f);
    EXPECT_EQ(read_audio(path, {}, 60000, 5).samples.frames(), 0u);
  }
}

}  // namespace
}  // namespace unbraid::io
