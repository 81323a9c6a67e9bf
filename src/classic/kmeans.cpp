#include "classic/kmeans.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "unbraid/core/rng.hpp"

namespace unbraid::classic {

namespace {

constexpr std::size_t kSlice = 4096;  ///< points that one task takes; fixed, so that sums are

class Kmeans {
 public:
  Kmeans(std::span<const double> points, std::size_t dimensions, std::span<const double> weights, std::size_t clusters, RunContext& run)
      : points_(points), weights_(weights), dimensions_(dimensions), clusters_(clusters), run_(run) {}

  Clusters solve(std::size_t iterations, Rng& rng) const {
    Clusters result{spread(rng), std::vector<std::size_t>(weights_.size(), clusters_), 0};
    for (std::size_t i = 0; i < iterations && assign(result); ++i) move(result);
    assign(result);
    return result;
  }

 private:
  std::span<const double> point(std::size_t i) const { return points_.subspan(i * dimensions_, dimensions_); }

  std::size_t slices() const { return (weights_.size() + kSlice - 1) / kSlice; }

  /// Calls body(slice, first point, last point) for all slices.
  template <class Body>
  void for_slices(const Body& body) const {
    run_.cancel.check();
    run_.pool.parallel_for(slices(), [&](std::size_t s) { body(s, s * kSlice, std::min(weights_.size(), (s + 1) * kSlice)); });
  }

  /// The first centre at random, each next one with a chance that grows with the squared distance to those before.
  std::vector<double> spread(Rng& rng) const {
    std::vector<double> centres;
    std::vector<double> nearest(weights_.begin(), weights_.end());
    std::vector<double> distance(weights_.size(), std::numeric_limits<double>::infinity());
    while (centres.size() < clusters_ * dimensions_) {
      const auto chosen = point(draw(nearest, rng));
      centres.insert(centres.end(), chosen.begin(), chosen.end());
      for_slices([&](std::size_t, std::size_t first, std::size_t last) {
        for (std::size_t i = first; i < last; ++i) {
          distance[i] = std::min(distance[i], squared_distance(point(i), chosen));
          nearest[i] = weights_[i] * distance[i];
        }
      });
    }
    return centres;
  }

  static std::size_t draw(const std::vector<double>& chances, Rng& rng) {
    double total = 0;
    for (const double c : chances) total += c;
    if (!(total > 0)) return rng.index(chances.size());
    double position = rng.uniform(0, total);
    for (std::size_t i = 0; i + 1 < chances.size(); ++i)
      if ((position -= chances[i]) < 0) return i;
    return chances.size() - 1;
  }

  /// Gives every point to its nearest centre; whether anything changed.
  bool assign(Clusters& result) const {
    std::vector<char> changed(slices());
    std::vector<double> inertia(slices());
    for_slices([&](std::size_t s, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        std::size_t best = 0;
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t c = 0; c < clusters_; ++c) {
          const double d = squared_distance(point(i), std::span(result.centres).subspan(c * dimensions_, dimensions_));
          if (d < least) {
            least = d;
            best = c;
          }
        }
        if (result.labels[i] != best) changed[s] = true;
        result.labels[i] = best;
        inertia[s] += weights_[i] * least;
      }
    });
    result.inertia = std::accumulate(inertia.begin(), inertia.end(), 0.0);
    return std::ranges::find(changed, true) != changed.end();
  }

  /// Every centre to the mean of its points; one without weight stays.
  void move(Clusters& result) const {
    const std::size_t row = dimensions_ + 1;  // Σ weight · point, and Σ weight
    std::vector<double> parts(slices() * clusters_ * row);
    for_slices([&](std::size_t s, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) {
        double* const sums = &parts[(s * clusters_ + result.labels[i]) * row];
        for (std::size_t d = 0; d < dimensions_; ++d) sums[d] += weights_[i] * point(i)[d];
        sums[dimensions_] += weights_[i];
      }
    });
    std::vector<double> totals(clusters_ * row);
    for (std::size_t i = 0; i < parts.size(); ++i) totals[i % totals.size()] += parts[i];
    for (std::size_t c = 0; c < clusters_; ++c)
      if (const double* const sums = &totals[c * row]; sums[dimensions_] > 0)
        for (std::size_t d = 0; d < dimensions_; ++d) result.centres[c * dimensions_ + d] = sums[d] / sums[dimensions_];
  }

  std::span<const double> points_, weights_;
  std::size_t dimensions_, clusters_;
  RunContext& run_;
};

}  // namespace

double squared_distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t d = 0; d < a.size(); ++d) sum += (a[d] - b[d]) * (a[d] - b[d]);
  return sum;
}

Clusters kmeans(std::span<const double> points, std::size_t dimensions, std::span<const double> weights, const KmeansOptions& options,
                RunContext& run) {
  if (weights.empty()) return {std::vector<double>(options.clusters * dimensions), {}, 0};
  const Kmeans solver(points, dimensions, weights, options.clusters, run);
  Clusters best;
  for (std::size_t start = 0; start < std::max<std::size_t>(1, options.starts); ++start) {
    Rng rng(options.seed, start);
    Clusters candidate = solver.solve(options.iterations, rng);
    if (start == 0 || candidate.inertia < best.inertia) best = std::move(candidate);
  }
  return best;
}

}  // namespace unbraid::classic
