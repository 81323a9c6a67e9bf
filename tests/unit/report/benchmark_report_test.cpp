#include "unbraid/report/benchmark_report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "report/quoted_scores.hpp"
#include "report/speed_plot.hpp"

namespace unbraid::report {
namespace {

using evaluate::BenchmarkRun;
using evaluate::Contender;

BenchmarkRun small_run() {
  BenchmarkRun run;
  run.tracks = {"one", "two, \"quoted\"", "three"};
  run.contenders = {Contender::mixture(), {.name = "fast"}, {.name = "<slow>", .parameters = {{"n", "2"}}}};
  const double vocals[3][3] = {{0, 1, 2}, {3, 4, 8}, {5, 6, NAN}};
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t c = 0; c < 3; ++c) {
      if (c == 2 && t == 2) {
        run.failures.push_back({t, c, ErrorCode::kUnsupported, "needs <two> channels"});
        continue;
      }
      auto& entry = run.entries.emplace_back();
      entry.track = t;
      entry.contender = c;
      entry.scores.seconds = 10;
      entry.chosen = c == 1;
      if (c > 0) entry.processor_s = c == 1 ? 0.1 : 20;
      entry.scores.targets.push_back({.name = "vocals", .metrics = {{"bsseval_v4.SDR", vocals[c][t]}, {"si_sdr", -vocals[c][t]}}});
    }
  return run;
}

const BenchmarkReportOptions kOptions{.dataset = "songs", .metric = "bsseval_v4.SDR"};

TEST(BenchmarkReport, JsonHoldsMediansSpeedRanksAndFailures) {
  const auto json = nlohmann::json::parse(benchmark_json(small_run(), kOptions));
  EXPECT_EQ(json["schema"], "unbraid.benchmark/1");
  ASSERT_EQ(json["methods"].size(), 3u);
  EXPECT_EQ(json["methods"][0]["kind"], "mixture");
  EXPECT_TRUE(json["methods"][0]["realtime_factor"].is_null());
  const auto& fast = json["methods"][1];
  EXPECT_EQ(fast["targets"]["vocals"]["SDR"], 4);
  EXPECT_EQ(fast["targets"]["vocals"]["SI_SDR"], -4);
  EXPECT_EQ(fast["targets"]["vocals"]["tracks"], 3);
  EXPECT_EQ(fast["mean"], 4);
  EXPECT_EQ(fast["chosen"], true);
  EXPECT_NEAR(fast["realtime_factor"], 100, 1e-9);
  const auto& slow = json["methods"][2];
  EXPECT_EQ(slow["targets"]["vocals"]["SDR"], 5.5);
  EXPECT_EQ(slow["parameters"]["n"], "2");
  EXPECT_EQ(slow["failed"]["three"], "needs <two> channels");
  const auto& ranking = json["rankings"][0]["methods"];
  EXPECT_EQ(json["rankings"][0]["tracks"], 3);
  ASSERT_EQ(ranking.size(), 2u);
  EXPECT_EQ(ranking[0]["method"], "fast") << "better on two tracks, but without the third";
  EXPECT_EQ(ranking[1]["method"], "<slow>");
  EXPECT_EQ(ranking[1]["tracks"], 2);
  EXPECT_EQ(json["quoted"].size(), quoted_scores().size());
}

TEST(BenchmarkReport, CsvHasALinePerScoreAndPerTime) {
  const std::string csv = benchmark_csv(small_run());
  EXPECT_EQ(std::ranges::count(csv, '\n'), 1 + 8 * 2 + 5);
  EXPECT_NE(csv.find("\"two, \"\"quoted\"\"\",fast,method,vocals,bsseval_v4.SDR,4.000000\n"), std::string::npos) << csv;
  EXPECT_NE(csv.find("one,fast,method,,processor_s,0.1\n"), std::string::npos);
}

TEST(BenchmarkReport, TablesMarkTheBestMethodAndNotTheBounds) {
  BenchmarkRun run = small_run();
  run.contenders[0] = Contender::oracle("irm");
  for (auto& entry : run.entries)
    if (entry.contender == 0) entry.scores.targets[0].metrics["bsseval_v4.SDR"] = 20;
  const std::string markdown = benchmark_markdown(run, kOptions);
  EXPECT_NE(markdown.find("| oracle:irm | 20.00 | — |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("| fast * | **4.00** | 100 × |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("| <slow> | 5.50 (2/3) |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("bsseval_v4.SDR (dB), median of 3 tracks"), std::string::npos) << markdown;
  EXPECT_NE(benchmark_text(run, kOptions).find("›4.00"), std::string::npos);
  const std::string page = benchmark_page(run, kOptions);
  EXPECT_NE(page.find("<td>2/3</td>"), std::string::npos);
  EXPECT_NE(page.find("5.50 (2/3)</td>"), std::string::npos);
}

TEST(BenchmarkReport, LessIsBetterAndNotInDecibelsWhereTheMetricSaysSo) {
  BenchmarkRun run = small_run();
  for (auto& entry : run.entries) entry.scores.targets[0].metrics = {{"l1_time", entry.contender == 1 ? 0.25 : 0.5}};
  std::erase_if(run.entries, [](const auto& entry) { return entry.track == 2; });
  const BenchmarkReportOptions options{.dataset = "songs", .metric = "l1_time"};
  const std::string markdown = benchmark_markdown(run, options), page = benchmark_page(run, options);
  EXPECT_NE(markdown.find("| fast * | **0.25** |"), std::string::npos) << markdown;
  EXPECT_EQ(markdown.find("dB"), std::string::npos) << markdown;
  EXPECT_EQ(page.substr(0, page.find("Quoted, not measured")).find("dB"), std::string::npos);
  EXPECT_NE(page.find("Down is better"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(benchmark_json(run, options))["rankings"][0]["methods"][0]["method"], "fast");
}

TEST(BenchmarkReport, PerfectEstimatesAreInfinite) {
  BenchmarkRun run = small_run();
  for (auto& entry : run.entries)
    if (entry.contender == 1) entry.scores.targets[0].metrics["bsseval_v4.SDR"] = INFINITY;
  EXPECT_NE(benchmark_markdown(run, kOptions).find("| fast * | **∞** |"), std::string::npos) << benchmark_markdown(run, kOptions);
  EXPECT_NE(benchmark_page(run, kOptions).find("data-v=\"Infinity\">∞</td>"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(benchmark_json(run, kOptions))["methods"][1]["targets"]["vocals"]["SDR"].is_null());
}

TEST(BenchmarkReport, ThePageStandsAloneAndEscapes) {
  const std::string page = benchmark_page(small_run(), kOptions);
  EXPECT_EQ(page.find("<slow>"), std::string::npos);
  EXPECT_NE(page.find("&lt;slow&gt;"), std::string::npos);
  EXPECT_NE(page.find("needs &lt;two&gt; channels"), std::string::npos);
  EXPECT_NE(page.find("Quoted, not measured"), std::string::npos);
  EXPECT_FALSE(std::regex_search(page, std::regex("(src|href)=\"https?:"))) << "nothing is fetched";
  EXPECT_EQ(page.find("nan"), std::string::npos);
}

TEST(BenchmarkReport, QuotedNumbersNameTheirSource) {
  for (const QuotedScore& score : quoted_scores()) {
    EXPECT_FALSE(score.source.empty()) << score.system;
    EXPECT_FALSE(score.dataset.empty()) << score.system;
    EXPECT_TRUE(std::isfinite(score.value));
  }
}

TEST(SpeedPlot, LabelsDoNotCoverOneAnother) {
  std::vector<SpeedPoint> points;
  for (int i = 0; i < 24; ++i) points.push_back({"method" + std::to_string(i), 100.0 + i % 3, 1 + 0.01 * (i % 4)});
  const std::string svg = speed_plot_svg(points, {{"oracle:irm", 3}, {"oracle:ibm", 3.05}}, "drums", "SDR (dB)");
  struct Box {
    double x, y, width;
  };
  std::vector<Box> boxes;
  const std::regex label("<text x=\"([0-9.]+)\" y=\"([0-9.]+)\"[^>]*>((?:method|oracle)[^<]*)<");
  for (std::sregex_iterator it(svg.begin(), svg.end(), label), end; it != end; ++it)
    boxes.push_back({std::stod((*it)[1]), std::stod((*it)[2]), 5.8 * static_cast<double>((*it)[3].length())});
  ASSERT_EQ(boxes.size(), 26u);
  for (std::size_t i = 0; i < boxes.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_TRUE(boxes[i].x >= boxes[j].x + boxes[j].width || boxes[j].x >= boxes[i].x + boxes[i].width ||
                  std::abs(boxes[i].y - boxes[j].y) >= 11.9)
          << i << ' ' << j;
}

TEST(SpeedPlot, SurvivesNothing) {
  EXPECT_NE(speed_plot_svg({}, {}, "a<b", "dB").find("a&lt;b"), std::string::npos);
  EXPECT_EQ(speed_plot_svg({{"x", NAN, 1}, {"y", 0, 1}, {"z", 1, -INFINITY}}, {{"l", NAN}}, "t", "dB").find("<circle"), std::string::npos);
}

}  // namespace
}  // namespace unbraid::report
