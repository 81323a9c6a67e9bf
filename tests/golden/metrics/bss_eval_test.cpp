// BSS Eval against mir_eval, museval and their own data.

#include "unbraid/metrics/bss_eval.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "golden/metrics/signals.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::metrics {
namespace {

using nlohmann::json;
using testing::load_all;
using testing::load_json;
using testing::load_sources;
using testing::number;
using testing::views;

// A score at rounding level (a perfect estimate) has no stable value: the reference's own noise decides. Above this
// both must be high.
constexpr double kNoiseFloorDb = 100, kHighDb = 80;

void expect_score(double expected, double got, double tolerance_db, const std::string& what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(got)) << what << ": " << got << " where the reference has no score";
  } else if (expected > kNoiseFloorDb) {
    EXPECT_GT(got, kHighDb) << what << ", reference " << expected;
  } else {
    EXPECT_NEAR(got, expected, tolerance_db) << what;
  }
}

/// Compares with {"SDR": [source] or [source][window], …}.
void expect_scores(const json& expected, const BssEvalResult& got, double tolerance_db, const std::string& what) {
  const std::map<std::string, std::vector<double> BssSourceScores::*> names{
      {"SDR", &BssSourceScores::sdr}, {"ISR", &BssSourceScores::isr}, {"SIR", &BssSourceScores::sir}, {"SAR", &BssSourceScores::sar}};
  for (const auto& [name, member] : names) {
    if (!expected.contains(name)) continue;
    const json& sources = expected[name];
    ASSERT_EQ(sources.size(), got.sources.size()) << what;
    for (std::size_t j = 0; j < sources.size(); ++j) {
      const json row = sources[j].is_array() ? sources[j] : json::array({sources[j]});
      const std::vector<double>& values = got.sources[j].*member;
      ASSERT_EQ(row.size(), values.size()) << what << " " << name;
      for (std::size_t w = 0; w < row.size(); ++w) {
        // mir_eval leaves some scores of silent windows uninitialised; the fixtures say so in words.
        const bool words = row[w].is_string() && row[w].get<std::string>().find("uninitialised") == 0;
        expect_score(words ? std::nan("") : number(row[w]), values[w], tolerance_db,
                     what + " " + name + " source " + std::to_string(j) + " window " + std::to_string(w));
      }
    }
  }
}

double tolerance_db(const json& result) {
  return std::max(1e-6, 100 * (result.contains("solver_spread_db") ? number(result["solver_spread_db"]) : 0.0));
}

/// The options behind a fixture's name, window and hop, if it is one of BSS Eval's.
std::optional<BssEvalOptions> options_of(const std::string& name, std::size_t window, std::size_t hop) {
  const auto has = [&](const char* text) { return name.find(text) != std::string::npos; };
  if (has("fast_bss") || has("nussl") || has("seed") || name == "museval.bss_eval" || name == "museval.evaluate") return std::nullopt;
  BssEvalOptions options{.window_frames = window, .hop_frames = hop, .framewise_filters = true};
  options.permute = has("perm]") || has("perm,") || has("[perm");
  if (has("sources")) options.criteria = BssCriteria::kSources;
  if (has("v4")) options.framewise_filters = false;
  if (!has("framewise") && !has("[v") && !has("v3")) options.window_frames = 0;
  if (has("whole clip")) options.window_frames = 0;
  return options;
}

class BssEvalGolden : public ::testing::Test {
 protected:
  ThreadPool pool{2};
  RunContext run{pool};
};

TEST_F(BssEvalGolden, MonoSourcesEqualMirEvalAndMuseval) {
  UNBRAID_NEEDS_FIXTURE("metrics/bss_mono3.json");
  const json fixture = load_json("metrics/bss_mono3.json");
  const auto references = load_all("metrics", fixture["ref"]), estimates = load_all("metrics", fixture["est"]);
  int compared = 0;
  for (const auto& [name, result] : fixture["results"].items()) {
    const json& params = result["params"];
    auto options = options_of(name, params.value("window", 0), params.value("hop", 1));
    if (!options) continue;
    options->filter_length = params.value("filters_len", 512);
    const auto scores = bss_eval(views(references), views(estimates), *options, run);
    expect_scores(result["expected"], scores, tolerance_db(result), name);
    if (options->permute) {
      for (std::size_t j = 0; j < references.size(); ++j) {
        const json& order = result["expected"]["perm"][j];
        EXPECT_EQ(scores.permutation[0][j], number(order.is_array() ? order[0] : order)) << name;
      }
    }
    ++compared;
  }
  EXPECT_EQ(compared, 11);
}

