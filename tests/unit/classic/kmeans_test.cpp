#include "classic/kmeans.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::classic {
namespace {

class Kmeans : public ::testing::Test {
 protected:
  ThreadPool pool{2};
  RunContext run{pool};
};

TEST_F(Kmeans, FindsSeparateGroups) {
  Rng rng(4);
  std::vector<double> points, weights;
  for (std::size_t i = 0; i < 300; ++i) {
    const double x = static_cast<double>(i % 3) * 10;
    points.push_back(x + rng.uniform(-1, 1));
    points.push_back(-x + rng.uniform(-1, 1));
    weights.push_back(rng.uniform(0.5, 1.5));
  }
  const Clusters clusters = kmeans(points, 2, weights, {.clusters = 3, .seed = 1}, run);
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

TEST_F(Kmeans, WorksWithoutPointsAndWithTooFew) {
  EXPECT_EQ(kmeans({}, 2, {}, {.clusters = 2}, run).centres.size(), 4u);
  const std::vector<double> point{1, 2}, weight{1};
  const Clusters clusters = kmeans(point, 2, weight, {.clusters = 2}, run);
  EXPECT_EQ(clusters.inertia, 0);
  EXPECT_EQ(clusters.centres, (std::vector<double>{1, 2, 1, 2}));
}

// More points than one task takes.
TEST_F(Kmeans, DoesNotDependOnThreadsAndCanBeCancelled) {
  Rng rng(5);
  std::vector<double> points(3 * 11000), weights(11000);
  for (double& x : points) x = rng.normal();
  for (double& w : weights) w = rng.uniform();
  ThreadPool three(3);
  RunContext other{three};
  const Clusters a = kmeans(points, 3, weights, {.clusters = 4, .iterations = 20, .starts = 2}, run);
  const Clusters b = kmeans(points, 3, weights, {.clusters = 4, .iterations = 20, .starts = 2}, other);
  EXPECT_EQ(a.centres, b.centres);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.inertia, b.inertia);
  // Its centres are the means of their points: the sums once more, in the order of the points.
  std::vector<double> sums(12), totals(4);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    totals[a.labels[i]] += weights[i];
    for (std::size_t d = 0; d < 3; ++d) sums[3 * a.labels[i] + d] += weights[i] * points[3 * i + d];
  }
  // 20 iterations do not reach a fixed point; the last shift is small.
  for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(a.centres[i], sums[i] / totals[i / 3], 0.05);

  CancelSource stop;
  stop.cancel();
  RunContext stopped{.pool = pool, .cancel = stop.token()};
  EXPECT_THROW(kmeans(points, 3, weights, {.clusters = 2}, stopped), Error);
}

}  // namespace
}  // namespace unbraid::classic
