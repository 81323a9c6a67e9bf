#include "classic/kmeans.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "unbraid/core/rng.hpp"

namespace unbraid::classic {
namespace {

TEST(Kmeans, FindsSeparateGroups) {
  Rng rng(4);
  std::vector<double> points, weights;
  for (std::size_t i = 0; i < 300; ++i) {
    const double x = static_cast<double>(i % 3) * 10;
    points.push_back(x + rng.uniform(-1, 1));
    points.push_back(-x + rng.uniform(-1, 1));
    weights.push_back(rng.uniform(0.5, 1.5));
  }
  const Clusters clusters = kmeans(points, 2, weights, {.clusters = 3, .seed = 1});
  for (std::size_t i = 3; i < 300; ++i) EXPECT_EQ(clusters.labels[i], clusters.labels[i % 3]);
  EXPECT_NE(clusters.labels[0], clusters.labels[1]);
  EXPECT_NE(clusters.labels[1], clusters.labels[2]);
  // The inertia is the weighted sum of squared distances to the weighted means: computed here once more.
  double inertia = 0;
  for (std::size_t i = 0; i < 300; ++i)
    inertia +=
        weights[i] * squared_distance(std::span(points).subspan(2 * i, 2), std::span(clusters.centres).subspan(2 * clusters.labels[i], 2));
  EXPECT_NEAR(clusters.inertia, inertia, 1e-9 * inertia);
}

TEST(Kmeans, WorksWithoutPointsAndWithTooFew) {
  EXPECT_EQ(kmeans({}, 2, {}, {.clusters = 2}).centres.size(), 4u);
  const std::vector<double> point{1, 2}, weight{1};
  const Clusters clusters = kmeans(point, 2, weight, {.clusters = 2});
  EXPECT_EQ(clusters.inertia, 0);
  EXPECT_EQ(clusters.centres, (std::vector<double>{1, 2, 1, 2}));
}

}  // namespace
}  // namespace unbraid::classic
