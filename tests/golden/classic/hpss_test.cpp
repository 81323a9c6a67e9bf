// Medians against scipy.ndimage.median_filter, soft masks and HPSS against librosa 0.11.

#include "unbraid/classic/hpss.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "support/audio.hpp"
#include "support/fixtures.hpp"
#include "unbraid/classic/median.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::classic {
namespace {

using testing::load_audio;
using testing::load_json;
using testing::load_npy;
using testing::Npy;

/// The fixture's rows are frequencies (axis 0) and its columns frames (axis 1).
dsp::Magnitudes<float> from_rows(const nlohmann::json& rows) {
  dsp::Magnitudes<float> out(1, rows[0].size(), rows.size());
  for (std::size_t k = 0; k < out.bins(); ++k)
    for (std::size_t m = 0; m < out.frames(); ++m) out.at(0, m, k) = rows[k][m].get<float>();
  return out;
}

TEST(MedianGolden, EqualsScipyMedianFilter) {
  UNBRAID_NEEDS_FIXTURE("classic/hpss.json");
  const nlohmann::json expected = load_json("classic/hpss.json")["median_filter"];
  const dsp::Magnitudes<float> input = from_rows(expected["input"]);
  ThreadPool pool(2);
  for (const auto& [size, across_bins] : {std::pair{"(1, 3)", false},
                                          {"(1, 5)", false},
                                          {"(1, 4)", false},
                                          {"(1, 17)", false},
                                          {"(5, 1)", true},
                                          {"(4, 1)", true},
                                          {"(31, 1)", true}}) {
    const std::size_t kernel = std::stoul(std::string(size).substr(across_bins ? 1 : 4));
    const auto actual = across_bins ? median_across_bins(input, kernel, pool) : median_across_frames(input, kernel, pool);
    const auto wanted = from_rows(expected["out"][size]);
    for (std::size_t i = 0; i < wanted.size(); ++i) ASSERT_EQ(actual.values()[i], wanted.values()[i]) << size << " at " << i;
  }
}

TEST(HpssGolden, SoftMaskEqualsLibrosa) {
  UNBRAID_NEEDS_FIXTURE("classic/hpss.json");
  const nlohmann::json expected = load_json("classic/hpss.json")["softmask"];
  for (const auto& [name, result] : expected["out"].items()) {
    const bool split = name.find("True") != std::string::npos;
    const std::string text = name.substr(6, name.find(',') - 6);
    const double power = text == "inf" ? std::numeric_limits<double>::infinity() : std::stod(text);
    for (std::size_t r = 0; r < 2; ++r)
      for (std::size_t i = 0; i < expected["X"][r].size(); ++i) {
        const nlohmann::json& value = result["returns"][r][i];
        const double wanted = value.is_boolean() ? value.get<bool>() : value.get<double>();
        EXPECT_NEAR(soft_mask(expected["X"][r][i].get<double>(), expected["X_ref"][r][i].get<double>(), power, split), wanted, 1e-15)
            << name << " " << r << "," << i;
      }
  }
}

class HpssGoldenMasks : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("classic/hpss.json");
    expected_ = load_json("classic/hpss.json")["hpss"];
    const testing::FixtureAudio mix = load_audio("slakh/Track00001/mix.wav");
    const dsp::Stft<double> stft({.window = {.length = 1024}, .hop = 256, .pad_end = false});
    const auto x = stft.forward(mix.view().slice(32000, 19200), pool_);
    magnitudes_ = dsp::Magnitudes<float>(1, x.frames(), x.bins());
    // The masks are computed from float32 magnitudes: each is off by 2^-24 of itself, a mask of power 2 by at most
    // 2^-24·2·(2·m(1−m)) < 2^-24 each way; 1e-6 is the tolerance of the fixtures.
    for (std::size_t i = 0; i < x.size(); ++i) magnitudes_.values()[i] = static_cast<float>(std::abs(x.values()[i]));
  }

  static HpssOptions options(const nlohmann::json& params) {
    const auto both = [&](const char* name, double fallback, std::size_t i) {
      if (!params.contains(name)) return fallback;
      const nlohmann::json& value = params[name];
      return testing::number(value.is_array() ? value[i] : value);
    };
    return {.kernel_frames = static_cast<std::size_t>(both("kernel_size", 31, 0)),
            .kernel_bins = static_cast<std::size_t>(both("kernel_size", 31, 1)),
            .margin_harmonic = both("margin", 1, 0),
            .margin_percussive = both("margin", 1, 1),
            .power = both("power", 2, 0)};
  }

  ThreadPool pool_{2};
  nlohmann::json expected_;
  dsp::Magnitudes<float> magnitudes_;
};

void expect_stats(const dsp::Mask<float>& mask, const nlohmann::json& stats, const std::string& what) {
  double sum = 0, squares = 0;
  for (const float v : mask.values()) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  // 1e-6 for each of the values, on average a tenth of it: they do not all err the same way.
  const double tolerance = 1e-7 * static_cast<double>(mask.size());
  EXPECT_NEAR(sum, stats["sum"].get<double>(), tolerance) << what;
  EXPECT_NEAR(squares, stats["sum_sq"].get<double>(), tolerance) << what;
}

void expect_file(const dsp::Mask<float>& mask, const std::string& file) {
  const Npy wanted = load_npy("classic/" + file);
  ASSERT_EQ(wanted.shape, (std::vector<std::size_t>{mask.bins(), mask.frames()}));
  for (std::size_t m = 0; m < mask.frames(); ++m)
    for (std::size_t k = 0; k < mask.bins(); ++k)
      ASSERT_NEAR(mask.at(0, m, k), wanted.real[k * mask.frames() + m], 1e-6) << file << " frame " << m << " bin " << k;
}

TEST_F(HpssGoldenMasks, EqualLibrosaDecomposeHpss) {
  std::size_t cases = 0, files = 0;
  for (const auto& [name, test] : expected_["cases"].items()) {
    const HpssMasks masks = hpss_masks(magnitudes_, options(test["params"]), pool_);
    const nlohmann::json& wanted = test["returns"];
    expect_stats(masks.harmonic, wanted["mask_h"], name + " harmonic");
    expect_stats(masks.percussive, wanted["mask_p"], name + " percussive");
    for (const auto& [file, mask] : {std::pair{"mask_h_file", &masks.harmonic}, {"mask_p_file", &masks.percussive}}) {
      if (!wanted.contains(file)) continue;
      expect_file(*mask, wanted[file]);
      ++files;
    }
    ++cases;
  }
  EXPECT_EQ(cases, 10u);
  EXPECT_EQ(files, 4u);
}

TEST_F(HpssGoldenMasks, MediansHaveScipysSums) {
  for (const auto& [name, median] : {std::pair{"median_h (1x31)", median_across_frames(magnitudes_, 31, pool_)},
                                     {"median_p (31x1)", median_across_bins(magnitudes_, 31, pool_)}}) {
    double sum = 0;
    for (const float v : median.values()) sum += v;
    EXPECT_NEAR(sum, expected_[name]["sum"].get<double>(), 1e-7 * expected_[name]["sum"].get<double>());
  }
}

TEST_F(HpssGoldenMasks, MarginBelowOneIsRefused) { EXPECT_THROW(hpss_masks(magnitudes_, {.margin_harmonic = 0.9}, pool_), Error); }

}  // namespace
}  // namespace unbraid::classic
