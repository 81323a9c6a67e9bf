// MSST's and splifft's scores against the programs' own numbers.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "golden/metrics/signals.hpp"
#include "metrics/a_weighting.hpp"
#include "unbraid/metrics/l1_norm.hpp"
#include "unbraid/metrics/l1_snr.hpp"
#include "unbraid/metrics/log_wmse.hpp"
#include "unbraid/metrics/mel_difference.hpp"
#include "unbraid/metrics/sdr.hpp"
#include "unbraid/metrics/stft_distance.hpp"

namespace unbraid::metrics {
namespace {

using nlohmann::json;
using testing::load_audio;
using testing::load_json;
using testing::load_npy;
using testing::number;

std::map<std::string, double> scores(AudioView reference, AudioView estimate, AudioView mixture, ThreadPool& pool) {
  const double plain = sdr(reference, estimate);
  const MelScores mel = mel_scores(db_difference_mel(reference, estimate, pool));
  return {{"sdr", plain},
          {"k_sdr", k_sdr(plain)},
          {"si_sdr", si_sdr_msst(reference, estimate)},
          {"l1_freq", l1_score(l1_frequency(reference, estimate, pool))},
          {"log_wmse", log_wmse(reference, estimate, mixture, pool)},
          {"aura_stft", stft_score(stft_distance(reference, estimate, pool).loss())},
          {"aura_mrstft", stft_score(multi_resolution_stft_distance(reference, estimate, pool))},
          {"bleedless", mel.bleedless},
          {"fullness", mel.fullness},
          {"l1_snr", l1_snr(reference, estimate, pool)}};
}

/// sdr and si_sdr in double precision are exact; the rest passes through float32 in the reference: 1e-4 of the value,
/// 1e-3 where a logarithm of float32 is summed.
double tolerance(const std::string& name, double expected, bool float32) {
  if (!float32 && (name == "sdr" || name == "k_sdr" || name == "si_sdr")) return 1e-8;
  if (name.find("aura") == 0) return std::max(1e-3 * std::abs(expected), 1e-6);
  return std::max(1e-4 * std::abs(expected), 1e-6);
}

void compare(const json& results, const std::map<std::string, double>& got, bool float32, const std::string& what) {
  for (const auto& [name, result] : results.items()) {
    for (const auto& [key, value] : result["returns"].items()) {
      const double expected = number(value);
      EXPECT_NEAR(got.at(key), expected, tolerance(key, expected, float32)) << what << " " << key;
    }
  }
}

TEST(MsstGolden, AllScores) {
  UNBRAID_NEEDS_FIXTURE("metrics/msst.json");
  ThreadPool pool(2);
  const json fixture = load_json("metrics/msst.json");
  ASSERT_GE(fixture["cases"].size(), 9u);
  for (const auto& [name, data] : fixture["cases"].items()) {
    const auto load = [&](const char* role) {
      const std::string file = data[role];
      if (file.find("zeros") == 0) return AudioBuffer(data["shape"][0], data["shape"][1]);
      return load_audio("metrics/" + file);
    };
    const AudioBuffer reference = load("ref"), estimate = load("est"), mixture = load("mix");
    const auto got = scores(reference, estimate, mixture, pool);
    compare(data["results"]["float64"], got, false, name);
    compare(data["results"]["float32"], got, true, name + " float32");
  }
}

TEST(MsstGolden, ShorterEstimateAndTheLengthQuirk) {
  UNBRAID_NEEDS_FIXTURE("metrics/msst.json");
  ThreadPool pool(2);
  const json fixture = load_json("metrics/msst.json");
  const std::string stem = "metrics/audio/msst_short_half_second_";
  const AudioBuffer reference = load_audio(stem + "ref.flac"), estimate = load_audio(stem + "est.flac"),
                    mixture = load_audio(stem + "mix.flac");
  const auto cut = [&](std::size_t frames) {
    return scores(reference.view().slice(0, frames), estimate.view().slice(0, frames), mixture.view().slice(0, frames), pool);
  };
  compare(fixture["length_mismatch"]["results"], cut(reference.frames() - 1500), true, "length_mismatch");
  const json& quirk = fixture["log_wmse_length_quirk"];
  compare(quirk["results"], cut(quirk["N"]), true, "log_wmse_length_quirk");
}

TEST(MsstGolden, IntermediateValues) {
  UNBRAID_NEEDS_FIXTURE("metrics/msst.json");
  ThreadPool pool(2);
  const json data = load_json("metrics/msst.json")["cases"]["stereo"];
  const AudioBuffer reference = load_audio("metrics/" + data["ref"].get<std::string>()),
                    estimate = load_audio("metrics/" + data["est"].get<std::string>());
  const json& middle = data["intermediate"];
  const double l1 = number(middle["l1_freq: l1"]);
  EXPECT_NEAR(l1_frequency(reference, estimate, pool), l1, 1e-6 * l1);
  const StftDistance d = stft_distance(reference, estimate, pool);
  EXPECT_NEAR(d.spectral_convergence, number(middle["aura_stft: loss, sc, logmag"][1]), 1e-5);
  EXPECT_NEAR(d.log_magnitude, number(middle["aura_stft: loss, sc, logmag"][2]), 1e-4);
  const double loss = number(middle["aura_mrstft: loss"]);
  EXPECT_NEAR(multi_resolution_stft_distance(reference, estimate, pool), loss, 1e-5 * loss);
}

// The filters are designed here and shipped as data there: float32 taps, and a float32 impulse through the filters.
TEST(MsstGolden, DesignedFilters) {
  UNBRAID_NEEDS_FIXTURE("metrics/msst_log_wmse_filter_ir_44100.npy");
  const auto weighting = load_npy("metrics/msst_log_wmse_filter_ir_44100.npy");
  const std::vector<double> taps = log_wmse_filter();
  ASSERT_EQ(weighting.size(), taps.size());
  for (std::size_t i = 0; i < taps.size(); ++i) ASSERT_NEAR(taps[i], weighting.real[i], 1e-7) << i;
  const auto a = load_npy("metrics/msst_aw_fir_44100_101taps_float32.npy");
  const std::vector<double> a_taps = a_weighting_taps(44100);
  ASSERT_EQ(a.size(), a_taps.size());
  for (std::size_t i = 0; i < a_taps.size(); ++i) ASSERT_NEAR(a_taps[i], a.real[i], 1e-7) << i;
}

}  // namespace
}  // namespace unbraid::metrics