TEST_F(BssEvalGolden, StereoImagesEqualMirEvalAndMuseval) {
  UNBRAID_NEEDS_FIXTURE("metrics/bss_stereo2.json");
  const json fixture = load_json("metrics/bss_stereo2.json");
  const auto references = load_all("metrics", fixture["ref"]), given = load_all("metrics", fixture["est"]);
  const std::vector<AudioBuffer> in_order{given[1], given[0]};  // the fixture's "unpermute"
  int compared = 0;
  for (const auto& [name, result] : fixture["results"].items()) {
    const json& params = result["params"];
    const auto frames = [&](const char* a, const char* b) -> std::size_t {
      const json& value = params.contains(a) ? params[a] : params.contains(b) ? params[b] : json(1);
      return value.is_string() ? 0 : value.get<std::size_t>();
    };
    auto options = options_of(name, frames("window", "win"), std::max<std::size_t>(frames("hop", "hop"), 1));
    if (!options) continue;
    const auto scores = bss_eval(views(references), views(params.contains("order") ? in_order : given), *options, run);
    expect_scores(result["expected"], scores, tolerance_db(result), name);
    ++compared;
  }
  EXPECT_EQ(compared, 11);
}

TEST_F(BssEvalGolden, EdgeCases) {
  UNBRAID_NEEDS_FIXTURE("metrics/edge_cases.json");
  const json fixture = load_json("metrics/edge_cases.json");
  int compared = 0, refused = 0;
  for (const auto& [name, edge] : fixture["cases"].items()) {
    if (!edge.contains("ref")) continue;
    const auto references = load_sources("metrics/" + edge["ref"].get<std::string>());
    auto estimates = load_sources("metrics/" + edge["est"].get<std::string>());
    for (const auto& [function, result] : edge["results"].items()) {
      auto options = options_of(function, fixture["win"], fixture["hop"]);
      if (!options) continue;
      options->compat = true;
      const std::string what = name + ": " + function;
      // museval.evaluate cuts or pads estimates to the references' length; that is its caller's work here.
      std::vector<AudioBuffer> fitted = estimates;
      if (function.find("padding]") != std::string::npos || function.find("[v3,win") != std::string::npos) {
        for (AudioBuffer& estimate : fitted) {
          AudioBuffer out(estimate.channels(), references[0].frames());
          for (std::size_t c = 0; c < out.channels(); ++c)
            std::copy_n(estimate.channel(c).begin(), std::min(estimate.frames(), out.frames()), out.channel(c).begin());
          estimate = std::move(out);
        }
      }
      if (result.contains("raises")) {
        EXPECT_THROW(bss_eval(views(references), views(fitted), *options, run), Error) << what;
        ++refused;
        continue;
      }
      const auto scores = bss_eval(views(references), views(fitted), *options, run);
      const json& expected = result["returns"];
      // Two equal references tie exactly: rounding decides which of the two orders is "best".
      if (name == "duplicate_references" && options->permute) continue;
      expect_scores(expected, scores, 1e-6, what);
      ++compared;
    }
  }
  EXPECT_GT(compared, 150);
  EXPECT_GT(refused, 30);
}

