// A whole evaluation against the JSON files that museval wrote for the same track, and its summaries.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "support/fixtures.hpp"
#include "unbraid/evaluate/evaluate_track.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/report/scores.hpp"

namespace unbraid::evaluate {
namespace {

using nlohmann::json;
using testing::load_json;
using testing::number;

const std::vector<std::string> kStems{"drums", "bass", "other", "vocals"};

data::Track track(const std::string& prefix) {
  data::Track result{.name = "Music Delta - 80s Rock", .sample_rate = 44100};
  std::vector<data::SourcePtr> sources;
  for (const auto& stem : kStems) {
    const auto file = testing::fixtures() / ("metrics/museval/" + prefix + stem + ".flac");
    sources.push_back(data::file_source(file));
    result.stems.push_back({.name = stem, .instrument = {}, .audio = sources.back()});
  }
  result.mixture = data::sum_source(sources);
  return result;
}

TEST(MuseValJson, WrittenLikeMuseValWritesIt) {
  UNBRAID_NEEDS_FIXTURE("metrics/museval/summary.json");
  ThreadPool pool(2);
  RunContext run{pool};
  const json summary = load_json("metrics/museval/summary.json");
  for (const std::string name : {"ibm", "wiener"}) {
    const TrackResult result = evaluate_track(track(""), track(name + "_"), {.metrics = {"bsseval_v4"}, .accompaniment = true}, run);
    const std::string text = std::regex_replace(report::museval_json(result), std::regex("NaN"), "null");
    const json ours = json::parse(text), theirs = load_json("metrics/museval/museval_" + name + ".json");
    ASSERT_EQ(ours["targets"].size(), theirs["targets"].size());
    for (std::size_t t = 0; t < theirs["targets"].size(); ++t) {
      const json &a = ours["targets"][t], &b = theirs["targets"][t];
      EXPECT_EQ(a["name"], b["name"]);
      ASSERT_EQ(a["frames"].size(), b["frames"].size());
      for (std::size_t w = 0; w < b["frames"].size(); ++w) {
        EXPECT_EQ(a["frames"][w]["time"], b["frames"][w]["time"]);
        EXPECT_EQ(a["frames"][w]["duration"], b["frames"][w]["duration"]);
        for (const auto& [metric, value] : b["frames"][w]["metrics"].items())
          EXPECT_NEAR(number(a["frames"][w]["metrics"][metric]), number(value), 2e-5)  // both are rounded to 1e-5
              << name << " " << b["name"] << " " << w << " " << metric;
      }
    }
    for (const TargetResult& target : result.targets)
      for (const std::string metric : {"SDR", "ISR", "SIR", "SAR"})
        EXPECT_NEAR(target.metrics.at("bsseval_v4." + metric), number(summary["runs"][name]["median_over_frames"][target.name][metric]),
                    2e-5);
  }
}

}  // namespace
}  // namespace unbraid::evaluate
