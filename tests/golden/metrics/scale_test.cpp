// SI-SDR's family against nussl, and the two notebooks' arithmetic against the notebooks.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "golden/metrics/signals.hpp"
#include "unbraid/metrics/projection_scores.hpp"
#include "unbraid/metrics/scale_invariant.hpp"
#include "unbraid/metrics/si_sdr_seed.hpp"

namespace unbraid::metrics {
namespace {

using nlohmann::json;
using testing::load_all;
using testing::load_json;
using testing::load_sources;
using testing::number;
using testing::views;

constexpr double kToleranceDb = 1e-8;
// Above 100 dB a score is the rounding noise of its reference, which no other implementation shares.
constexpr double kNoiseFloorDb = 100, kHighDb = 80;

void expect_score(double expected, double got, double tolerance_db, const std::string& what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(got)) << what << ": " << got << " where the reference has none";
  } else if (std::isinf(expected) && expected < 0) {
    EXPECT_EQ(got, expected) << what;
  } else if (expected > kNoiseFloorDb) {
    EXPECT_GT(got, kHighDb) << what << ", reference " << expected;
  } else {
    EXPECT_NEAR(got, expected, tolerance_db) << what;
  }
}

void expect_nussl(const json& expected, const ScaleResult& got, const std::string& what, double tolerance_db) {
  for (std::size_t j = 0; j < got.sources.size(); ++j) {
    const json& source = expected["s" + std::to_string(j)];
    for (std::size_t c = 0; c < got.sources[j].channels.size(); ++c) {
      const ScaleScores& s = got.sources[j].channels[c];
      const ScaleScores& m = got.sources[j].mixture[c];
      const std::map<std::string, double> values{{"SI-SDR", s.si_sdr},     {"SI-SIR", s.si_sir},     {"SI-SAR", s.si_sar},
                                                 {"SD-SDR", s.sd_sdr},     {"SNR", s.snr},           {"SRR", s.srr},
                                                 {"MIX-SI-SDR", m.si_sdr}, {"MIX-SD-SDR", m.sd_sdr}, {"MIX-SNR", m.snr}};
      for (const auto& [name, value] : values)
        expect_score(number(source[name][c]), value, tolerance_db, what + " s" + std::to_string(j) + " " + name);
      for (const auto& [name, value] :
           std::map<std::string, double>{{"SI-SDR", s.si_sdr - m.si_sdr}, {"SD-SDR", s.sd_sdr - m.sd_sdr}, {"SNR", s.snr - m.snr}}) {
        if (number(source["MIX-" + name][c]) < kNoiseFloorDb && number(source[name][c]) < kNoiseFloorDb)
          expect_score(number(source[name + "i"][c]), value, 2 * tolerance_db, what + " " + name + "i");
      }
    }
  }
}

class ScaleGolden : public ::testing::Test {
 protected:
  ThreadPool pool{2};
  RunContext run{pool};
};

