#include "unbraid/report/benchmark_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "report/quoted_scores.hpp"
#include "report/speed_plot.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/evaluate/ranking.hpp"
#include "unbraid/metrics/conformance.hpp"
#include "unbraid/metrics/summary.hpp"
#include "unbraid/report/scores.hpp"
#include "unbraid/report/text_table.hpp"

namespace unbraid::report {

namespace {

using evaluate::BenchmarkRun;
using evaluate::Contender;
using nlohmann::ordered_json;

ordered_json finite(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

std::string_view kind_of(const Contender& contender) {
  switch (contender.kind) {
    case Contender::Kind::kMixture: return "mixture";
    case Contender::Kind::kOracle: return "oracle";
    case Contender::Kind::kMethod: break;
  }
  return "method";
}

/// The name of a result in the document: "SDR" for "bsseval_v4.SDR".
std::string short_name(const std::string& metric) {
  if (metric.starts_with("bsseval_v4.")) return metric.substr(11);
  return metric == "si_sdr" ? "SI_SDR" : metric;
}

std::set<std::string> metric_names(const BenchmarkRun& run) {
  std::set<std::string> names;
  for (const auto& entry : run.entries)
    for (const auto& target : entry.scores.targets)
      for (const auto& [name, value] : target.metrics) names.insert(name);
  return names;
}

/// The cells of the table of medians; `best` marks the best method of a target.
std::vector<std::vector<std::string>> median_rows(const BenchmarkRun& run, const BenchmarkReportOptions& options,
                                                  const std::function<std::string(std::string)>& best) {
  const auto rankings = evaluate::rank(run, options.metric);
  std::vector<std::vector<std::string>> rows;
  for (std::size_t c = 0; c < run.contenders.size(); ++c) {
    const bool chosen = std::ranges::any_of(run.entries, [&](const auto& e) { return e.contender == c && e.chosen; });
    std::vector<std::string> row{run.contenders[c].name + (chosen ? " *" : "")};
    for (const evaluate::Ranking& ranking : rankings) {
      const evaluate::RankingRow* const place = ranking.find(c);
      std::string text = score_text(place ? place->median : NAN);
      if (place && place->rank == 1) text = best(text);
      if (place && place->tracks < ranking.tracks) text += fmt::format(" ({}/{})", place->tracks, ranking.tracks);
      row.push_back(std::move(text));
    }
    const double speed = run.realtime_factor(c);
    row.push_back(std::isfinite(speed) ? speed_text(speed) + " ×" : "—");
    rows.push_back(std::move(row));
  }
  return rows;
}

constexpr const char* kStar = "* numbered stems: for every target the one that fits it best, chosen with the truth known";

/// What the numbers of a table are; after_median: a remark on them.
std::string footer(const BenchmarkRun& run, const BenchmarkReportOptions& options, const char* after_median = "") {
  return fmt::format(
      "\n{}, median of {} tracks{}; (1/2): one of two tracks, ranked below those that have more. Speed: seconds of audio per second of "
      "one core.\n{}\n",
      evaluate::with_unit(options.metric), run.tracks.size(), after_median, kStar);
}

}  // namespace

std::string benchmark_json(const BenchmarkRun& run, const BenchmarkReportOptions& options) {
  ordered_json document{{"schema", "unbraid.benchmark/1"},
                        {"version", version()},
                        {"conformance", metrics::kConformance},
                        {"dataset", options.dataset},
                        {"metric", options.metric},
                        {"tracks", run.tracks},
                        {"methods", ordered_json::array()},
                        {"rankings", ordered_json::array()},
                        {"quoted", ordered_json::array()}};
  const auto names = metric_names(run);
  for (std::size_t c = 0; c < run.contenders.size(); ++c) {
    const Contender& contender = run.contenders[c];
    ordered_json method{{"name", contender.name},
                        {"kind", kind_of(contender)},
                        {"chosen", false},
                        {"parameters", contender.parameters},
                        {"targets", ordered_json::object()},
                        {"mean", finite(evaluate::mean_over_targets(run, c, options.metric))},
                        {"realtime_factor", finite(run.realtime_factor(c))},
                        {"failed", ordered_json::object()}};
    for (const auto& entry : run.entries)
      if (entry.contender == c && entry.chosen) method["chosen"] = true;
    for (const std::string& target : run.targets()) {
      ordered_json scores = ordered_json::object();
      for (const std::string& name : names) {
        const auto values = run.scores(c, target, name);
        if (std::ranges::all_of(values, [](double v) { return std::isnan(v); })) continue;
        scores["tracks"] = std::max(scores.value("tracks", std::size_t{0}), metrics::finite_count(values));
        scores[short_name(name)] = finite(metrics::median(values));
      }
      if (!scores.empty()) method["targets"][target] = scores;
    }
    for (const auto& failure : run.failures)
      if (failure.contender == c) method["failed"][run.tracks[failure.track]] = failure.reason;
    document["methods"].push_back(std::move(method));
  }
  for (const auto& ranking : evaluate::rank(run, options.metric)) {
    ordered_json methods = ordered_json::array();
    for (const auto& row : ranking.rows)
      methods.push_back({{"method", run.contenders[row.contender].name},
                         {"rank", row.rank},
                         {"tracks", row.tracks},
                         {"median", finite(row.median)},
                         {"median_low", finite(row.median_interval.low)},
                         {"median_high", finite(row.median_interval.high)},
                         {"mean", finite(row.mean)},
                         {"p_best", finite(row.p_best)},
                         {"p_next", finite(row.p_next)}});
    document["rankings"].push_back(
        {{"target", ranking.target}, {"metric", ranking.metric}, {"tracks", ranking.tracks}, {"methods", methods}});
  }
  for (const QuotedScore& quoted : quoted_scores())
    document["quoted"].push_back({{"system", quoted.system},
                                  {"dataset", quoted.dataset},
                                  {"target", quoted.target},
                                  {"metric", quoted.metric},
                                  {"value", quoted.value},
                                  {"source", quoted.source}});
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

std::string benchmark_csv(const BenchmarkRun& run) {
  const auto quoted = [](const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
    return out + "\"";
  };
  std::string csv = "track,method,kind,target,metric,value\n";
  for (const auto& entry : run.entries) {
    const Contender& contender = run.contenders[entry.contender];
    const std::string head = fmt::format("{},{},{},", quoted(run.tracks[entry.track]), quoted(contender.name), kind_of(contender));
    if (std::isfinite(entry.processor_s)) csv += fmt::format("{},processor_s,{:.4g}\n", head, entry.processor_s);
    for (const auto& target : entry.scores.targets)
      for (const auto& [metric, value] : target.metrics)
        csv += fmt::format("{}{},{},{}\n", head, quoted(target.name), metric, std::isnan(value) ? "" : fmt::format("{:.6f}", value));
  }
  return csv;
}

std::string benchmark_markdown(const BenchmarkRun& run, const BenchmarkReportOptions& options) {
  std::string head = "| method |", rule = "|---|";
  for (const std::string& target : run.targets()) head += fmt::format(" {} |", target), rule += "---:|";
  std::string text = head + " speed |\n" + rule + "---:|\n";
  for (const auto& row : median_rows(run, options, [](std::string cell) { return "**" + cell + "**"; })) {
    for (const std::string& cell : row) text += "| " + cell + " ";
    text += "|\n";
  }
  return text + footer(run, options);
}

std::string benchmark_text(const BenchmarkRun& run, const BenchmarkReportOptions& options) {
  std::vector<Column> columns{{"method"}};
  for (const std::string& target : run.targets()) columns.push_back({target, Align::kRight});
  columns.push_back({"speed", Align::kRight});
  TextTable table(columns);
  for (auto& row : median_rows(run, options, [](std::string cell) { return "›" + cell; })) table.add_row(std::move(row));
  return table.to_string() + footer(run, options, "; › the best method");
}

}  // namespace unbraid::report
