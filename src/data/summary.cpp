#include "unbraid/data/summary.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "unbraid/core/error.hpp"

namespace unbraid::data {

namespace {

/// JSON has no infinities: they and NaN become null.
nlohmann::json finite(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr); }

nlohmann::json to_json(const SourceInfo& info) {
  return {{"sample_rate", info.sample_rate}, {"channels", info.channels}, {"frames", info.frames}, {"duration_s", info.seconds()}};
}

}  // namespace

TrackSummary summarise(const Dataset& dataset, std::size_t index) {
  TrackSummary summary{.name = dataset.track_name(index), .split = dataset.split(index)};
  try {
    Track track = dataset.track(index);
    summary.mixture = track.mixture->info();
    summary.stems = std::move(track.stems);
    summary.metadata = std::move(track.metadata);
    summary.warnings = std::move(track.warnings);
  } catch (const Error& error) {
    summary.error = error.what();
  }
  return summary;
}

std::vector<TrackSummary> summarise(const Dataset& dataset, RunContext& run) {
  std::vector<TrackSummary> summaries(dataset.size());
  run.pool.parallel_for(dataset.size(), [&](std::size_t i) {
    run.cancel.check();
    summaries[i] = summarise(dataset, i);
  });
  return summaries;
}

std::vector<StemCount> by_stem_count(const Dataset& dataset, RunContext& run) {
  std::vector<StemCount> counts;
  const std::vector<TrackSummary> summaries = summarise(dataset, run);
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    if (summaries[i].error.empty()) counts.push_back({i, summaries[i].stems.size()});
  }
  std::ranges::stable_sort(counts, {}, &StemCount::stems);
  return counts;
}

nlohmann::json to_json(const TrackSummary& summary) {
  nlohmann::json json = to_json(summary.mixture);
  json["track"] = summary.name;
  json["split"] = summary.split;
  json["metadata"] = summary.metadata;
  json["warnings"] = summary.warnings;
  json["stems"] = nlohmann::json::array();
  for (const TrackStem& stem : summary.stems) {
    json["stems"].push_back({{"name", stem.name}, {"instrument", stem.instrument}, {"metadata", stem.metadata}});
  }
  if (!summary.error.empty()) json["error"] = summary.error;
  return json;
}

nlohmann::json to_json(const TrackCheck& check) {
  nlohmann::json json = to_json(check.mixture);
  json["track"] = check.name;
  json["split"] = check.split;
  json["ok"] = check.ok();
  json["correlation"] = finite(check.correlation);
  json["residual_db"] = finite(check.residual_db);
  json["problems"] = check.problems;
  json["notes"] = check.notes;
  json["stems"] = nlohmann::json::array();
  for (const StemCheck& stem : check.stems) {
    nlohmann::json entry = to_json(stem.info);
    entry["name"] = stem.name;
    entry["rms_db"] = finite(stem.rms_db);
    entry["peak_db"] = finite(stem.peak_db);
    json["stems"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace unbraid::data
