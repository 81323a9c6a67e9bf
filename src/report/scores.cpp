#include "unbraid/report/scores.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "unbraid/core/error.hpp"
#include "unbraid/metrics/conformance.hpp"

namespace unbraid::report {

namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json, int indent = 2) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

/// out["bsseval_v4"]["SDR"] for "bsseval_v4.SDR".
Json& slot(Json& out, const std::string& metric) {
  const std::size_t dot = metric.find('.');
  return dot == std::string::npos ? out[metric] : out[metric.substr(0, dot)][metric.substr(dot + 1)];
}

Json track_json(const evaluate::TrackResult& track) {
  Json targets = Json::array();
  for (const evaluate::TargetResult& target : track.targets) {
    Json metrics = Json::object();
    for (const auto& [name, value] : target.metrics) slot(metrics, name) = number(value);
    targets.push_back({{"name", target.name},
                       {"not_applicable", target.not_applicable.empty() ? Json(nullptr) : Json(target.not_applicable)},
                       {"metrics", metrics}});
  }
  return {{"name", track.name},       {"split", track.split}, {"sample_rate", track.sample_rate}, {"duration_s", track.seconds},
          {"missing", track.missing}, {"extra", track.extra}, {"warnings", track.warnings},       {"targets", targets}};
}

/// count: what its number of scores is called.
Json summary_json(const evaluate::Summary& s, const char* count) {
  return {{count, s.tracks},
          {"median", number(s.median)},
          {"mean", number(s.mean)},
          {"std", number(s.standard_deviation)},
          {"median_low", number(s.median_interval.low)},
          {"median_high", number(s.median_interval.high)}};
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

Json pairs_json(std::span<const evaluate::Comparison::Pair> pairs) {
  Json list = Json::array();
  for (const auto& pair : pairs) list.push_back({{"track", pair.track}, {"a", pair.a}, {"b", pair.b}});
  return list;
}

}  // namespace

std::string score_text(double value) {
  if (std::isinf(value)) return value > 0 ? "∞" : "−∞";
  return std::isnan(value) ? "—" : fmt::format("{:.2f}", value);
}

std::string residual_text(double db) {
  if (std::isnan(db)) return "n/a";
  if (std::isinf(db)) return db > 0 ? "∞ dB" : "none";
  return fmt::format("{:.1f} dB", db);
}

std::string evaluation_json(const evaluate::DatasetResult& result) {
  const std::span<const evaluate::TrackResult> results = result.tracks;
  Json tracks = Json::array(), aggregate = Json::object(), overall = Json::object(), failed = Json::object();
  for (const auto& track : results) tracks.push_back(track_json(track));
  for (const auto& failure : result.failures) failed[failure.track] = failure.reason;
  for (const auto& [target, metrics] : evaluate::aggregate(results))
    for (const auto& [metric, s] : metrics) slot(aggregate[target], metric) = summary_json(s, "tracks");
  for (const auto& [metric, s] : evaluate::overall(results)) slot(overall, metric) = summary_json(s, "scores");
  return text_of({{"schema", "unbraid.evaluate/1"},
                  {"conformance", metrics::kConformance},
                  {"tracks", tracks},
                  {"aggregate", aggregate},
                  {"overall", overall},
                  {"failed", failed},
                  {"missing_tracks", result.missing},
                  {"extra_tracks", result.extra}});
}

std::string museval_json(const evaluate::TrackResult& track) {
  const auto rounded = [](double value) { return std::isfinite(value) ? fmt::format("{:.5f}", value) : "NaN"; };
  std::string targets;
  for (const evaluate::TargetResult& target : track.targets) {
    std::string frames;
    for (std::size_t w = 0; w < target.windows.sdr.size(); ++w) {
      frames += fmt::format(R"({}{{"time": {:.5f}, "duration": {:.5f}, "metrics": {{"SDR": {}, "SIR": {}, "SAR": {}, "ISR": {}}}}})",
                            w == 0 ? "" : ",\n      ", track.window_start_s[w], track.window_s > 0 ? track.window_s : track.seconds,
                            rounded(target.windows.sdr[w]), rounded(target.windows.sir[w]), rounded(target.windows.sar[w]),
                            rounded(target.windows.isr[w]));
    }
    targets +=
        fmt::format("{}    {{\"name\": {}, \"frames\": [\n      {}]}}", targets.empty() ? "" : ",\n", text_of(target.name, -1), frames);
  }
  return fmt::format("{{\n  \"targets\": [\n{}\n  ]\n}}\n", targets);
}

std::string scores_csv(std::span<const evaluate::TrackResult> results) {
  std::string text = "track,target,metric,value\n";
  for (const evaluate::Score& score : evaluate::scores_of(results))
    text += fmt::format("{},{},{},{}\n", csv_cell(evaluate::TrackId{score.split, score.track}.label()), csv_cell(score.target),
                        score.metric, std::isfinite(score.value) ? fmt::format("{:.10g}", score.value) : "");
  return text;
}

