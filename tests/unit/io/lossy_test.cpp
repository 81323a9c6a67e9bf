// Lossy formats: nothing is shifted, nothing is longer or shorter, wherever one jumps to.

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "signals.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {
namespace {

using testing::TemporaryFolder;

/// Three tones that glide through 0.004 … 0.09 of the sample rate, differently in every channel: tonal, so
/// that codecs do not replace it by noise of their own, and never the same twice, so that its correlation has
/// one sharp maximum.
AudioBuffer glides(std::size_t channels, std::size_t frames) {
  AudioBuffer audio(channels, frames);
  for (std::size_t c = 0; c < channels; ++c) {
    double phase[3] = {};
    for (std::size_t f = 0; f < frames; ++f) {
      double sum = 0;
      for (int k = 0; k < 3; ++k) {
        const double swing = std::sin(2 * std::numbers::pi * f * (1.3 + k + 0.17 * c) / 20011.0);
        phase[k] += 2 * std::numbers::pi * (0.047 + 0.043 * swing);
        sum += 0.2 * std::sin(phase[k]);
      }
      audio.channel(c)[f] = static_cast<float>(sum);
    }
  }
  return audio;
}

/// The shift of `late` against `early` at which they agree best, in frames.
int lag(std::span<const float> early, std::span<const float> late, int range) {
  const int first = range;
  const int count = std::min<int>(2048, static_cast<int>(std::min(early.size(), late.size())) - 2 * range);
  double best = 0;
  int found = range + 1;
  for (int shift = -range; shift <= range; ++shift) {
    double sum = 0;
    for (int i = first; i < first + count; ++i) sum += static_cast<double>(early[i]) * late[i + shift];
    if (sum > best) {
      best = sum;
      found = shift;
    }
  }
  return found;
}

double snr_db(std::span<const float> expected, std::span<const float> actual) {
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    signal += static_cast<double>(expected[i]) * expected[i];
    noise += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
  }
  return 10 * std::log10(signal / noise);
}

struct Lossy {
  Container container;
  double sample_rate;
  std::size_t channels;
};

std::string label(const ::testing::TestParamInfo<Lossy>& info) {
  return std::string(to_string(info.param.container)) + "_" + std::to_string(static_cast<int>(info.param.sample_rate)) + "_" +
         std::to_string(info.param.channels);
}

class LossyRoundTrip : public ::testing::TestWithParam<Lossy> {};

TEST_P(LossyRoundTrip, IsAlignedAndAsLong) {
  const auto [container, sample_rate, channels] = GetParam();
  const TemporaryFolder folder;
  const auto path = folder / ("x" + extension(container));
  const WriterOptions options{.container = container, .sample_rate = sample_rate, .channels = channels, .overwrite = true};
  for (const std::size_t frames : {20000, 20479, 20480, 20481}) {
    const AudioBuffer audio = glides(channels, frames);
    EXPECT_EQ(write_audio(path, audio, options).frames, frames);
    const AudioInfo info = probe(path);
    EXPECT_EQ(info.container, container);
    EXPECT_EQ(info.format, SampleFormat::kLossy);
    EXPECT_EQ(info.sample_rate, sample_rate);
    EXPECT_EQ(info.channels, channels);
    EXPECT_TRUE(info.exact_length);
    EXPECT_EQ(info.frames, frames);
    const Audio back = read_audio(path);
    ASSERT_EQ(back.samples.frames(), frames);
    for (std::size_t c = 0; c < channels; ++c) {
      if (channels == 6 && c == 3) continue;  // the effects channel of 5.1 only holds the lowest octaves
      EXPECT_EQ(lag(audio.channel(c), back.samples.channel(c), 1300), 0);
      // The transparent default; a shift by one sample of this signal alone would already cost more than 8
      // dB.
      EXPECT_GT(snr_db(audio.channel(c), back.samples.channel(c)), 12.0) << "channel " << c;
    }
  }
}

TEST_P(LossyRoundTrip, HoldsAnyLength) {
  const auto [container, sample_rate, channels] = GetParam();
  const TemporaryFolder folder;
  const auto path = folder / ("x" + extension(container));
  for (const std::size_t frames : {1, 2, 100, 1023, 1024, 1025, 1151, 1152, 1153, 2880, 5000}) {
    write_audio(path, glides(channels, frames),
                {.container = container, .sample_rate = sample_rate, .channels = channels, .overwrite = true});
    EXPECT_EQ(probe(path).frames, frames);
    EXPECT_EQ(read_audio(path).samples.frames(), frames);
  }
}

TEST_P(LossyRoundTrip, SeeksToTheSample) {
  const auto [container, sample_rate, channels] = GetParam();
  const TemporaryFolder folder;
  const auto path = folder / ("x" + extension(container));
  const std::size_t frames = 200000;
  write_audio(path, glides(channels, frames), {.container = container, .sample_rate = sample_rate, .channels = channels});
  const Audio whole = read_audio(path);
  ASSERT_EQ(whole.samples.frames(), frames);
  const auto reader = open_reader(path);
  AudioBuffer block(channels, 700);
  for (const std::uint64_t frame : {199500ull, 0ull, 1ull, 99999ull, 1105ull, 150000ull, 200000ull, 65536ull}) {
    reader->seek(frame);
    const std::size_t got = reader->read(block);
    ASSERT_EQ(got, std::min<std::size_t>(700, frames - frame));
    const AudioView expected = whole.samples.view().slice(frame, got);
    if (container != Container::kM4a || frame == 0) {
      EXPECT_LE(max_difference(block.view().slice(0, got), expected), 1e-6f) << "at " << frame;
    } else if (got > 0) {
      // AAC may replace noise by noise, and FFmpeg's decoder draws it anew.
      EXPECT_GT(snr_db(expected.channel(0), block.channel(0)), 20.0) << "at " << frame;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, LossyRoundTrip,
                         ::testing::Values(Lossy{Container::kMp3, 44100, 2}, Lossy{Container::kMp3, 48000, 1},
                                           Lossy{Container::kMp3, 22050, 2}, Lossy{Container::kMp3, 16000, 1},
                                           Lossy{Container::kM4a, 44100, 2}, Lossy{Container::kM4a, 48000, 1},
                                           Lossy{Container::kM4a, 96000, 2}, Lossy{Container::kM4a, 22050, 1},
                                           Lossy{Container::kM4a, 48000, 6}, Lossy{Container::kOgg, 44100, 2},
                                           Lossy{Container::kOgg, 48000, 1}, Lossy{Container::kOgg, 96000, 2},
                                           Lossy{Container::kOpus, 48000, 2}, Lossy{Container::kOpus, 48000, 1},
                                           Lossy{Container::kOpus, 24000, 2}, Lossy{Container::kOpus, 16000, 1}),
                         label);

}  // namespace
}  // namespace unbraid::io
