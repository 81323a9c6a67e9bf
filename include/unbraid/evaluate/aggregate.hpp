#pragma once
// From the scores of tracks to the scores of a method, and from two methods to a verdict.
//
//   const auto summaries = evaluate::aggregate(results);                   // [target][metric]
//   summaries.at("vocals").at("bsseval_v4.SDR").median;
//   const auto verdicts = evaluate::compare(table_a, table_b);

#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "unbraid/evaluate/evaluate_track.hpp"
#include "unbraid/evaluate/statistics.hpp"

namespace unbraid::evaluate {

struct Summary {
  std::size_t tracks = 0;  ///< with a finite score; targets that are not applicable do not count. Of overall(): scores
  /// Of the tracks' medians: the field's custom. Infinite where only infinite scores are left.
  double median = std::numeric_limits<double>::quiet_NaN();
  double mean = std::numeric_limits<double>::quiet_NaN();
  double standard_deviation = std::numeric_limits<double>::quiet_NaN();  ///< of the sample (n − 1)
  Interval median_interval = {};                                         ///< 95 %, bootstrap
};
using Summaries = std::map<std::string, std::map<std::string, Summary>>;  ///< [target][metric]

Summaries aggregate(std::span<const TrackResult> results);

/// The scores of all targets of all tracks alike, by metric: "Overall" in nussl's reports.
std::map<std::string, Summary> overall(std::span<const TrackResult> results);

/// One number of a result: what a file of scores holds.
struct Score {
  std::string track, target, metric;
  double value;
  std::string split = {};  ///< of the track
};
std::vector<Score> scores_of(std::span<const TrackResult> results);

/// Paired differences B − A of one metric of one target.
struct Comparison {
  std::string target, metric;
  struct Pair {
    std::string track;  ///< of A, TrackId::label()
    double a, b;
    double difference() const { return b - a; }
  };
  std::vector<Pair> pairs;  ///< tracks that both scored, the largest gain first
  double median_a, median_b;
  double mean_difference, median_difference;
  Interval mean_interval;  ///< 95 %, bootstrap, of the mean difference
  double p_value;          ///< two-sided Wilcoxon signed-rank test
};

/// Every (target, metric) that both have, in A's order; kNotFound when there is none. Tracks are paired as evaluate_dataset()
/// does; kFormat where it cannot be told which belong together.
std::vector<Comparison> compare(std::span<const Score> a, std::span<const Score> b);

}  // namespace unbraid::evaluate
