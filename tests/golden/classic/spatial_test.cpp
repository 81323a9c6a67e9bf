// Methods on two channels against what nussl 1.1.9 reaches on the same recordings.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "golden/classic/nussl.hpp"
#include "unbraid/classic/duet.hpp"
#include "unbraid/classic/ica.hpp"
#include "unbraid/classic/methods.hpp"

namespace unbraid::classic {
namespace {

double si_sdr(std::span<const double> truth, std::span<const float> estimate) {
  double power = 0, product = 0, total = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    power += truth[i] * truth[i];
    product += truth[i] * estimate[i];
    total += static_cast<double>(estimate[i]) * estimate[i];
  }
  const double target = product * product / power;
  return 10 * std::log10(target / (total - target));
}

/// Voice, tonal and percussive: panned by levels 0.55, 1, 1.7 (right over left) and delayed by −1, 0, 2 samples.
class StereoGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("classic/nussl.json");
    for (const char* name : {"stereo_voice.flac", "stereo_tonal.flac", "stereo_perc.flac"})
      truths_.push_back(testing::load_audio(std::string("classic/") + name));
    mix_ = truths_[0];
    for (std::size_t t = 1; t < truths_.size(); ++t)
      for (std::size_t i = 0; i < mix_.samples.size(); ++i) mix_.samples[i] += truths_[t].samples[i];
  }

  Stems separate(const Method& method) {
    const auto values = ParameterValues::resolve(method.parameters, {{"sources", "3"}});
    RunContext run{pool_};
    return method.make({.sample_rate = mix_.sample_rate, .channels = 2}, values, 1)->process(mix_.to_float(), run);
  }

  /// The mean over the sources, which come from left to right as the truths do, for each channel.
  void expect_quality(const Stems& stems, double least_left, double least_right) {
    ASSERT_EQ(stems.size(), 3u);
    for (const auto& [channel, least] : {std::pair{0u, least_left}, {1u, least_right}}) {
      double sum = 0;
      for (std::size_t s = 0; s < 3; ++s) sum += si_sdr(truths_[s].view().channel(channel), stems[s].audio.channel(channel));
      EXPECT_GT(sum / 3, least) << "channel " << channel;
    }
  }

  ThreadPool pool_{2};
  std::vector<testing::FixtureAudio> truths_;
  testing::FixtureAudio mix_;
};

// nussl with its extra 2π taken out: the same histogram and the same peaks.
TEST_F(StereoGolden, DuetHistogramEqualsNusslWithoutTheExtraTwoPi) {
  const nlohmann::json expected = nussl_result("duet_3src_WITHOUT_the_extra_2pi");
  const dsp::Stft<double> stft(
      {.window = {.kind = dsp::WindowKind::kSqrtHann, .length = 1024}, .hop = 256, .scaling = dsp::StftScaling::kScipySpectrum});
  const DuetOptions options{.sources = 3, .attenuation_cells = 50, .delay_cells = 50};
  const DuetHistogram histogram = duet_histogram(stft.forward(mix_.view(), pool_), options, pool_);
  double sum = 0, squares = 0;
  for (const double v : histogram.raw) {
    sum += v;
    squares += v * v;
  }
  const nlohmann::json& stats = expected["histogram_unsmoothed_normalised"];
  EXPECT_NEAR(sum, stats["sum"].get<double>(), 1e-3 * sum);  // bin 0, and values at the edge of a cell
  EXPECT_NEAR(squares, stats["sum_sq"].get<double>(), 1e-3 * squares);
  const auto sources = duet_sources(histogram, options);
  ASSERT_EQ(sources.size(), 3u);
  for (std::size_t s = 0; s < 3; ++s) {
    const auto peak = expected["peak_indices"][s].get<std::vector<double>>();
    const double symmetric = sources[s].attenuation - 1 / sources[s].attenuation;
    EXPECT_NEAR(symmetric, -3 + 0.12 * (peak[0] + 0.5), 1e-9);  // the middle of the cell
    EXPECT_NEAR(sources[s].delay_samples, -3 + 0.12 * (peak[1] + 0.5), 1e-9);
  }
}

// nussl without the extra 2π: 12.095 and 8.239 dB.
TEST_F(StereoGolden, DuetSeparatesBetterThanNussl) { expect_quality(separate(duet_method()), 12.09, 8.23); }

// nussl with good starting centres given: 15.37 and 15.93 dB. Here the start is random.
TEST_F(StereoGolden, SpatialClusteringSeparatesAsWellAsNussl) { expect_quality(separate(spatial_method()), 15.3, 15.9); }

class IcaGolden : public ::testing::TestWithParam<IcaOptions::Contrast> {};

TEST_P(IcaGolden, RecoversTheSources) {
  UNBRAID_NEEDS_FIXTURE("classic/ica_mix.flac");
  const testing::FixtureAudio mix = testing::load_audio("classic/ica_mix.flac");
  ThreadPool pool(2);
  RunContext run{pool};
  const IcaResult ica = fast_ica(mix.to_float(), {.contrast = GetParam()}, run);
  ASSERT_EQ(ica.sources, 2u);
  std::vector<double> best;
  for (const char* name : {"classic/ica_source0.flac", "classic/ica_source1.flac"}) {
    const testing::FixtureAudio truth = testing::load_audio(name);
    best.push_back(std::max(si_sdr(truth.samples, ica.activations.channel(0)), si_sdr(truth.samples, ica.activations.channel(1))));
    EXPECT_GT(best.back(), 40.0) << name;  // the fixtures' expectation
  }
}
INSTANTIATE_TEST_SUITE_P(Contrasts, IcaGolden,
                         ::testing::Values(IcaOptions::Contrast::kLogCosh, IcaOptions::Contrast::kExp, IcaOptions::Contrast::kCube));

}  // namespace
}  // namespace unbraid::classic
