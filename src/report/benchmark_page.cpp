#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/page_style.hpp"
#include "report/quoted_scores.hpp"
#include "report/speed_plot.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/evaluate/ranking.hpp"
#include "unbraid/metrics/conformance.hpp"
#include "unbraid/metrics/summary.hpp"
#include "unbraid/report/benchmark_report.hpp"
#include "unbraid/report/box_plot.hpp"
#include "unbraid/report/scores.hpp"

namespace unbraid::report {

namespace {

using evaluate::BenchmarkRun;
using evaluate::Contender;
using evaluate::Ranking;
using evaluate::RankingRow;

constexpr double kSignificant = 0.05;

constexpr const char* kBenchmarkStyle = R"css(
.dot { fill: var(--accent); } .ring { fill: var(--paper); stroke: var(--accent); stroke-width: 2; }
svg [stroke="#666"] { stroke: var(--soft); }
svg text { stroke: var(--paper); stroke-width: 3px; paint-order: stroke; }
tr.bound td { font-style: italic; color: var(--soft); } td.best { font-weight: 700; color: var(--accent); }
td.far { white-space: normal; text-align: left; min-width: 14rem; } .quoted { border-left: 4px solid var(--line); padding-left: .8rem; }
)css";

std::string cell(double value, const char* style = "", const std::string& remark = {}) {
  if (std::isnan(value)) return "<td data-v=\"\">—</td>";
  const std::string sort_key = std::isinf(value) ? (value > 0 ? "Infinity" : "-Infinity") : fmt::format("{:.6g}", value);
  return fmt::format("<td{} data-v=\"{}\">{}{}</td>", style, sort_key, score_text(value), remark);
}

std::string p_cell(double p) {
  if (!std::isfinite(p)) return "<td data-v=\"\">—</td>";
  return fmt::format("<td data-v=\"{:.6g}\">{}</td>", p, p < 0.001 ? "&lt; 0.001" : fmt::format("{:.3f}", p));
}

bool is_method(const BenchmarkRun& run, std::size_t contender) { return run.contenders[contender].kind == Contender::Kind::kMethod; }

std::string label(const BenchmarkRun& run, const RankingRow& row) { return run.contenders[row.contender].name + (row.chosen ? " *" : ""); }

std::string summary(const BenchmarkRun& run, const std::vector<Ranking>& rankings, const std::string& metric) {
  std::string html = "<div class=\"wide\"><table class=\"sortable\"><thead><tr><th><button>method</button></th>";
  for (const Ranking& r : rankings) html += fmt::format("<th><button>{}</button></th>", escape_html(r.target));
  html += "<th><button>mean</button></th><th><button>× real time</button></th></tr></thead><tbody>\n";
  for (std::size_t c = 0; c < run.contenders.size(); ++c) {
    std::string cells, star;
    for (const Ranking& ranking : rankings) {
      const RankingRow* const row = ranking.find(c);
      if (row) star = row->chosen ? " *" : "";
      const std::string lacking = row && row->tracks < ranking.tracks ? fmt::format(" ({}/{})", row->tracks, ranking.tracks) : "";
      cells += cell(row ? row->median : NAN, row && row->rank == 1 ? " class=\"best\"" : "", lacking);
    }
    const double speed = run.realtime_factor(c);
    html += fmt::format("<tr{}><td>{}{}</td>{}{}", is_method(run, c) ? "" : " class=\"bound\"", escape_html(run.contenders[c].name), star,
                        cells, cell(evaluate::mean_over_targets(run, c, metric)));
    html += std::isfinite(speed) ? fmt::format("<td data-v=\"{:.6g}\">{}</td></tr>\n", speed, speed_text(speed))
                                 : std::string("<td data-v=\"\">—</td></tr>\n");
  }
  return html + "</tbody></table></div>\n";
}

std::string speed_plots(const BenchmarkRun& run, const std::vector<Ranking>& rankings, const std::string& metric) {
  std::string html = "<div class=\"plots\">\n";
  for (const Ranking& ranking : rankings) {
    if (ranking.rows.empty()) continue;
    std::vector<SpeedPoint> points;
    std::vector<QualityLine> lines;
    for (const RankingRow& row : ranking.rows)
      points.push_back({run.contenders[row.contender].name, run.realtime_factor(row.contender), row.median, row.chosen});
    for (const RankingRow& row : ranking.bounds) lines.push_back({run.contenders[row.contender].name, row.median});
    html += fmt::format("<figure>{}</figure>\n", speed_plot_svg(points, lines, ranking.target, evaluate::with_unit(metric)));
  }
  return html + "</div>\n";
}

std::string box_plots(const BenchmarkRun& run, const std::vector<Ranking>& rankings) {
  std::string html = "<div class=\"plots\">\n";
  for (const Ranking& ranking : rankings) {
    std::vector<Distribution> distributions;
    for (const auto* rows : {&ranking.bounds, &ranking.rows})
      for (const RankingRow& row : *rows)
        distributions.push_back({label(run, row), run.scores(row.contender, ranking.target, ranking.metric)});
    html += fmt::format("<figure><h3>{}</h3>{}</figure>\n", escape_html(ranking.target),
                        box_plot_svg(distributions, evaluate::with_unit(ranking.metric)));
  }
  return html + "</div>\n";
}

std::string ranking_table(const BenchmarkRun& run, const Ranking& ranking) {
  std::string html = fmt::format(
      "<h3>{}</h3>\n<div class=\"wide\"><table><thead><tr><th>method</th><th>rank</th><th>tracks</th><th>median</th>"
      "<th>95 %</th><th>mean</th><th>p, to the best</th><th>p, to the next</th></tr></thead><tbody>\n",
      escape_html(ranking.target));
  const auto add = [&](const RankingRow& row, bool bound) {
    const bool complete = row.tracks == ranking.tracks;
    const bool ties = !bound && (row.rank == 1 || (complete && !(row.p_best < kSignificant)));
    html +=
        fmt::format("<tr{}><td>{}</td><td>{}</td><td>{}/{}</td>{}", bound ? " class=\"bound\"" : "", escape_html(label(run, row)),
                    bound ? "—" : fmt::to_string(row.rank), row.tracks, ranking.tracks, cell(row.median, ties ? " class=\"best\"" : ""));
    html += std::isfinite(row.median_interval.low)
                ? fmt::format("<td>{:.2f} … {:.2f}</td>", row.median_interval.low, row.median_interval.high)
                : std::string("<td>—</td>");
    html += cell(row.mean) + p_cell(row.p_best) + p_cell(row.p_next) + "</tr>\n";
  };
  for (const RankingRow& row : ranking.bounds) add(row, true);
  for (const RankingRow& row : ranking.rows) add(row, false);
  return html + "</tbody></table></div>\n";
}

/// One line per contender and reason, with how many tracks it concerns.
std::string failures(const BenchmarkRun& run) {
  if (run.failures.empty()) return {};
  std::map<std::pair<std::size_t, std::string>, std::size_t> counts;
  for (const auto& failure : run.failures) ++counts[{failure.contender, failure.reason}];
  std::string html = "<h2>Not separated or not scored</h2>\n<ul>\n";
  for (const auto& [key, tracks] : counts)
    html += fmt::format("<li>{}, {} track{}: {}</li>\n", escape_html(run.contenders[key.first].name), tracks, tracks == 1 ? "" : "s",
                        escape_html(key.second));
  return html + "</ul>\n";
}

std::string quoted_table() {
  std::string html =
      "<h2>Quoted, not measured</h2>\n<div class=\"quoted\">\n<p>What others report about their systems, on other music and "
      "with evaluations of their own. These numbers were not checked here and must not be ranked with those above.</p>\n"
      "<div class=\"wide\"><table class=\"sortable\"><thead><tr><th><button>system</button></th><th><button>dataset</button>"
      "</th><th><button>target</button></th><th><button>metric</button></th><th><button>dB</button></th>"
      "<th><button>source</button></th></tr></thead><tbody>\n";
  const auto text = [](std::string_view s) { return escape_html(std::string(s)); };
  for (const QuotedScore& q : quoted_scores())
    html += fmt::format(
        "<tr><td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td>{}"
        "<td class=\"far\">{}</td></tr>\n",
        text(q.system), text(q.dataset), text(q.target), text(q.metric), cell(q.value), text(q.source));
  return html + "</tbody></table></div>\n</div>\n";
}

}  // namespace

