#include "unbraid/evaluate/aggregate.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

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
      for (const auto& [metric, value] : target.metrics) scores.push_back({track.name, target.name, metric, value});
  return scores;
}

std::vector<Comparison> compare(std::span<const Score> a, std::span<const Score> b) {
  std::map<std::tuple<std::string, std::string, std::string>, double> in_b;
  for (const Score& score : b) in_b[{score.track, score.target, score.metric}] = score.value;

  std::vector<Comparison> comparisons;
  for (const Score& score : a) {
    const auto found = in_b.find({score.track, score.target, score.metric});
    if (found == in_b.end() || !std::isfinite(score.value) || !std::isfinite(found->second)) continue;
    auto at = std::ranges::find_if(comparisons, [&](const Comparison& c) { return c.target == score.target && c.metric == score.metric; });
    if (at == comparisons.end()) {
      comparisons.push_back({.target = score.target, .metric = score.metric});
      at = comparisons.end() - 1;
    }
    at->pairs.push_back({score.track, score.value, found->second});
  }
  if (comparisons.empty()) throw Error{ErrorCode::kNotFound, "the two results have no score of the same track, target and metric"};

  for (Comparison& c : comparisons) {
    std::ranges::stable_sort(c.pairs, std::ranges::greater{}, &Comparison::Pair::difference);
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