TEST_F(ScaleGolden, NusslOnRealSignals) {
  UNBRAID_NEEDS_FIXTURE("metrics/bss_mono3.json");
  int compared = 0;
  for (const std::string file : {"bss_mono3", "bss_stereo2"}) {
    const json fixture = load_json("metrics/" + file + ".json");
    const auto references = load_all("metrics", fixture["ref"]), given = load_all("metrics", fixture["est"]);
    const std::vector<std::size_t> order = file == "bss_mono3" ? std::vector<std::size_t>{1, 2, 0} : std::vector<std::size_t>{1, 0};
    std::vector<AudioView> in_order;
    for (const std::size_t k : order) in_order.push_back(given[k]);
    for (const auto& [name, result] : fixture["results"].items()) {
      if (name.find("nussl") != 0) continue;
      ScaleOptions options{.interference = name.find("no sir") == std::string::npos, .permute = name.find("[perm") != std::string::npos};
      if (name.find("key=SNR") != std::string::npos) options.permutation_key = &ScaleScores::snr;
      const json& expected = result["expected"].contains("s0") ? result["expected"] : result;
      const bool ordered = result["params"].contains("order");
      const auto scores = scale_scores(views(references), ordered ? std::span<const AudioView>(in_order) : views(given), options, run);
      expect_nussl(expected, scores, file + " " + name, kToleranceDb);
      for (std::size_t j = 0; options.permute && j < order.size(); ++j) EXPECT_EQ(scores.sources[j].estimate, order[j]) << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 5);
}

TEST_F(ScaleGolden, EdgeCases) {
  UNBRAID_NEEDS_FIXTURE("metrics/edge_cases.json");
  const json fixture = load_json("metrics/edge_cases.json");
  int nussl = 0, seed000 = 0, seed001 = 0;
  for (const auto& [name, edge] : fixture["cases"].items()) {
    if (!edge.contains("ref")) continue;
    const auto references = load_sources("metrics/" + edge["ref"].get<std::string>());
    const auto estimates = load_sources("metrics/" + edge["est"].get<std::string>());
    const bool mono = references[0].channels() == 1;
    for (const auto& [function, result] : edge["results"].items()) {
      const std::string what = name + ": " + function;
      if (!result.contains("returns")) continue;
      const json& expected = result["returns"];
      if (function.find("nussl") == 0) {
        const auto scores =
            scale_scores(views(references), views(estimates), {.permute = function.find("[perm]") != std::string::npos}, run);
        // SRR magnifies α's rounding where α is near 1: 1e-8 dB is not to be had from another order of summation.
        expect_nussl(expected, scores, what, 1e-7);
        ++nussl;
      } else if (function == "seed000.si_sdr per source" && mono) {
        for (std::size_t j = 0; j < references.size(); ++j)
          expect_score(number(expected[j]), si_sdr_seed(references[j].channel(0), estimates[j].channel(0)), kToleranceDb, what);
        ++seed000;
      } else if (function.find("seed001") == 0 && mono) {
        std::vector<AudioView> cut;
        if (references[0].frames() < estimates[0].frames()) continue;  // the notebook never meets it
        const auto scores = projection_scores(views(references), views(estimates));
        for (std::size_t j = 0; j < references.size(); ++j) {
          expect_score(number(expected["SDR"][j]), scores[j].sdr[0], kToleranceDb, what + " SDR");
          expect_score(number(expected["SIR"][j]), scores[j].sir[0], kToleranceDb, what + " SIR");
          expect_score(number(expected["SAR"][j]), scores[j].sar[0], kToleranceDb, what + " SAR");
        }
        ++seed001;
      }
    }
  }
  EXPECT_GE(nussl, 25);
  EXPECT_GE(seed000, 14);
  EXPECT_GE(seed001, 11);
}

TEST_F(ScaleGolden, NotebooksOnRealSignals) {
  UNBRAID_NEEDS_FIXTURE("metrics/bss_mono3.json");
  const json mono = load_json("metrics/bss_mono3.json");
  const auto references = load_all("metrics", mono["ref"]), given = load_all("metrics", mono["est"]);
  const std::vector<AudioView> estimates{given[1], given[2], given[0]};
  const json& seed000 = mono["results"]["seed000.si_sdr"]["expected"];
  for (std::size_t j = 0; j < 3; ++j)
    EXPECT_NEAR(si_sdr_seed(references[j].channel(0), estimates[j].channel(0)), number(seed000["s" + std::to_string(j)]), kToleranceDb);
  const auto scores = projection_scores(views(references), estimates);
  const json& seed001 = mono["results"]["seed001.measurer[float64]"]["expected"];
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_NEAR(scores[j].sdr[0], number(seed001["SDR"][j]), kToleranceDb);
    EXPECT_NEAR(scores[j].sir[0], number(seed001["SIR"][j]), kToleranceDb);
    EXPECT_NEAR(scores[j].sar[0], number(seed001["SAR"][j]), kToleranceDb);
  }

  const json stereo = load_json("metrics/bss_stereo2.json");
  const auto images = load_all("metrics", stereo["ref"]), swapped = load_all("metrics", stereo["est"]);
  const std::vector<AudioView> in_order{swapped[1], swapped[0]};
  const auto both = projection_scores(views(images), in_order);
  const json& expected = stereo["results"]["seed001.measurer[float64,per channel]"]["expected"];
  for (std::size_t c = 0; c < 2; ++c) {
    const json& channel = expected["channel" + std::to_string(c)];
    for (std::size_t j = 0; j < 2; ++j) {
      EXPECT_NEAR(both[j].sdr[c], number(channel["SDR"][j]), kToleranceDb);
      EXPECT_NEAR(both[j].sir[c], number(channel["SIR"][j]), kToleranceDb);
      EXPECT_NEAR(both[j].sar[c], number(channel["SAR"][j]), kToleranceDb);
    }
  }
}

}  // namespace
}  // namespace unbraid::metrics
