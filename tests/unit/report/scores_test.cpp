#include "unbraid/report/scores.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/fixtures.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/metrics/conformance.hpp"
#include "unbraid/report/evaluation_page.hpp"

namespace unbraid::report {
namespace {

std::vector<evaluate::TrackResult> results() {
  std::vector<evaluate::TrackResult> tracks;
  for (int i = 0; i < 3; ++i) {
    evaluate::TrackResult track{.name = i == 0 ? "A, <b> & \"c\" 夜" : "track" + std::to_string(i),
                                .sample_rate = 44100,
                                .seconds = 2,
                                .window_s = 1,
                                .window_start_s = {0, 1}};
    evaluate::TargetResult vocals{.name = "vocals", .metrics = {{"bsseval_v4.SDR", 5.0 + i}, {"sdr", 4.0 + i}}};
    vocals.windows = {.sdr = {5.0 + i, NAN}, .isr = {9, NAN}, .sir = {INFINITY, NAN}, .sar = {3.123456, NAN}};
    vocals.reference_levels = vocals.estimate_levels = {.columns = 2, .bands = 2, .db = {-10, -20, -30, -40}};
    evaluate::TargetResult drums{.name = "drums", .not_applicable = "the reference is silent throughout", .metrics = {{"sdr", NAN}}};
    track.targets = {vocals, drums};
    tracks.push_back(std::move(track));
  }
  return tracks;
}

TEST(EvaluationJson, HasTheDocumentedShape) {
  const auto document = nlohmann::json::parse(evaluation_json({.tracks = results()}));
  EXPECT_EQ(document["schema"], "unbraid.evaluate/1");
  EXPECT_EQ(document["conformance"], metrics::kConformance);
  ASSERT_EQ(document["tracks"].size(), 3u);
  const auto& vocals = document["tracks"][1]["targets"][0];
  EXPECT_EQ(vocals["metrics"]["bsseval_v4"]["SDR"], 6.0);
  EXPECT_EQ(vocals["metrics"]["sdr"], 5.0);
  EXPECT_TRUE(document["tracks"][1]["targets"][1]["metrics"]["sdr"].is_null());
  EXPECT_EQ(document["aggregate"]["vocals"]["bsseval_v4"]["SDR"]["median"], 6.0);
  EXPECT_EQ(document["aggregate"]["drums"]["sdr"]["tracks"], 0);
  EXPECT_EQ(document["overall"]["sdr"]["scores"], 3);
  EXPECT_EQ(document["overall"]["sdr"]["mean"], 5.0);
}

TEST(EvaluationJson, ReadsBack) {
  testing::TemporaryFolder folder;
  write_file_atomically(folder / "evaluate.json", evaluation_json({.tracks = results()}));
  const auto [conformance, scores] = read_scores(folder.path());
  EXPECT_EQ(conformance, metrics::kConformance);
  EXPECT_EQ(scores.size(), 6u);  // two of each track's vocals; nothing of the silent drums
  const auto comparisons = evaluate::compare(scores, scores);
  EXPECT_EQ(comparisons[0].mean_difference, 0);
  const auto document = nlohmann::json::parse(comparison_json(comparisons, 7));
  EXPECT_EQ(document["schema"], "unbraid.compare/1");
  EXPECT_EQ(document["conformance"], 7);
  EXPECT_EQ(document["comparisons"][0]["tracks"], 3);
  EXPECT_THROW(read_scores(folder / "nothing"), Error);
  write_file_atomically(folder / "evaluate.json", "{\"schema\": \"other\"}");
  EXPECT_THROW(read_scores(folder.path()), Error);
  write_file_atomically(folder / "evaluate.json", "{\"schema\": \"unbraid.evaluate/1\", \"tracks\": []}");  // of what conformance?
  EXPECT_THROW(read_scores(folder.path()), Error);
  write_file_atomically(folder / "evaluate.json", "{\"schema\": \"unbraid.evaluate/1\", \"conformance\": 1, \"tracks\": [{}]}");
  EXPECT_THROW(read_scores(folder.path()), Error);
}

TEST(MuseValJson, RoundsAndLeavesOutWhatIsNoNumber) {
  const std::string text = museval_json(results()[0]);
  EXPECT_NE(text.find("\"SAR\": 3.12346"), std::string::npos);
  EXPECT_NE(text.find("\"SIR\": NaN"), std::string::npos);
  EXPECT_NE(text.find("\"time\": 1.00000"), std::string::npos);
}

TEST(Tables, QuoteAndLeaveEmpty) {
  const std::string csv = scores_csv(results());
  EXPECT_NE(csv.find("\"A, <b> & \"\"c\"\" 夜\",vocals,sdr,4\n"), std::string::npos);
  EXPECT_NE(csv.find("track1,drums,sdr,\n"), std::string::npos);
  const std::string markdown = summary_markdown({.tracks = results()});
  EXPECT_NE(markdown.find("| vocals | 6.00 (6.00 ± 1.00) | 5.00 (5.00 ± 1.00) |"), std::string::npos);
  EXPECT_NE(markdown.find("| drums | — | — |"), std::string::npos);
  EXPECT_NE(markdown.find("| *all* | 6.00 (6.00 ± 1.00) | 5.00 (5.00 ± 1.00) |"), std::string::npos);
}

TEST(Tables, ShowInfiniteScoresAndJsonDoesNot) {
  EXPECT_EQ(score_text(INFINITY), "∞");
  EXPECT_EQ(score_text(-INFINITY), "−∞");
  EXPECT_EQ(score_text(NAN), "—");
  EXPECT_EQ(score_text(1.006), "1.01");
  std::vector<evaluate::TrackResult> perfect{{.name = "song"}};
  perfect[0].targets = {{.name = "vocals", .metrics = {{"sdr", 3}, {"si_sdr", INFINITY}}}};
  const evaluate::DatasetResult result{.tracks = perfect};
  EXPECT_NE(summary_markdown(result).find("| vocals | 3.00 | ∞ |"), std::string::npos);
  EXPECT_EQ(summary_markdown(result).find("all"), std::string::npos);  // one target is all
  const std::string page = evaluation_page(result);
  EXPECT_NE(page.find("<td>∞</td>"), std::string::npos);
  EXPECT_NE(page.find("<td data-v=\"Infinity\">∞</td>"), std::string::npos);
  const auto document = nlohmann::json::parse(evaluation_json(result));
  EXPECT_TRUE(document["tracks"][0]["targets"][0]["metrics"]["si_sdr"].is_null());
  EXPECT_TRUE(document["aggregate"]["vocals"]["si_sdr"]["median"].is_null());
}

TEST(EvaluationJson, SplitsAreReadBack) {
  testing::TemporaryFolder folder;
  evaluate::DatasetResult result{.tracks = results()};
  result.tracks[1].split = "test";
  EXPECT_EQ(nlohmann::json::parse(evaluation_json(result))["tracks"][1]["split"], "test");
  write_file_atomically(folder / "evaluate.json", evaluation_json(result));
  std::size_t of_test = 0;
  for (const evaluate::Score& score : read_scores(folder.path()).scores) of_test += score.split == "test";
  EXPECT_EQ(of_test, 2u);
  EXPECT_NE(scores_csv(result.tracks).find("test/track1,vocals,sdr,5\n"), std::string::npos);
  EXPECT_NE(evaluation_page(result).find("<summary>test/track1</summary>"), std::string::npos);
}

TEST(EvaluationJson, NamesTheTracksWithoutScores) {
  const evaluate::DatasetResult result{
      .tracks = results(), .missing = {"d"}, .extra = {"test/e"}, .failures = {{"b", "at 16000 Hz, <resample> it"}}};
  const auto document = nlohmann::json::parse(evaluation_json(result));
  EXPECT_EQ(document["failed"]["b"], "at 16000 Hz, <resample> it");
  EXPECT_EQ(document["missing_tracks"], nlohmann::json({"d"}));
  EXPECT_EQ(document["extra_tracks"], nlohmann::json({"test/e"}));
  const std::string markdown = summary_markdown(result), page = evaluation_page(result);
  for (const char* line : {"d: no estimate", "test/e: no reference"}) {
    EXPECT_NE(markdown.find(line), std::string::npos) << line;
    EXPECT_NE(page.find(line), std::string::npos) << line;
  }
  EXPECT_NE(markdown.find("- b: at 16000 Hz, <resample> it\n"), std::string::npos);
  EXPECT_NE(page.find("<li>b: at 16000 Hz, &lt;resample&gt; it</li>"), std::string::npos);
  EXPECT_EQ(evaluation_page({.tracks = results()}).find("Not scored"), std::string::npos);
}

TEST(EvaluationJson, NamesThatAreNotUtf8AreReplaced) {
  evaluate::DatasetResult result{.tracks = results(), .missing = {"caf\xe9"}};
  result.tracks[0].name = "caf\xe9";
  result.tracks[0].targets[0].name = "voix\xe9";
  EXPECT_EQ(nlohmann::json::parse(evaluation_json(result))["tracks"][0]["name"], "caf\xef\xbf\xbd");
  EXPECT_NE(museval_json(result.tracks[0]).find("voix\xef\xbf\xbd"), std::string::npos);
  const std::vector<evaluate::Score> scores = evaluate::scores_of(result.tracks);
  EXPECT_NO_THROW(comparison_json(evaluate::compare(scores, scores), metrics::kConformance));
}

TEST(Tables, ResidualsSayWhichInfinityTheyAre) {
  EXPECT_EQ(residual_text(-60.04), "-60.0 dB");
  EXPECT_EQ(residual_text(-INFINITY), "none");
  EXPECT_EQ(residual_text(INFINITY), "∞ dB");
  EXPECT_EQ(residual_text(-NAN), "n/a");
}

TEST(EvaluationPage, IsOneFileThatEscapesNames) {
  const std::string page = evaluation_page({.tracks = results()}, {.title = "<script>"});
  EXPECT_EQ(page.find("<title><script>"), std::string::npos);
  EXPECT_NE(page.find("A, &lt;b&gt; &amp; &quot;c&quot; 夜"), std::string::npos);
  EXPECT_EQ(page.find("http://", page.find("</svg>") == std::string::npos ? 0 : page.rfind("</svg>")), std::string::npos);
  EXPECT_EQ(page.find("src=\"http"), std::string::npos);
  EXPECT_NE(page.find("data:image/png;base64,iVBOR"), std::string::npos);
  EXPECT_NE(page.find("not applicable: the reference is silent throughout"), std::string::npos);
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_NE(page.find("width=device-width"), std::string::npos);
  EXPECT_NO_THROW(evaluation_page({}));
}

}  // namespace
}  // namespace unbraid::report
