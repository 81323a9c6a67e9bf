#pragma once
// Weighted k-means with a seeded, well spread start.
//
//   const Clusters clusters = kmeans(points, dimensions, weights, {.clusters = 3, .seed = 7}, run);
//
// Lloyd, "Least squares quantization in PCM", IEEE TIT 28(2), 1982; starts by Arthur, Vassilvitskii, "k-means++: the
// advantages of careful seeding", SODA 2007; the best of a few starts is kept. Threads share the points in slices of a
// fixed size, whose sums are added in their order: results do not depend on the number of threads.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unbraid/core/run_context.hpp"

namespace unbraid::classic {

struct KmeansOptions {
  std::size_t clusters = 2;
  std::size_t iterations = 100;
  std::size_t starts = 8;
  std::uint64_t seed = 0;
};

struct Clusters {
  std::vector<double> centres;      ///< [cluster][dimension]
  std::vector<std::size_t> labels;  ///< of each point
  double inertia = 0;               ///< Σ weight · squared distance to the centre
};

/// points: [point][dimension]; weights ≥ 0, one per point. With fewer distinct points than clusters, some centres
/// coincide; without points they are all 0. Can be cancelled between iterations.
Clusters kmeans(std::span<const double> points, std::size_t dimensions, std::span<const double> weights, const KmeansOptions& options,
                RunContext& run);

/// Squared distance of a point to a centre.
double squared_distance(std::span<const double> a, std::span<const double> b);

}  // namespace unbraid::classic
