#include "unbraid/metrics/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace unbraid::metrics {

namespace {

std::vector<double> finite(std::span<const double> values) {
  std::vector<double> kept;
  std::ranges::copy_if(values, std::back_inserter(kept), [](double x) { return std::isfinite(x); });
  return kept;
}

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double median(std::span<const double> values) {
  std::vector<double> sorted = finite(values);
  if (sorted.empty()) return kNothing;
  std::ranges::sort(sorted);
  const std::size_t upper = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[upper] : 0.5 * (sorted[upper - 1] + sorted[upper]);
}

double median_or_infinity(std::span<const double> values) {
  const double middle = median(values);
  if (!std::isnan(middle)) return middle;
  const auto infinite = std::ranges::find_if(values, [](double x) { return std::isinf(x); });
  return infinite == values.end() ? kNothing : *infinite;
}

double mean(std::span<const double> values) {
  double sum = 0;
  const std::vector<double> kept = finite(values);
  for (const double x : kept) sum += x;
  return kept.empty() ? kNothing : sum / static_cast<double>(kept.size());
}

double standard_deviation(std::span<const double> values, std::size_t ddof) {
  const std::vector<double> kept = finite(values);
  if (kept.size() <= ddof) return kNothing;
  const double centre = mean(kept);
  double sum = 0;
  for (const double x : kept) sum += (x - centre) * (x - centre);
  return std::sqrt(sum / static_cast<double>(kept.size() - ddof));
}

std::size_t finite_count(std::span<const double> values) {
  return static_cast<std::size_t>(std::ranges::count_if(values, [](double x) { return std::isfinite(x); }));
}

}  // namespace unbraid::metrics
