#pragma once
// What the golden tests against nussl 1.1.9 share: its transform, its input, and how its masks are stored.

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "support/audio.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::classic {

/// nussl's transform at 16 kHz: 512/128, square root of Hann, scipy's scaling.
inline dsp::Spectrogram<double> nussl_stft(PlanarView<const double> audio, ThreadPool& pool) {
  return dsp::Stft<double>(
             {.window = {.kind = dsp::WindowKind::kSqrtHann, .length = 512}, .hop = 128, .scaling = dsp::StftScaling::kScipySpectrum})
      .forward(audio, pool);
}

/// The magnitudes of the repeating background plus the foreground of the fixtures.
inline dsp::Magnitudes<double> nussl_magnitudes(ThreadPool& pool) {
  testing::FixtureAudio mix = testing::load_audio("classic/repet_background.flac");
  const testing::FixtureAudio other = testing::load_audio("classic/repet_foreground.flac");
  for (std::size_t i = 0; i < mix.samples.size(); ++i) mix.samples[i] += other.samples[i];
  const dsp::Spectrogram<double> x = nussl_stft(mix.view(), pool);
  dsp::Magnitudes<double> out(x.channels(), x.frames(), x.bins());
  for (std::size_t i = 0; i < x.size(); ++i) out.values()[i] = std::abs(x.values()[i]);
  return out;
}

inline nlohmann::json nussl_result(const std::string& name) { return testing::load_json("classic/nussl.json")["results"][name]; }

/// The stored excerpt (frames 300 … 339) and the sums of the first mask; tolerance 1e-6 each, as the fixtures say.
template <class T>
void expect_nussl_mask(const dsp::Mask<T>& mask, const nlohmann::json& expected) {
  if (expected.contains("mask0_excerpt_file")) {
    const testing::Npy excerpt = testing::load_npy("classic/" + expected["mask0_excerpt_file"].get<std::string>());
    const std::size_t frames = excerpt.shape[1];
    ASSERT_EQ(excerpt.shape[0], mask.bins());
    for (std::size_t k = 0; k < mask.bins(); ++k)
      for (std::size_t m = 0; m < frames; ++m)
        ASSERT_NEAR(mask.at(0, 300 + m, k), excerpt.real[k * frames + m], 1e-6) << "frame " << 300 + m << " bin " << k;
  }
  double sum = 0, squares = 0;
  for (const T v : mask.values()) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  const nlohmann::json& stats = expected["masks"][0];
  EXPECT_NEAR(sum, stats["sum"].get<double>(), 1e-6 * static_cast<double>(mask.size()));
  EXPECT_NEAR(squares, stats["sum_sq"].get<double>(), 1e-6 * static_cast<double>(mask.size()));
}

/// nussl's high-pass of 100 Hz: everything below the bin nearest to it, of bins 31.25 Hz apart, is background.
constexpr std::size_t kNusslFirstBin = 3;

}  // namespace unbraid::classic
