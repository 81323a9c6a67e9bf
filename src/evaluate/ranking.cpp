#include "unbraid/evaluate/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "unbraid/core/error.hpp"
#include "unbraid/metrics/summary.hpp"

namespace unbraid::evaluate {

namespace {

/// NaN for pairs of which one is not finite.
double p_value(std::span<const double> a, std::span<const double> b) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::isfinite(a[i]) && std::isfinite(b[i])) differences.push_back(a[i] - b[i]);
  return wilcoxon_signed_rank(differences);
}

bool stems_were_chosen(const BenchmarkRun& run, std::size_t contender) {
  return std::ranges::any_of(run.entries, [&](const auto& e) { return e.contender == contender && e.chosen; });
}

}  // namespace

const RankingRow* Ranking::find(std::size_t contender) const {
  for (const auto* list : {&rows, &bounds})
    if (const auto row = std::ranges::find(*list, contender, &RankingRow::contender); row != list->end()) return &*row;
  return nullptr;
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p_values.size(); ++i)
    if (!std::isnan(p_values[i])) order.push_back(i);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> corrected(p_values.begin(), p_values.end());
  double least = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    least = std::max(least, std::min(1.0, static_cast<double>(order.size() - k) * p_values[order[k]]));
    corrected[order[k]] = least;
  }
  return corrected;
}

std::vector<Ranking> rank(const BenchmarkRun& run, const std::string& metric) {
  std::vector<Ranking> rankings;
  bool metric_exists = run.entries.empty();
  for (const BenchmarkEntry& entry : run.entries)
    for (const TargetResult& target : entry.scores.targets) metric_exists |= target.metrics.contains(metric);
  if (!metric_exists) throw Error{ErrorCode::kUsage, "was not measured; ask for it among the metrics", metric};

  for (const std::string& target : run.targets()) {
    Ranking ranking{.target = target, .metric = metric};
    std::vector<std::vector<double>> scores(run.contenders.size());
    std::vector<bool> scored(run.tracks.size());
    for (std::size_t c = 0; c < run.contenders.size(); ++c) {
      scores[c] = run.scores(c, target, metric);
      std::size_t tracks = 0;
      for (std::size_t t = 0; t < scored.size(); ++t) {
        if (std::isnan(scores[c][t])) continue;
        scored[t] = true;
        ++tracks;
      }
      if (tracks == 0) continue;
      const bool is_method = run.contenders[c].kind == Contender::Kind::kMethod;
      (is_method ? ranking.rows : ranking.bounds)
          .push_back({.contender = c,
                      .tracks = tracks,
                      .chosen = stems_were_chosen(run, c),
                      .median = metrics::median_or_infinity(scores[c]),
                      .mean = metrics::mean(scores[c]),
                      .median_interval = bootstrap_median(scores[c])});
    }
    ranking.tracks = static_cast<std::size_t>(std::ranges::count(scored, true));
    const double sign = lower_is_better(metric) ? -1 : 1;
    const auto merit = [&](const RankingRow& row) { return std::pair(row.tracks, sign * row.median); };
    std::ranges::stable_sort(ranking.rows, std::ranges::greater{}, merit);
    std::ranges::stable_sort(ranking.bounds, std::ranges::greater{}, merit);
    const bool best_is_complete = !ranking.rows.empty() && ranking.rows[0].tracks == ranking.tracks;
    std::vector<double> against_best;
    for (std::size_t i = 0; i < ranking.rows.size(); ++i) {
      RankingRow& row = ranking.rows[i];
      row.rank = i + 1;
      if (i == 0) continue;
      against_best.push_back(!best_is_complete ? std::numeric_limits<double>::quiet_NaN()
                                               : p_value(scores[row.contender], scores[ranking.rows[0].contender]));
      row.p_next = p_value(scores[row.contender], scores[ranking.rows[i - 1].contender]);
    }
    const std::vector<double> corrected = holm(against_best);
    for (std::size_t i = 1; i < ranking.rows.size(); ++i) ranking.rows[i].p_best = corrected[i - 1];
    rankings.push_back(std::move(ranking));
  }
  return rankings;
}

double mean_over_targets(const BenchmarkRun& run, std::size_t contender, const std::string& metric) {
  std::vector<double> medians;
  for (const std::string& target : run.targets()) medians.push_back(metrics::median(run.scores(contender, target, metric)));
  return metrics::mean(medians);
}

}  // namespace unbraid::evaluate
