#pragma once
// A mixture of Gaussians as a soft clustering: every point belongs to every cluster with a probability.
//
//   const Mixture mixture = fit_gmm(points, 3, weights, {.clusters = 4, .seed = 7}, run);
//   mixture.responsibilities(point, shares);            // sums to 1
//
// Expectation maximisation with diagonal covariances (Dempster, Laird, Rubin, "Maximum likelihood from incomplete data via
// the EM algorithm", JRSS B 39(1), 1977), from the centres of k-means. Points carry weights. A variance never falls below
// a share of the data's, so that no cluster collapses on a point. Threads share the points in slices of a fixed size, whose
// sums are added in their order: results do not depend on the number of threads.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unbraid/core/run_context.hpp"

namespace unbraid::classic {

struct GmmOptions {
  std::size_t clusters = 2;
  std::size_t iterations = 50;
  double tolerance = 1e-5;  ///< stops when the mean log-likelihood rises by less
  std::uint64_t seed = 0;
};

struct Mixture {
  std::size_t dimensions = 0;
  std::vector<double> shares;     ///< [cluster], sum 1
  std::vector<double> means;      ///< [cluster][dimension]
  std::vector<double> variances;  ///< [cluster][dimension]

  /// The probability of each cluster for a point; returns the logarithm of the point's density.
  double responsibilities(std::span<const double> point, std::span<double> result) const;
};

/// points: [point][dimension]; weights ≥ 0, one per point. Without points all clusters are equal. Can be cancelled
/// between iterations.
Mixture fit_gmm(std::span<const double> points, std::size_t dimensions, std::span<const double> weights, const GmmOptions& options,
                RunContext& run);

}  // namespace unbraid::classic
