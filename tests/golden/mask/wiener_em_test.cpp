// wiener_em against norbert.wiener and openunmix.filtering.wiener, in float64.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/fixtures.hpp"
#include "unbraid/mask/wiener_em.hpp"

namespace unbraid::mask {
namespace {

using testing::load_json;
using testing::load_npy;
using testing::Npy;

constexpr const char* kJson = "masks/multichannel_wiener.json";
constexpr double kNorbertEpsilon = std::numeric_limits<double>::epsilon();

struct Inputs {
  dsp::Spectrogram<double> mixture;
  std::vector<dsp::Magnitudes<double>> magnitudes;
};

/// The fixtures' (frame, bin, channel[, source]) as ours; channels: how many to take.
Inputs load_inputs(std::size_t channels = 2) {
  const Npy x = load_npy("masks/em_x.npy"), v = load_npy("masks/em_v.npy");
  const std::size_t frames = x.shape[0], bins = x.shape[1], sources = v.shape[3];
  Inputs in{dsp::Spectrogram<double>(channels, frames, bins), {}};
  in.magnitudes.assign(sources, dsp::Magnitudes<double>(channels, frames, bins));
  for (std::size_t t = 0; t < frames; ++t) {
    for (std::size_t k = 0; k < bins; ++k) {
      for (std::size_t c = 0; c < channels; ++c) {
        const std::size_t at = (t * bins + k) * 2 + c;
        in.mixture.at(c, t, k) = x.complex(at);
        for (std::size_t j = 0; j < sources; ++j) in.magnitudes[j].at(c, t, k) = v.real[at * sources + j];
      }
    }
  }
  return in;
}

void expect_stats(const std::vector<dsp::Spectrogram<double>>& got, const nlohmann::json& stats, double relative = 1e-6) {
  ASSERT_EQ(got.size(), stats.size());
  for (std::size_t j = 0; j < got.size(); ++j) {
    double sum_abs = 0, sum_abs2 = 0, max_abs = 0;
    std::complex<double> sum = 0;
    for (const std::complex<double> y : got[j].values()) {
      sum_abs += std::abs(y);
      sum_abs2 += std::norm(y);
      max_abs = std::max(max_abs, std::abs(y));
      sum += y;
    }
    const double scale = relative * sum_abs;
    EXPECT_NEAR(sum_abs, stats[j]["sum_abs"].get<double>(), scale) << "source " << j;
    EXPECT_NEAR(sum_abs2, stats[j]["sum_abs2"].get<double>(), relative * sum_abs2) << "source " << j;
    EXPECT_NEAR(max_abs, stats[j]["max_abs"].get<double>(), relative * max_abs) << "source " << j;
    EXPECT_NEAR(sum.real(), stats[j]["sum_re"].get<double>(), scale) << "source " << j;
    EXPECT_NEAR(sum.imag(), stats[j]["sum_im"].get<double>(), scale) << "source " << j;
  }
}

/// The stored result is complex64: relative 1e-5 of the largest value.
void expect_file(const std::vector<dsp::Spectrogram<double>>& got, const std::string& file) {
  const Npy want = load_npy("masks/" + file);
  const std::size_t frames = want.shape[0], bins = want.shape[1], channels = want.shape[2], sources = want.shape[3];
  ASSERT_EQ(got.size(), sources);
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) largest = std::max(largest, std::abs(want.complex(i)));
  for (std::size_t t = 0; t < frames; ++t) {
    for (std::size_t k = 0; k < bins; ++k) {
      for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t j = 0; j < sources; ++j) {
          const auto expected = want.complex(((t * bins + k) * channels + c) * sources + j);
          worst = std::max(worst, std::abs(got[j].at(c, t, k) - expected));
        }
      }
    }
  }
  EXPECT_LT(worst, 1e-5 * largest);
}

