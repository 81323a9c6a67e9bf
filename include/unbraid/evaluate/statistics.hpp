#pragma once
// How sure a summary of scores is.
//
//   Interval i = evaluate::bootstrap_median(scores);                 // 95 % of it lies between i.low and i.high
//   double p = evaluate::wilcoxon_signed_rank(differences);          // is A really better than B?
//
// Values that are not finite are left out. Results are the same on every machine: the resampling draws from Rng(0).

#include <cstddef>
#include <span>

namespace unbraid::evaluate {

struct Interval {
  double low;
  double high;  ///< both NaN when there are fewer than two values
};

/// Percentile bootstrap (Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7(1), 1979):
/// the 2.5th and 97.5th percentiles of the statistic over `resamples` draws with replacement.
Interval bootstrap_median(std::span<const double> values, std::size_t resamples = 2000);
Interval bootstrap_mean(std::span<const double> values, std::size_t resamples = 2000);

/// The two-sided p-value that paired differences lie symmetrically around zero (Wilcoxon, "Individual comparisons by
/// ranking methods", Biometrics Bulletin 1(6), 1945). Zeros are dropped, ties share their mean rank. Exact for up to 25
/// differences without ties, else by the normal distribution with correction for ties; NaN without any difference.
double wilcoxon_signed_rank(std::span<const double> differences);

}  // namespace unbraid::evaluate
