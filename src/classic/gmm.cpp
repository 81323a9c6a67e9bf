#include "classic/gmm.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "classic/kmeans.hpp"

namespace unbraid::classic {

namespace {

constexpr double kLeastVariance = 1e-4;  ///< as a share of the data's in the same dimension
constexpr std::size_t kSlice = 4096;     ///< points that one task takes; fixed, so that sums are

/// What points give to the clusters: [cluster], and of distances to the mean [cluster][dimension].
struct Moments {
  double likelihood = 0;
  std::vector<double> sums, firsts, seconds;

  Moments(std::size_t clusters, std::size_t dimensions) : sums(clusters), firsts(clusters * dimensions), seconds(clusters * dimensions) {}

  void operator+=(const Moments& other) {
    const auto add = [](std::vector<double>& to, const std::vector<double>& from) {
      std::ranges::transform(to, from, to.begin(), std::plus{});
    };
    likelihood += other.likelihood;
    add(sums, other.sums);
    add(firsts, other.firsts);
    add(seconds, other.seconds);
  }
};

}  // namespace

double Mixture::responsibilities(std::span<const double> point, std::span<double> result) const {
  double greatest = -INFINITY;
  for (std::size_t j = 0; j < shares.size(); ++j) {
    double exponent = 0, scale = 1;
    for (std::size_t d = 0; d < dimensions; ++d) {
      const double variance = variances[j * dimensions + d], distance = point[d] - means[j * dimensions + d];
      exponent += distance * distance / variance;
      scale *= 2 * std::numbers::pi * variance;
    }
    result[j] = shares[j] > 0 ? std::log(shares[j]) - 0.5 * (exponent + std::log(scale)) : -INFINITY;
    greatest = std::max(greatest, result[j]);
  }
  double total = 0;
  for (double& r : result) total += (r = std::exp(r - greatest));
  for (double& r : result) r /= total;
  return greatest + std::log(total);
}

Mixture fit_gmm(std::span<const double> points, std::size_t dimensions, std::span<const double> weights, const GmmOptions& options,
                RunContext& run) {
  const std::size_t count = weights.size(), clusters = options.clusters;
  Mixture mixture{.dimensions = dimensions,
                  .shares = std::vector<double>(clusters, 1.0 / static_cast<double>(clusters)),
                  .means = std::vector<double>(clusters * dimensions),
                  .variances = std::vector<double>(clusters * dimensions, 1.0)};
  double total = 0;
  for (const double w : weights) total += w;
  if (!(total > 0)) return mixture;

  std::vector<double> mean(dimensions), floor(dimensions);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t d = 0; d < dimensions; ++d) mean[d] += weights[i] / total * points[i * dimensions + d];
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t d = 0; d < dimensions; ++d) floor[d] += weights[i] / total * std::pow(points[i * dimensions + d] - mean[d], 2);
  for (std::size_t d = 0; d < dimensions; ++d) {
    for (std::size_t j = 0; j < clusters; ++j) mixture.variances[j * dimensions + d] = std::max(floor[d], 1e-12);
    floor[d] = std::max(kLeastVariance * floor[d], 1e-12);
  }
  mixture.means = kmeans(points, dimensions, weights, {.clusters = clusters, .seed = options.seed}, run).centres;

  const std::size_t slices = (count + kSlice - 1) / kSlice;
  double last = -INFINITY;
  for (std::size_t iteration = 0; iteration < options.iterations; ++iteration) {
    run.cancel.check();
    std::vector<Moments> parts(slices, Moments(clusters, dimensions));
    run.pool.parallel_for(slices, [&](std::size_t s) {
      std::vector<double> share(clusters);
      for (std::size_t i = s * kSlice; i < std::min(count, (s + 1) * kSlice); ++i) {
        const auto point = points.subspan(i * dimensions, dimensions);
        parts[s].likelihood += weights[i] / total * mixture.responsibilities(point, share);
        for (std::size_t j = 0; j < clusters; ++j) {
          const double weight = weights[i] / total * share[j];
          parts[s].sums[j] += weight;
          for (std::size_t d = 0; d < dimensions; ++d) {
            const double from_mean = point[d] - mixture.means[j * dimensions + d];
            parts[s].firsts[j * dimensions + d] += weight * from_mean;
            parts[s].seconds[j * dimensions + d] += weight * from_mean * from_mean;
          }
        }
      }
    });
    for (std::size_t s = 1; s < slices; ++s) parts[0] += parts[s];
    const auto& [likelihood, sums, firsts, seconds] = parts[0];
    for (std::size_t j = 0; j < clusters; ++j) {
      mixture.shares[j] = sums[j];
      if (!(sums[j] > 0)) continue;
      for (std::size_t d = 0; d < dimensions; ++d) {
        const double shift = firsts[j * dimensions + d] / sums[j];
        mixture.means[j * dimensions + d] += shift;
        mixture.variances[j * dimensions + d] = std::max(seconds[j * dimensions + d] / sums[j] - shift * shift, floor[d]);
      }
    }
    if (likelihood - last < options.tolerance) break;
    last = likelihood;
  }
  return mixture;
}

}  // namespace unbraid::classic