TEST(WienerEmGolden, EqualsNorbertAndOpenUnmix) {
  UNBRAID_NEEDS_FIXTURE(kJson);
  ThreadPool pool(2);
  RunContext run{pool};
  const nlohmann::json results = load_json(kJson)["results"];
  int checked = 0;
  for (const auto& [name, result] : results.items()) {
    const nlohmann::json& params = result["params"];
    Inputs in = load_inputs();
    WienerEmOptions options;
    if (name.starts_with("norbert_it")) {
      options = {.iterations = 1, .softmask = true, .epsilon = kNorbertEpsilon};
      if (params.contains("iterations")) {
        options.iterations = params["iterations"];
        options.softmask = params["use_softmask"];
      }
      if (name.ends_with("zero_source")) in.magnitudes[0] = dsp::Magnitudes<double>(2, in.mixture.frames(), in.mixture.bins());
      if (name.ends_with("monov")) {
        for (dsp::Magnitudes<double>& v : in.magnitudes) {
          dsp::Magnitudes<double> mean(1, v.frames(), v.bins());
          for (std::size_t i = 0; i < mean.size(); ++i) mean.values()[i] = (v.values()[i] + v.values()[i + mean.size()]) / 2;
          v = mean;
        }
      }
    } else if (name.starts_with("norbert_residual")) {
      options = {.iterations = 1, .softmask = true, .epsilon = kNorbertEpsilon};
      const bool autoscale = name.find("autoscale") != std::string::npos;
      in.magnitudes.push_back(residual_magnitudes<double>(in.magnitudes, in.mixture, 1, autoscale, pool));
    } else if (name.starts_with("umx_") && name != "umx_it1_float32") {
      options = {.iterations = params["iterations"],
                 .softmask = params["softmask"],
                 .residual = params["residual"],
                 .epsilon = params["eps"],
                 .scale = params["scale_factor"]};
    } else {
      continue;
    }
    SCOPED_TRACE(name);
    const auto got = wiener_em<double>(in.magnitudes, in.mixture, options, run);
    const nlohmann::json& expected = result["returns"];
    expect_stats(got, expected["stats_per_source"]);
    if (expected.contains("file")) expect_file(got, expected["file"]);
    ++checked;
  }
  EXPECT_EQ(checked, 22);
}

TEST(WienerEmGolden, Float32AgreesWithOpenUnmixInFloat32) {
  UNBRAID_NEEDS_FIXTURE(kJson);
  ThreadPool pool(1);
  RunContext run{pool};
  const Inputs in = load_inputs();
  dsp::Spectrogram<float> mixture(2, in.mixture.frames(), in.mixture.bins());
  std::ranges::copy(in.mixture.values(), mixture.values().begin());
  std::vector<dsp::Magnitudes<float>> magnitudes;
  for (const auto& v : in.magnitudes) {
    std::ranges::copy(v.values(), magnitudes.emplace_back(2, v.frames(), v.bins()).values().begin());
  }
  const auto got = wiener_em<float>(magnitudes, mixture, {.softmask = false}, run);
  std::vector<dsp::Spectrogram<double>> wide;
  for (const auto& y : got) {
    std::ranges::copy(y.values(), wide.emplace_back(y.channels(), y.frames(), y.bins()).values().begin());
  }
  // Two float32 programs that order their sums differently: each is a few 1e-4 from the float64 result.
  expect_stats(wide, load_json(kJson)["results"]["umx_it1_float32"]["returns"]["stats_per_source"], 1e-3);
}

TEST(WienerEmGolden, OneChannel) {
  UNBRAID_NEEDS_FIXTURE(kJson);
  ThreadPool pool(2);
  RunContext run{pool};
  const nlohmann::json mono = load_json(kJson)["mono_channel"];
  const Inputs in = load_inputs(1);
  expect_stats(wiener_em<double>(in.magnitudes, in.mixture, {.softmask = true, .epsilon = kNorbertEpsilon}, run),
               mono["norbert_it1_softmask1"]["returns"]["stats_per_source"]);
  expect_stats(wiener_em<double>(in.magnitudes, in.mixture, {.softmask = false}, run),
               mono["umx_it1_softmask0"]["returns"]["stats_per_source"]);
}

}  // namespace
}  // namespace unbraid::mask
