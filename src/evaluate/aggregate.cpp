#include "unbraid/evaluate/aggregate.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "evaluate/track_pairs.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/metrics/summary.hpp"

namespace unbraid::evaluate {

namespace {

Summary summary_of(const std::vector<double>& scores) {
  return {.tracks = metrics::finite_count(scores),
          .median = metrics::median_or_infinity(scores),
          .mean = metrics::mean(scores),
          .standard_deviation = metrics::standard_deviation(scores, 1),
          .median_interval = bootstrap_median(scores)};
}

TrackId id_of(const Score& score) { return {score.split, score.track}; }

std::vector<TrackId> tracks_of(std::span<const Score> scores) {
  std::set<TrackId> tracks;
  for (const Score& score : scores) tracks.insert(id_of(score));
  return {tracks.begin(), tracks.end()};
}

/// By track, target and metric.
std::map<std::tuple<TrackId, std::string, std::string>, double> table_of(std::span<const Score> scores) {
  std::map<std::tuple<TrackId, std::string, std::string>, double> table;
  for (const Score& score : scores)
    if (!table.emplace(std::tuple(id_of(score), score.target, score.metric), score.value).second)
      throw Error{ErrorCode::kFormat, "several tracks of one result have this name; evaluate them again", id_of(score).label()};
  return table;
}

}  // namespace

Summaries aggregate(std::span<const TrackResult> results) {
  std::map<std::string, std::map<std::string, std::vector<double>>> values;
  for (const Score& score : scores_of(results)) values[score.target][score.metric].push_back(score.value);
  Summaries summaries;
  for (const auto& [target, metrics] : values)
    for (const auto& [metric, scores] : metrics) summaries[target][metric] = summary_of(scores);
  return summaries;
}

std::map<std::string, Summary> overall(std::span<const TrackResult> results) {
  std::map<std::string, std::vector<double>> values;
  for (const Score& score : scores_of(results)) values[score.metric].push_back(score.value);
  std::map<std::string, Summary> summaries;
  for (const auto& [metric, scores] : values) summaries[metric] = summary_of(scores);
  return summaries;
}

std::vector<Score> scores_of(std::span<const TrackResult> results) {
  std::vector<Score> scores;
  for (const TrackResult& track : results)
    for (const TargetResult& target : track.targets)
      for (const auto& [metric, value] : target.metrics) scores.push_back({track.name, target.name, metric, value, track.split});
  return scores;
}

std::vector<Comparison> compare(std::span<const Score> a, std::span<const Score> b) {
  table_of(a);
  const auto in_b = table_of(b);
  const std::vector<TrackId> tracks_a = tracks_of(a), tracks_b = tracks_of(b);
  std::map<TrackId, TrackId> partner;
  for (const auto& [first, second] : pair_tracks(tracks_a, tracks_b).both) partner[tracks_a[first]] = tracks_b[second];

  std::vector<Comparison> comparisons;
  for (const Score& score : a) {
    const auto track = partner.find(id_of(score));
    if (track == partner.end()) continue;
    const auto found = in_b.find({track->second, score.target, score.metric});
    if (found == in_b.end() || !std::isfinite(score.value) || !std::isfinite(found->second)) continue;
    auto at = std::ranges::find_if(comparisons, [&](const Comparison& c) { return c.target == score.target && c.metric == score.metric; });
    if (at == comparisons.end()) {
      comparisons.push_back({.target = score.target, .metric = score.metric});
      at = comparisons.end() - 1;
    }
    at->pairs.push_back({id_of(score).label(), score.value, found->second});
  }
  if (comparisons.empty()) throw Error{ErrorCode::kNotFound, "the two results have no score of the same track, target and metric"};

  for (Comparison& c : comparisons) {
    const double sign = lower_is_better(c.metric) ? -1 : 1;
    std::ranges::stable_sort(c.pairs, std::ranges::greater{}, [&](const Comparison::Pair& pair) { return sign * pair.difference(); });
    std::vector<double> values_a, values_b, differences;
    for (const auto& pair : c.pairs) {
      values_a.push_back(pair.a);
      values_b.push_back(pair.b);
      differences.push_back(pair.difference());
    }
    c.median_a = metrics::median(values_a);
    c.median_b = metrics::median(values_b);
    c.mean_difference = metrics::mean(differences);
    c.median_difference = metrics::median(differences);
    c.mean_interval = bootstrap_mean(differences);
    c.p_value = wilcoxon_signed_rank(differences);
  }
  return comparisons;
}

}  // namespace unbraid::evaluate
