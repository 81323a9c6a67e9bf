#include "unbraid/dsp/resample.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::dsp {
namespace {

double sine(double frequency_hz, double seconds) { return std::sin(2 * std::numbers::pi * frequency_hz * seconds); }

AudioBuffer tone(double frequency_hz, std::uint32_t rate, std::size_t frames) {
  AudioBuffer out(1, frames);
  for (std::size_t n = 0; n < frames; ++n) out.channel(0)[n] = static_cast<float>(sine(frequency_hz, static_cast<double>(n) / rate));
  return out;
}

AudioBuffer noise(std::size_t channels, std::size_t frames) {
  AudioBuffer out(channels, frames);
  Rng rng(frames);
  for (float& sample : out.samples()) sample = static_cast<float>(rng.uniform(-1, 1));
  return out;
}

struct Rates {
  std::uint32_t in, out;
};
constexpr Rates kRates[] = {{44100, 48000}, {48000, 44100}, {44100, 16000}, {8000, 192000},
                            {192000, 8000}, {22050, 44100}, {44100, 44100}, {11025, 48000}};

TEST(Resample, LengthIsTheRoundedRatio) {
  EXPECT_EQ(resampled_frames(0, 44100, 48000), 0u);
  EXPECT_EQ(resampled_frames(1, 44100, 48000), 1u);
  EXPECT_EQ(resampled_frames(1, 48000, 16000), 0u);
  EXPECT_EQ(resampled_frames(1, 2, 1), 1u);                                          // a half goes up
  EXPECT_EQ(resampled_frames(1'000'000'000'000, 44100, 48000), 1'088'435'374'150u);  // …149.66
  ThreadPool pool(1);
  for (const auto [in, out] : kRates)
    for (const std::size_t frames : {0u, 1u, 2u, 3u, 100u, 4410u, 10'007u}) {
      const double exact = static_cast<double>(frames) * out / in;
      EXPECT_EQ(resample(noise(2, frames), in, out, pool).frames(), static_cast<std::size_t>(std::floor(exact + 0.5)))
          << in << " → " << out << ", " << frames;
    }
}

// A tone is the same tone at the other rate, at the same time: gain, delay and length in one. 2e-7 is a few
// roundings to float; the ends are left out, where the tone's sudden start rings.
TEST(Resample, ToneKeepsItsTimeAndLevel) {
  ThreadPool pool(1);
  for (const auto [in, out] : kRates) {
    const double frequency = 0.1 * std::min(in, out);
    const AudioBuffer result = resample(tone(frequency, in, 2 * in / 5), in, out, pool);
    double worst = 0;
    for (std::size_t n = out / 10; n < 3 * out / 10; ++n)
      worst = std::max(worst, std::abs(result.channel(0)[n] - sine(frequency, static_cast<double>(n) / out)));
    EXPECT_LT(worst, 2e-7) << in << " → " << out;
  }
}

TEST(Resample, WhatTheNewRateCannotHoldIsGone) {
  ThreadPool pool(1);
  const AudioBuffer result = resample(tone(9000, 48000, 48000), 48000, 16000, pool);
  float worst = 0;
  for (const float sample : result.channel(0).subspan(4000, 8000)) worst = std::max(worst, std::abs(sample));
  EXPECT_LT(worst, 1e-7f);  // −140 dB
}

TEST(Resample, RoundTripKeepsThePassband) {
  ThreadPool pool(2);
  // Tones with random phases up to 0.9 of Nyquist, faded in and out so that nothing lies above.
  AudioBuffer song(2, 44100);
  Rng rng(3);
  for (std::size_t c = 0; c < 2; ++c)
    for (int k = 1; k <= 60; ++k) {
      const double phase = rng.uniform();
      for (std::size_t n = 0; n < song.frames(); ++n)
        song.channel(c)[n] += static_cast<float>(0.01 * sine(330.0 * k, static_cast<double>(n) / 44100 + phase));
    }
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t n = 0; n < song.frames(); ++n)
      song.channel(c)[n] *= static_cast<float>(std::pow(sine(0.5, static_cast<double>(n) / 44100), 4));
  const AudioBuffer back = resample(resample(song, 44100, 48000, pool), 48000, 44100, pool);
  ASSERT_EQ(back.frames(), song.frames());
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t n = 0; n < song.frames(); ++n) ASSERT_NEAR(back.channel(c)[n], song.channel(c)[n], 1e-7) << n;
}

TEST(Resample, BlocksGiveTheSameBitsAsTheWhole) {
  ThreadPool pool(2);
  for (const auto [in, out] : kRates) {
    const AudioBuffer song = noise(3, 20'011);
    const AudioBuffer whole = resample(song, in, out, pool);
    Resampler resampler(in, out, 3);
    std::vector<float> pieces[3];
    const auto append = [&](const AudioBuffer& piece) {
      ASSERT_EQ(piece.channels(), 3u);
      for (std::size_t c = 0; c < 3; ++c) pieces[c].insert(pieces[c].end(), piece.channel(c).begin(), piece.channel(c).end());
    };
    Rng rng(1);
    for (std::size_t first = 0; first < song.frames();) {
      const std::size_t count = std::min<std::size_t>(rng.index(3000), song.frames() - first);
      append(resampler.process(song.view().slice(first, count)));
      first += count;
    }
    append(resampler.finish());
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_TRUE(std::ranges::equal(pieces[c], whole.channel(c))) << in << " → " << out << ", channel " << c;
  }
}

TEST(Resample, EqualRatesAndNoChannels) {
  ThreadPool pool(1);
  const AudioBuffer song = noise(2, 777);
  EXPECT_TRUE(std::ranges::equal(resample(song, 44100, 44100, pool).samples(), song.samples()));
  EXPECT_EQ(resample(AudioBuffer(0, 100), 44100, 48000, pool).channels(), 0u);
  Resampler none(44100, 48000, 0);
  EXPECT_EQ(none.process(AudioBuffer(0, 100)).channels(), 0u);
  EXPECT_EQ(none.finish().channels(), 0u);
}

TEST(Resample, ChangesRatesAHundredThousandFoldAtMost) {
  ThreadPool pool(1);
  EXPECT_EQ(resample(AudioBuffer(1, 3), 1, 100'000, pool).frames(), 300'000u);
  EXPECT_NO_THROW(Resampler(100'000, 1, 1));
  for (const auto [in, out] : {Rates{1, 100'001}, Rates{100'001, 1}, Rates{99, 9'900'001}}) {
    EXPECT_THROW(Resampler(in, out, 1), Error) << in << " → " << out;
    EXPECT_THROW(resample(AudioBuffer(1, 3), in, out, pool), Error) << in << " → " << out;
  }
}

TEST(Resample, RefusesBadRatesAndForeignBlocks) {
  EXPECT_THROW(Resampler(0, 48000, 1), Error);
  EXPECT_THROW(Resampler(48000, 10'000'001, 1), Error);
  EXPECT_THROW(resampled_frames(1, 0, 1), Error);
  Resampler resampler(44100, 48000, 2);
  EXPECT_THROW(resampler.process(AudioBuffer(1, 10)), Error);
  resampler.finish();
  EXPECT_THROW(resampler.process(AudioBuffer(2, 10)), Error);
}

}  // namespace
}  // namespace unbraid::dsp
