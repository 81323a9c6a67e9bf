// PROJET's updates against nussl 1.1.9, from a given start; its separation against the truth.

#include "unbraid/classic/projet.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "golden/classic/nussl.hpp"

namespace unbraid::classic {
namespace {

class ProjetGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("classic/projet_P0.npy");
    testing::FixtureAudio mix = testing::load_audio("classic/projet_voice.flac");
    const testing::FixtureAudio tonal = testing::load_audio("classic/projet_tonal.flac");
    truths_ = {mix, tonal};
    for (std::size_t i = 0; i < mix.samples.size(); ++i) mix.samples[i] += tonal.samples[i];
    mix_ = stft_.forward(mix.view(), pool_);
    const testing::Npy p = testing::load_npy("classic/projet_P0.npy"), q = testing::load_npy("classic/projet_Q0.npy");
    start_ = {mix_.bins(), mix_.frames(), 84, 2, p.real, q.real};
  }

  static void expect_stats(const std::vector<double>& values, const nlohmann::json& stats, double tolerance, const std::string& what) {
    double sum = 0, squares = 0;
    for (const double x : values) {
      sum += x;
      squares += x * x;
    }
    EXPECT_NEAR(sum, stats["sum"].get<double>(), tolerance * stats["sum"].get<double>()) << what;
    EXPECT_NEAR(squares, stats["sum_sq"].get<double>(), tolerance * stats["sum_sq"].get<double>()) << what;
  }

  ThreadPool pool_{2};
  dsp::Stft<double> stft_{
      {.window = {.kind = dsp::WindowKind::kSqrtHann, .length = 256}, .hop = 128, .scaling = dsp::StftScaling::kScipySpectrum}};
  std::vector<testing::FixtureAudio> truths_;
  dsp::Spectrogram<double> mix_;
  ProjetModel<double> start_;
  ProjetOptions options_{
      .max_delay_samples = 3, .location_pannings = 12, .location_delays = 7, .projection_pannings = 8, .projection_delays = 5};
};

TEST_F(ProjetGolden, UpdatesEqualNussl) {
  const nlohmann::json expected = nussl_result("projet")["P,Q after k iterations"];
  std::map<std::size_t, nlohmann::json> in_order;
  for (const auto& [iterations, wanted] : expected.items()) in_order[std::stoul(iterations)] = wanted;
  ProjetModel<double> model = start_;
  std::size_t done = 0;
  for (const auto& [iterations, wanted] : in_order) {
    options_.iterations = iterations - done;  // one run goes on from where the last one was looked at
    done = iterations;
    RunContext run{pool_};
    projet(mix_, model, options_, run);
    expect_stats(model.spectra, wanted["P"], 1e-6, "P after " + std::to_string(iterations));
    expect_stats(model.panorama, wanted["Q"], 1e-6, "Q after " + std::to_string(iterations));
    for (std::size_t j = 0; j < 2; ++j) {
      const double q = wanted["Q[3,2]"][j].get<double>();
      EXPECT_NEAR(model.panorama[(3 * 7 + 2) * 2 + j], q, 1e-6 * q);
    }
  }
}

// nussl, corrected to multiply by P: 10.84 and 12.18 dB on the channels.
TEST_F(ProjetGolden, SourcesAddUpAndSeparateAsTheCorrectedNussl) {
  options_.iterations = 40;
  RunContext run{pool_};
  projet(mix_, start_, options_, run);
  double mean[2] = {};
  const auto first = projet_source(mix_, start_, 0, options_, pool_), second = projet_source(mix_, start_, 1, options_, pool_);
  for (std::size_t i = 0; i < first.size(); ++i) ASSERT_NEAR(std::abs(first.values()[i] + second.values()[i] - mix_.values()[i]), 0, 1e-12);
  std::size_t j = 0;
  for (const auto* part : {&first, &second}) {
    std::vector<double> audio(2 * truths_[0].frames);
    stft_.inverse(*part, {audio.data(), 2, truths_[0].frames, truths_[0].frames}, pool_);
    for (std::size_t c = 0; c < 2; ++c) {
      double power = 0, product = 0, total = 0;
      for (std::size_t i = 0; i < truths_[j].frames; ++i) {
        const double s = truths_[j].view().channel(c)[i], e = audio[c * truths_[j].frames + i];
        power += s * s;
        product += s * e;
        total += e * e;
      }
      const double target = product * product / power;
      mean[c] += 10 * std::log10(target / (total - target)) / 2;
    }
    ++j;
  }
  EXPECT_NEAR(mean[0], 10.835, 0.1);  // the fixtures' tolerance for what is not compared value by value
  EXPECT_NEAR(mean[1], 12.183, 0.1);
}

}  // namespace
}  // namespace unbraid::classic
