#pragma once
// Who is better, and whether that is more than chance.
//
//   for (const evaluate::Ranking& ranking : evaluate::rank(result, "bsseval_v4.SDR"))
//     print(ranking.target, ranking.rows[0].contender, ranking.rows[0].median);
//
// Methods are ranked by the median over the tracks, for metrics of which less is better (MetricInfo) the lowest first. Medians
// of different sets of tracks say little about each other: whoever lacks scores of some tracks stands below those that have
// more. p-values are those of Wilcoxon's signed-rank test on the tracks that both have; those against the best are corrected
// for their number by Holm's step-down procedure ("A simple sequentially rejective multiple test procedure", Scandinavian
// Journal of Statistics 6(2), 1979), and there are none where the best lacks tracks, too. Oracles and the mixture are bounds
// and take no part in the tests.

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "unbraid/evaluate/benchmark.hpp"
#include "unbraid/evaluate/statistics.hpp"

namespace unbraid::evaluate {

struct RankingRow {
  std::size_t contender = 0;
  std::size_t rank = 0;                                      ///< from 1; 0 for bounds
  std::size_t tracks = 0;                                    ///< with a score
  bool chosen = false;                                       ///< its stems were chosen with the truth known
  double median = std::numeric_limits<double>::quiet_NaN();  ///< infinite where only infinite scores are left
  double mean = std::numeric_limits<double>::quiet_NaN();
  Interval median_interval = {};                             ///< 95 %, bootstrap
  double p_best = std::numeric_limits<double>::quiet_NaN();  ///< against the first, Holm; NaN for the first itself
  double p_next = std::numeric_limits<double>::quiet_NaN();  ///< against the one ranked above, not corrected
};

struct Ranking {
  std::string target, metric;
  std::size_t tracks = 0;          ///< of which any contender has a score
  std::vector<RankingRow> rows;    ///< methods, the best first
  std::vector<RankingRow> bounds;  ///< oracles and the mixture, the best first

  /// The row of a contender, or null.
  const RankingRow* find(std::size_t contender) const;
};

/// One for every target, in the order of run.targets(); contenders without a score are left out. kUsage when no
/// entry has that metric.
std::vector<Ranking> rank(const BenchmarkRun& run, const std::string& metric);

/// p-values after Holm's correction, in the order given; NaN stays and does not count.
std::vector<double> holm(std::span<const double> p_values);

/// The mean over the targets of a contender's medians: one number for a table. NaN without any.
double mean_over_targets(const BenchmarkRun& run, std::size_t contender, const std::string& metric);

}  // namespace unbraid::evaluate
