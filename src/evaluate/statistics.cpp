#include "unbraid/evaluate/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "unbraid/core/rng.hpp"
#include "unbraid/metrics/summary.hpp"

namespace unbraid::evaluate {

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

std::vector<double> finite(std::span<const double> values) {
  std::vector<double> kept;
  std::ranges::copy_if(values, std::back_inserter(kept), [](double x) { return std::isfinite(x); });
  return kept;
}

template <class Statistic>
Interval bootstrap(std::span<const double> values, std::size_t resamples, const Statistic& statistic) {
  const std::vector<double> kept = finite(values);
  if (kept.size() < 2 || resamples == 0) return {kNothing, kNothing};
  Rng rng(0);
  std::vector<double> draw(kept.size()), results(resamples);
  for (double& result : results) {
    for (double& x : draw) x = kept[rng.index(kept.size())];
    result = statistic(draw);
  }
  std::ranges::sort(results);
  const auto percentile = [&](double share) {
    const double at = share * static_cast<double>(resamples - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, resamples - 1);
    return results[below] + (at - static_cast<double>(below)) * (results[above] - results[below]);
  };
  return {percentile(0.025), percentile(0.975)};
}

/// P(W ≤ w) for the sum of positive ranks of n differences without ties, by counting the subsets of 1 … n.
double exact_tail(std::size_t n, double w) {
  std::vector<double> ways(n * (n + 1) / 2 + 1);
  ways[0] = 1;
  for (std::size_t rank = 1; rank <= n; ++rank)
    for (std::size_t sum = ways.size() - 1; sum >= rank; --sum) ways[sum] += ways[sum - rank];
  double tail = 0;
  for (std::size_t sum = 0; sum < ways.size() && static_cast<double>(sum) <= w; ++sum) tail += ways[sum];
  return tail / std::pow(2.0, static_cast<double>(n));
}

}  // namespace

Interval bootstrap_median(std::span<const double> values, std::size_t resamples) {
  return bootstrap(values, resamples, [](const std::vector<double>& draw) { return metrics::median(draw); });
}

Interval bootstrap_mean(std::span<const double> values, std::size_t resamples) {
  return bootstrap(values, resamples, [](const std::vector<double>& draw) { return metrics::mean(draw); });
}

double wilcoxon_signed_rank(std::span<const double> differences) {
  std::vector<double> d = finite(differences);
  std::erase(d, 0.0);
  if (d.empty()) return kNothing;
  std::ranges::sort(d, {}, [](double x) { return std::abs(x); });

  const std::size_t n = d.size();
  double positive = 0, tie_correction = 0;
  for (std::size_t first = 0; first < n;) {
    std::size_t last = first + 1;
    while (last < n && std::abs(d[last]) == std::abs(d[first])) ++last;
    const double rank = 0.5 * static_cast<double>(first + 1 + last);  // the mean of ranks first + 1 … last
    for (std::size_t i = first; i < last; ++i)
      if (d[i] > 0) positive += rank;
    const double tied = static_cast<double>(last - first);
    tie_correction += tied * tied * tied - tied;
    first = last;
  }
  const double count = static_cast<double>(n), total = count * (count + 1) / 2;
  const double smaller = std::min(positive, total - positive);
  if (n <= 25 && tie_correction == 0) return std::min(1.0, 2 * exact_tail(n, smaller));
  const double variance = count * (count + 1) * (2 * count + 1) / 24 - tie_correction / 48;
  return std::erfc((total / 2 - smaller) / std::sqrt(variance) / std::sqrt(2.0));
}

}  // namespace unbraid::evaluate