std::vector<std::string> unscored_tracks(const evaluate::DatasetResult& result) {
  std::vector<std::string> lines;
  for (const auto& failure : result.failures) lines.push_back(fmt::format("{}: {}", failure.track, failure.reason));
  for (const std::string& track : result.missing) lines.push_back(track + ": no estimate");
  for (const std::string& track : result.extra) lines.push_back(track + ": no reference");
  return lines;
}

std::string summary_markdown(const evaluate::DatasetResult& result) {
  const std::span<const evaluate::TrackResult> results = result.tracks;
  const std::map<std::string, evaluate::Summary> overall = evaluate::overall(results);
  const evaluate::Summaries summaries = evaluate::aggregate(results);
  std::string head = "| target |", rule = "|---|", rows;
  for (const auto& [metric, summary] : overall) {
    head += fmt::format(" {} |", metric);
    rule += "---:|";
  }
  const auto add_row = [&](const std::string& target, const std::map<std::string, evaluate::Summary>& scores) {
    rows += fmt::format("| {} |", target);
    for (const auto& [metric, summary] : overall) {
      const auto found = scores.find(metric);
      const bool there = found != scores.end() && found->second.tracks > 0;
      if (!there) rows += fmt::format(" {} |", found != scores.end() ? score_text(found->second.median) : "—");
      else if (found->second.tracks == 1) rows += fmt::format(" {:.2f} |", found->second.median);
      else rows += fmt::format(" {:.2f} ({:.2f} ± {:.2f}) |", found->second.median, found->second.mean, found->second.standard_deviation);
    }
    rows += "\n";
  };
  for (const auto& [target, scores] : summaries) add_row(target, scores);
  if (summaries.size() > 1) add_row("*all*", overall);
  std::string text = head + "\n" + rule + "\n" + rows + "\nMedian of the tracks (mean ± standard deviation)" +
                     (summaries.size() > 1 ? "; *all*: of every target's scores alike.\n" : ".\n");
  const std::vector<std::string> unscored = unscored_tracks(result);
  if (!unscored.empty()) text += "\nNot scored:\n\n";
  for (const std::string& line : unscored) text += fmt::format("- {}\n", line);
  return text;
}

StoredScores read_scores(const std::filesystem::path& path) {
  const std::filesystem::path file = std::filesystem::is_directory(path) ? path / "evaluate.json" : path;
  std::ifstream stream(file);
  if (!stream) throw Error{ErrorCode::kNotFound, "no results of an evaluation (evaluate.json)", path.string()};
  const Json document = Json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || document.value("schema", "") != "unbraid.evaluate/1")
    throw Error{ErrorCode::kFormat, "not a document of schema unbraid.evaluate/1", file.string()};
  StoredScores stored;
  try {
    stored.conformance = document.at("conformance");
    for (const Json& track : document.at("tracks")) {
      for (const Json& target : track.at("targets")) {
        const auto add = [&](const std::string& metric, const Json& value) {
          if (value.is_number()) stored.scores.push_back({track.at("name"), target.at("name"), metric, value, track.value("split", "")});
        };
        for (const auto& [metric, value] : target.at("metrics").items()) {
          if (!value.is_object()) add(metric, value);
          else
            for (const auto& [part, inner] : value.items()) add(metric + "." + part, inner);
        }
      }
    }
  } catch (const Json::exception& error) {
    throw Error{ErrorCode::kFormat, error.what(), file.string()};
  }
  return stored;
}

std::string comparison_json(std::span<const evaluate::Comparison> comparisons, int conformance) {
  constexpr std::size_t kShown = 3;
  Json list = Json::array();
  for (const evaluate::Comparison& c : comparisons) {
    const std::size_t shown = std::min(kShown, c.pairs.size());
    list.push_back({{"target", c.target},
                    {"metric", c.metric},
                    {"tracks", c.pairs.size()},
                    {"median_a", number(c.median_a)},
                    {"median_b", number(c.median_b)},
                    {"mean_difference", number(c.mean_difference)},
                    {"mean_low", number(c.mean_interval.low)},
                    {"mean_high", number(c.mean_interval.high)},
                    {"median_difference", number(c.median_difference)},
                    {"p_value", number(c.p_value)},
                    {"best", pairs_json({c.pairs.data(), shown})},
                    {"worst", pairs_json({c.pairs.data() + c.pairs.size() - shown, shown})}});
  }
  return text_of({{"schema", "unbraid.compare/1"}, {"conformance", conformance}, {"comparisons", list}});
}

}  // namespace unbraid::report
