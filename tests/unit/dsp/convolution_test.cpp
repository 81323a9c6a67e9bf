#include "unbraid/dsp/convolution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/dsp/fir.hpp"

namespace unbraid::dsp {
namespace {

std::vector<double> noise(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<double> values(size);
  for (double& value : values) value = rng.uniform(-1, 1);
  return values;
}

AudioBuffer song(std::size_t channels, std::size_t frames) {
  AudioBuffer out(channels, frames);
  std::ranges::transform(noise(channels * frames, 8), out.samples().begin(), [](double v) { return static_cast<float>(v); });
  return out;
}

std::vector<double> by_definition(std::span<const double> x, std::span<const double> taps) {
  std::vector<double> y(x.size() + taps.size() - 1);
  for (std::size_t n = 0; n < x.size(); ++n)
    for (std::size_t k = 0; k < taps.size(); ++k) y[n + k] += x[n] * taps[k];
  return y;
}

// Lengths around one block (2048 − taps + 1 outputs) and several.
TEST(Convolution, EqualsTheDefinition) {
  for (const std::size_t taps : {1, 2, 63, 300})
    for (const std::size_t length : {std::size_t{1}, std::size_t{2}, 2048 - taps, 2049 - taps, 2050 - taps, std::size_t{5000}}) {
      const auto x = noise(length, 1), h = noise(taps, 2);
      const auto expected = by_definition(x, h), y = convolve<double>(x, h);
      ASSERT_EQ(y.size(), expected.size());
      for (std::size_t n = 0; n < y.size(); ++n) ASSERT_NEAR(y[n], expected[n], 1e-13) << taps << ' ' << length;
      const std::vector<float> single(x.begin(), x.end());
      const auto y_single = convolve<float>(single, h);
      for (std::size_t n = 0; n < y.size(); ++n) ASSERT_NEAR(y_single[n], expected[n], 2e-5) << taps << ' ' << length;
    }
  EXPECT_TRUE(convolve<double>({}, noise(3, 1)).empty());
  EXPECT_TRUE(convolve<double>(noise(3, 1), {}).empty());
}

TEST(Convolution, AlignedFilterTakesTheMiddle) {
  ThreadPool pool(2);
  for (const std::size_t taps : {1u, 3u, 401u})
    for (const std::size_t frames : {0u, 1u, 2u, 200u, 10'000u}) {
      const AudioBuffer in = song(2, frames);
      const auto h = noise(taps, 5);
      AudioBuffer out(2, frames);
      filter_aligned(in, h, out, pool);
      if (frames == 0) continue;
      const std::vector<double> x(in.channel(1).begin(), in.channel(1).end());
      const auto full = by_definition(x, h);
      for (std::size_t n = 0; n < frames; ++n) ASSERT_NEAR(out.channel(1)[n], full[n + taps / 2], 3e-5) << n;
    }
}

TEST(Convolution, StreamGivesTheSameBitsAsTheWhole) {
  ThreadPool one(1), many(4);
  const auto taps = fir_low_pass({.sample_rate = 44100, .high_hz = 500, .taps = 501});
  for (const std::size_t frames : {0u, 1u, 250u, 251u, 4000u, 30'000u}) {
    const AudioBuffer in = song(2, frames);
    AudioBuffer whole(2, frames), threaded(2, frames);
    filter_aligned(in, taps, whole, one);
    filter_aligned(in, taps, threaded, many);
    EXPECT_TRUE(std::ranges::equal(whole.samples(), threaded.samples()));

    FftFilter filter(taps, 2);
    std::vector<float> pieces[2];
    const auto append = [&](const AudioBuffer& piece) {
      for (std::size_t c = 0; c < 2; ++c) pieces[c].insert(pieces[c].end(), piece.channel(c).begin(), piece.channel(c).end());
    };
    Rng rng(frames);
    for (std::size_t first = 0; first < frames;) {
      const std::size_t count = std::min<std::size_t>(rng.index(9000), frames - first);
      append(filter.process(in.view().slice(first, count)));
      first += count;
    }
    append(filter.finish());
    for (std::size_t c = 0; c < 2; ++c) EXPECT_TRUE(std::ranges::equal(pieces[c], whole.channel(c))) << frames;
    EXPECT_EQ(filter.finish().frames(), 0u);
  }
}

TEST(Convolution, RefusesWhatCannotWork) {
  ThreadPool pool(1);
  AudioBuffer mono(1, 4), stereo(2, 4);
  EXPECT_THROW(filter_aligned(mono, noise(2, 1), mono, pool), Error);
  EXPECT_THROW(filter_aligned(mono, {}, mono, pool), Error);
  EXPECT_THROW(filter_aligned(mono, noise(3, 1), stereo, pool), Error);
  EXPECT_THROW(FftFilter(noise(4, 1), 1), Error);
  FftFilter filter(noise(3, 1), 1);
  EXPECT_THROW(filter.process(stereo), Error);
  filter.finish();
  EXPECT_THROW(filter.process(mono), Error);
}

}  // namespace
}  // namespace unbraid::dsp