TEST_F(BssEvalGolden, MirEvalsOwnData) {
  UNBRAID_NEEDS_FIXTURE("metrics/mir_eval_data/cases.json");
  const json fixture = load_json("metrics/mir_eval_data/cases.json");
  for (const auto& [number_of_case, data] : fixture["cases"].items()) {
    const auto mono = [&](const json& names) {
      std::vector<AudioBuffer> result;
      for (const AudioBuffer& audio : load_all("metrics/mir_eval_data", names)) {
        AudioBuffer sum(1, audio.frames());
        for (std::size_t c = 0; c < audio.channels(); ++c)
          add_scaled(AudioView(audio.channel(c).data(), 1, audio.frames(), audio.frames()), 1.0f / static_cast<float>(audio.channels()),
                     sum);
        result.push_back(std::move(sum));
      }
      return result;
    };
    const auto references = mono(data["ref"]), estimates = mono(data["est"]);
    for (const auto& [name, result] : data["python_results"].items()) {
      if (name.find("fast_bss") == 0 || name.find("seed") == 0) continue;
      if (name.find("multichannel") != std::string::npos || name.find("images_framewise") != std::string::npos) continue;  // below
      std::size_t window = 0, hop = 1;
      std::sscanf(name.c_str(), "bss_eval_sources_framewise[win=%zu,hop=%zu]", &window, &hop);
      auto options = options_of(name, window, hop);
      if (window == 0) options->window_frames = 0;
      options->criteria = name.find("sources") != std::string::npos ? BssCriteria::kSources : BssCriteria::kImages;
      const auto scores = bss_eval(views(references), views(estimates), *options, run);
      expect_scores(result["expected"], scores, tolerance_db(result), number_of_case + " " + name);
    }
    // MATLAB's numbers, printed with fewer digits: mir_eval's own tests allow 1e-2 dB.
    const json& matlab = data["matlab_expected"]["Sources"];
    auto options = BssEvalOptions::v3(BssCriteria::kSources);
    options.permute = true;
    const auto scores = bss_eval(views(references), views(estimates), options, run);
    expect_scores({{"SDR", matlab["Source to Distortion"]}, {"SAR", matlab["Source to Artifact"]}}, scores, 1e-2,
                  number_of_case + " MATLAB");
  }
}

// Identical channels make the normal equations exactly singular; the projection is still well defined.
TEST_F(BssEvalGolden, MirEvalsMultichannelData) {
  UNBRAID_NEEDS_FIXTURE("metrics/mir_eval_data/cases.json");
  const json fixture = load_json("metrics/mir_eval_data/cases.json");
  for (const auto& [number_of_case, data] : fixture["cases"].items()) {
    for (const auto& [name, result] : data["python_results"].items()) {
      if (name.find("multichannel") == std::string::npos) continue;
      const double gain = number(data["matlab_expected"]["Images"]["gain"]);
      const auto stereo = [&](const json& names, double second) {
        std::vector<AudioBuffer> out;
        for (const AudioBuffer& audio : load_all("metrics/mir_eval_data", names)) {
          AudioBuffer image(2, audio.frames());
          for (std::size_t n = 0; n < audio.frames(); ++n) {
            float sum = 0;
            for (std::size_t c = 0; c < audio.channels(); ++c) sum += audio.channel(c)[n];
            image.channel(0)[n] = sum / static_cast<float>(audio.channels());
            image.channel(1)[n] = static_cast<float>(second) * image.channel(0)[n];
          }
          out.push_back(std::move(image));
        }
        return out;
      };
      auto options = BssEvalOptions::v3();
      options.permute = true;
      const auto scores = bss_eval(views(stereo(data["ref"], 1.0)), views(stereo(data["est"], gain)), options, run);
      // float32 rounds gain · sample to 6e-8: about 1e-6 dB where the error is 0 dB below, more where it is smaller.
      expect_scores(result["expected"], scores, std::max(1e-4, tolerance_db(result)), number_of_case + " " + name);
    }
  }
}

// Music Delta's "80s Rock" of MUSDB18: the numbers that museval itself writes.
/// One target of museval's JSON, whose scores are rounded to 1e-5.
void expect_frames(const json& target, const BssSourceScores& got, const std::string& run_name) {
  ASSERT_EQ(target["frames"].size(), got.sdr.size());
  for (std::size_t w = 0; w < got.sdr.size(); ++w) {
    const json& m = target["frames"][w]["metrics"];
    const std::string what = run_name + " " + target["name"].get<std::string>() + " " + std::to_string(w);
    expect_score(number(m["SDR"]), got.sdr[w], 2e-5, what);
    expect_score(number(m["ISR"]), got.isr[w], 2e-5, what);
    expect_score(number(m["SIR"]), got.sir[w], 2e-5, what);
    expect_score(number(m["SAR"]), got.sar[w], 2e-5, what);
  }
}

std::vector<AudioBuffer> vocals_and_accompaniment() {
  std::vector<AudioBuffer> two{testing::load_audio("metrics/museval/vocals.flac"), testing::load_audio("metrics/museval/bass.flac")};
  for (const std::string stem : {"drums", "other"}) add_scaled(testing::load_audio("metrics/museval/" + stem + ".flac"), 1, two[1]);
  return two;
}

