// REPET-SIM against nussl 1.1.9, in double precision as nussl works.

#include "unbraid/classic/repet_sim.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "support/audio.hpp"
#include "support/fixtures.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::classic {
namespace {

/// |STFT| of the sum of both parts as nussl computes it: 512/128, square root of Hann, scipy's scaling.
dsp::Magnitudes<double> nussl_magnitudes(ThreadPool& pool) {
  testing::FixtureAudio mix = testing::load_audio("classic/repet_background.flac");
  const testing::FixtureAudio other = testing::load_audio("classic/repet_foreground.flac");
  for (std::size_t i = 0; i < mix.samples.size(); ++i) mix.samples[i] += other.samples[i];
  const dsp::Stft<double> stft({.window = {.kind = dsp::WindowKind::kSqrtHann, .length = 512},
                                .hop = 128,
                                .scaling = dsp::StftScaling::kScipySpectrum});
  const auto x = stft.forward(mix.view(), pool);
  dsp::Magnitudes<double> out(x.channels(), x.frames(), x.bins());
  for (std::size_t i = 0; i < x.size(); ++i) out.values()[i] = std::abs(x.values()[i]);
  return out;
}

void expect_equal_to(const std::string& name, const RepetSimOptions& options) {
  UNBRAID_NEEDS_FIXTURE("classic/nussl.json");
  const nlohmann::json expected = testing::load_json("classic/nussl.json")["results"][name];
  ThreadPool pool(2);
  RunContext run{pool};
  const dsp::Magnitudes<double> magnitudes = nussl_magnitudes(pool);
  const auto similar = similar_frames(magnitudes, options, run);
  for (const auto& [frame, indices] : expected["similarity_indices"].items())
    EXPECT_EQ(similar[std::stoul(frame)], indices.get<std::vector<std::size_t>>()) << "frame " << frame;

  const dsp::Mask<double> mask = repet_sim_mask(magnitudes, options, run);
  const testing::Npy excerpt = testing::load_npy("classic/" + expected["mask0_excerpt_file"].get<std::string>());
  const std::size_t frames = excerpt.shape[1];
  ASSERT_EQ(excerpt.shape[0], mask.bins());
  for (std::size_t k = 0; k < mask.bins(); ++k)
    for (std::size_t m = 0; m < frames; ++m)
      ASSERT_NEAR(mask.at(0, 300 + m, k), excerpt.real[k * frames + m], 1e-6) << "frame " << 300 + m << " bin " << k;
  double sum = 0, squares = 0;
  for (const double v : mask.values()) {
    sum += v;
    squares += v * v;
  }
  const nlohmann::json& stats = expected["masks"][0];
  EXPECT_NEAR(sum, stats["sum"].get<double>(), 1e-6 * static_cast<double>(mask.size()));
  EXPECT_NEAR(squares, stats["sum_sq"].get<double>(), 1e-6 * static_cast<double>(mask.size()));
}

// nussl's high-pass of 100 Hz: the bin nearest to it, of bins 31.25 Hz apart, and those above.
constexpr std::size_t kFirstBin = 3;

TEST(RepetSimGolden, DefaultsEqualNussl) {
  expect_equal_to("repet_sim_default", {.min_distance_frames = 125, .max_repeating_frames = 100, .first_bin = kFirstBin});
}

TEST(RepetSimGolden, ThresholdAndCountEqualNussl) {
  expect_equal_to("repet_sim_thr0.5_k10_d0.5", {.similarity_threshold = 0.5,
                                                .min_distance_frames = 62.5,
                                                .max_repeating_frames = 10,
                                                .first_bin = kFirstBin});
}

}  // namespace
}  // namespace unbraid::classic
