#include "classic/kmeans.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "unbraid/core/rng.hpp"

namespace unbraid::classic {

namespace {

class Kmeans {
 public:
  Kmeans(std::span<const double> points, std::size_t dimensions, std::span<const double> weights, std::size_t clusters)
      : points_(points), weights_(weights), dimensions_(dimensions), clusters_(clusters) {}

  Clusters run(std::size_t iterations, Rng& rng) const {
    Clusters result{spread(rng), std::vector<std::size_t>(weights_.size(), clusters_), 0};
    for (std::size_t i = 0; i < iterations && assign(result); ++i) move(result);
    assign(result);
    return result;
  }

 private:
  std::span<const double> point(std::size_t i) const { return points_.subspan(i * dimensions_, dimensions_); }

  /// The first centre at random, each next one with a chance that grows with the squared distance to those before.
  std::vector<double> spread(Rng& rng) const {
    std::vector<double> centres;
    std::vector<double> nearest(weights_.begin(), weights_.end());
    std::vector<double> distance(weights_.size(), std::numeric_limits<double>::infinity());
    while (centres.size() < clusters_ * dimensions_) {
      const std::size_t chosen = draw(nearest, rng);
      centres.insert(centres.end(), point(chosen).begin(), point(chosen).end());
      for (std::size_t i = 0; i < distance.size(); ++i) {
        distance[i] = std::min(distance[i], squared_distance(point(i), point(chosen)));
        nearest[i] = weights_[i] * distance[i];
      }
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
    bool changed = false;
    result.inertia = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      std::size_t best = 0;
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t c = 0; c < clusters_; ++c) {
        const double d = squared_distance(point(i), std::span(result.centres).subspan(c * dimensions_, dimensions_));
        if (d < least) {
          least = d;
          best = c;
        }
      }
      changed |= result.labels[i] != best;
      result.labels[i] = best;
      result.inertia += weights_[i] * least;
    }
    return changed;
  }

  /// Every centre to the mean of its points; one without weight stays.
  void move(Clusters& result) const {
    std::vector<double> sums(clusters_ * dimensions_), totals(clusters_);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const std::size_t c = result.labels[i];
      totals[c] += weights_[i];
      for (std::size_t d = 0; d < dimensions_; ++d) sums[c * dimensions_ + d] += weights_[i] * point(i)[d];
    }
    for (std::size_t c = 0; c < clusters_; ++c)
      if (totals[c] > 0)
        for (std::size_t d = 0; d < dimensions_; ++d) result.centres[c * dimensions_ + d] = sums[c * dimensions_ + d] / totals[c];
  }

  std::span<const double> points_, weights_;
  std::size_t dimensions_, clusters_;
};

}  // namespace

double squared_distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t d = 0; d < a.size(); ++d) sum += (a[d] - b[d]) * (a[d] - b[d]);
  return sum;
}

Clusters kmeans(std::span<const double> points, std::size_t dimensions, std::span<const double> weights, const KmeansOptions& options) {
  if (weights.empty()) return {std::vector<double>(options.clusters * dimensions), {}, 0};
  const Kmeans solver(points, dimensions, weights, options.clusters);
  Clusters best;
  for (std::size_t start = 0; start < std::max<std::size_t>(1, options.starts); ++start) {
    Rng rng(options.seed, start);
    Clusters candidate = solver.run(options.iterations, rng);
    if (start == 0 || candidate.inertia < best.inertia) best = std::move(candidate);
  }
  return best;
}

}  // namespace unbraid::classic