std::string benchmark_page(const BenchmarkRun& run, const BenchmarkReportOptions& options) {
  const auto rankings = evaluate::rank(run, options.metric);
  const std::string title = escape_html(options.dataset.empty() ? "Benchmark" : fmt::format("Benchmark on {}", options.dataset));
  const auto methods = std::ranges::count(run.contenders, Contender::Kind::kMethod, &Contender::kind);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>{}{}</style>\n</head>\n<body>\n"
      "<h1>{}</h1>\n<p>{} method{}, {} track{}. Unbraid {}, scores of conformance {}.</p>\n",
      title, kPageStyle, kBenchmarkStyle, title, methods, methods == 1 ? "" : "s", run.tracks.size(), run.tracks.size() == 1 ? "" : "s",
      version(), metrics::kConformance);
  html += fmt::format(
      "<h2>Summary</h2>\n<p>{}, median of the tracks, of so many where some lack; the best method of each target is marked. Bounds, "
      "in italics, are no methods: oracles know the stems, mix is the mixture itself. × real time: seconds of audio per second of one "
      "processor core.</p>\n<p>* numbered stems: for every target the one that fits it best, chosen with the truth "
      "known.</p>\n",
      escape_html(evaluate::with_unit(options.metric)));
  html += summary(run, rankings, options.metric);
  html +=
      fmt::format("<h2>Quality against speed</h2>\n<p>{} is better, right is faster. Rings: methods marked with *. Dashed: bounds.</p>\n",
                  evaluate::lower_is_better(options.metric) ? "Down" : "Up");
  html += speed_plots(run, rankings, options.metric);
  if (run.tracks.size() > 1) html += "<h2>Distributions</h2>\n" + box_plots(run, rankings);
  html +=
      "<h2>Rankings</h2>\n<p>By the median; methods that lack tracks stand below those that have more. p: Wilcoxon's signed-rank test on "
      "the tracks that both have, against the best method (corrected by Holm; none where that lacks tracks) and against the one ranked "
      "above. Marked medians do not differ from the best at the level of 5 %.</p>\n";
  for (const Ranking& ranking : rankings) html += ranking_table(run, ranking);
  html += failures(run) + quoted_table();
  return html + fmt::format("<script>{}</script>\n</body>\n</html>\n", kPageScript);
}

}  // namespace unbraid::report