// museval's own regression test: noise in [0, 1) for estimates, all of the vocals first.
TEST_F(BssEvalGolden, MuseValRandomEstimates) {
  UNBRAID_NEEDS_FIXTURE("metrics/museval/museval_random_float64.json");
  const std::vector<AudioBuffer> references = vocals_and_accompaniment();
  std::mt19937 generator(0);  // NOLINT(cert-msc32-c,cert-msc51-cpp): NumPy's seed 0 is the point
  const auto uniform = [&] {
    const double high = static_cast<double>(generator() >> 5), low = static_cast<double>(generator() >> 6);
    return (high * 67108864.0 + low) / 9007199254740992.0;
  };
  std::vector<AudioBuffer> exact, sixteen_bits;
  for (const std::string name : {"vocals", "accompaniment"}) {
    AudioBuffer& noise = exact.emplace_back(2, references[0].frames());
    for (std::size_t n = 0; n < noise.frames(); ++n)
      for (std::size_t c = 0; c < 2; ++c) noise.channel(c)[n] = static_cast<float>(uniform());
    sixteen_bits.push_back(testing::load_audio("metrics/museval/random16_" + name + ".flac"));
  }
  EXPECT_FLOAT_EQ(exact[0].channel(1)[0], 0.7151893663724195F);  // the recipe's second value
  const auto check = [&](const std::vector<AudioBuffer>& estimates, const std::string& file) {
    const auto scores = bss_eval(views(references), views(estimates), BssEvalOptions::v4(44100), run);
    const json expected = load_json("metrics/museval/" + file);
    ASSERT_EQ(expected["targets"].size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) expect_frames(expected["targets"][i], scores.sources[i], file);
  };
  check(exact, "museval_random_float64.json");
  check(exact, "repo_expected_random.json");
  check(sixteen_bits, "museval_random16.json");
}

TEST_F(BssEvalGolden, MuseValJson) {
  UNBRAID_NEEDS_FIXTURE("metrics/museval/summary.json");
  const json summary = load_json("metrics/museval/summary.json");
  const std::vector<std::string> stems{"drums", "bass", "other", "vocals"};
  std::vector<AudioBuffer> references;
  for (const auto& stem : stems) references.push_back(testing::load_audio("metrics/museval/" + stem + ".flac"));
  const auto accompaniment = [](const std::vector<AudioBuffer>& four) {
    AudioBuffer sum(four[0]);
    add_scaled(four[1], 1, sum);
    add_scaled(four[2], 1, sum);
    return sum;
  };
  for (const std::string run_name : {"ibm", "irm", "wiener"}) {
    std::vector<AudioBuffer> estimates;
    for (const auto& stem : stems) estimates.push_back(testing::load_audio("metrics/museval/" + run_name + "_" + stem + ".flac"));
    const auto four = bss_eval(views(references), views(estimates), BssEvalOptions::v4(44100), run);
    const std::vector<AudioBuffer> two_references{references[3], accompaniment(references)};
    const std::vector<AudioBuffer> two_estimates{estimates[3], accompaniment(estimates)};
    const auto two = bss_eval(views(two_references), views(two_estimates), BssEvalOptions::v4(44100), run);
    EXPECT_LT(four.residual, 1e-12);

    const json expected = load_json("metrics/museval/museval_" + run_name + ".json");
    ASSERT_EQ(expected["targets"].size(), 5u);
    for (const json& target : expected["targets"]) {
      const std::string name = target["name"];
      const auto at = static_cast<std::size_t>(std::ranges::find(stems, name) - stems.begin());
      const BssSourceScores& got = name == "vocals" ? two.sources[0] : at == 4 ? two.sources[1] : four.sources[at];
      expect_frames(target, got, run_name);
    }
    if (run_name == "irm") {
      expect_scores(summary["irm_unrounded_4src_order_drums_bass_other_vocals"], four, 1e-5, "unrounded v4");
      BssEvalOptions v3 = BssEvalOptions::v4(44100);
      v3.framewise_filters = true;
      expect_scores(summary["irm_unrounded_4src_v3"], bss_eval(views(references), views(estimates), v3, run), 1e-5, "unrounded v3");
    }
  }
}

}  // namespace
}  // namespace unbraid::metrics
