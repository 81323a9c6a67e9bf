// Correlations and block-Toeplitz systems against their definitions.

// GCC 12 takes its own AVX-512 intrinsics for uninitialised where Eigen uses them (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "metrics/block_toeplitz.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <vector>

#include "metrics/correlation.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::metrics {
namespace {

std::vector<std::vector<float>> noise(std::size_t signals, std::size_t frames, std::uint64_t seed) {
  std::vector<std::vector<float>> result(signals, std::vector<float>(frames));
  for (std::size_t s = 0; s < signals; ++s) {
    Rng rng(seed, s);
    for (float& x : result[s]) x = static_cast<float>(rng.uniform(-1, 1));
  }
  return result;
}

Correlations correlate(const std::vector<std::vector<float>>& signals, std::size_t delayed, std::size_t lags, std::size_t cut,
                       std::size_t threads) {
  ThreadPool pool(threads);
  LagCorrelator correlator(signals.size(), delayed, lags);
  const std::size_t frames = signals[0].size();
  for (std::size_t first = 0; first < frames; first += cut) {
    std::vector<std::span<const float>> rows;
    for (const auto& s : signals) rows.push_back(std::span(s).subspan(first, std::min(cut, frames - first)));
    correlator.add(rows, pool);
  }
  return correlator.finish(pool);
}

TEST(LagCorrelator, EqualsTheDefinition) {
  for (const std::size_t frames : {1u, 5u, 31u, 32u, 33u, 4000u}) {
    for (const std::size_t lags : {1u, 7u, 32u}) {
      const auto signals = noise(3, frames, 5);
      const Correlations r = correlate(signals, 2, lags, 1000, 2);
      for (std::size_t x = 0; x < 3; ++x)
        for (std::size_t y = 0; y < 2; ++y)
          for (std::size_t t = 0; t < lags; ++t) {
            double sum = 0;
            for (std::size_t n = t; n < frames; ++n) sum += static_cast<double>(signals[x][n]) * static_cast<double>(signals[y][n - t]);
            ASSERT_NEAR(r.at(x, y)[t], sum, 1e-12 * static_cast<double>(frames + 1)) << frames << " " << lags;
          }
    }
  }
}

TEST(LagCorrelator, NeitherCutsNorThreadsMatter) {
  const auto signals = noise(4, 150'000, 6);
  const Correlations whole = correlate(signals, 2, 64, 150'000, 1);
  for (const std::size_t cut : {1u << 9, 12'345u}) {
    const Correlations pieces = correlate(signals, 2, 64, cut, 3);
    for (std::size_t x = 0; x < 4; ++x)
      for (std::size_t y = 0; y < 2; ++y)
        for (std::size_t t = 0; t < 64; ++t) ASSERT_EQ(whole.at(x, y)[t], pieces.at(x, y)[t]);
  }
}

struct System {
  std::vector<double> first_row;
  Eigen::MatrixXd dense;
};

/// The normal equations of p signals of noise, optionally with the last a copy of the first.
System make_system(std::size_t p, std::size_t blocks, std::size_t frames, bool singular) {
  auto signals = noise(p, frames, 9);
  if (singular) signals[p - 1] = signals[0];
  const Correlations r = correlate(signals, p, blocks, frames, 1);
  System system{std::vector<double>(p * p * blocks), Eigen::MatrixXd(p * blocks, p * blocks)};
  for (std::size_t m = 0; m < blocks; ++m)
    for (std::size_t i = 0; i < p; ++i)
      for (std::size_t j = 0; j < p; ++j) system.first_row[(m * p + i) * p + j] = r.at(i, j)[m];
  for (std::size_t a = 0; a < blocks; ++a)
    for (std::size_t b = 0; b < blocks; ++b)
      for (std::size_t i = 0; i < p; ++i)
        for (std::size_t j = 0; j < p; ++j)
          system.dense(static_cast<Eigen::Index>(a * p + i), static_cast<Eigen::Index>(b * p + j)) =
              b >= a ? system.first_row[((b - a) * p + i) * p + j] : system.first_row[((a - b) * p + j) * p + i];
  return system;
}

TEST(BlockToeplitz, SolvesWhatCholeskySolves) {
  for (const std::size_t p : {1u, 2u, 3u, 8u}) {
    for (const std::size_t blocks : {1u, 2u, 5u, 48u}) {
      const System system = make_system(p, blocks, 3000, false);
      const auto n = static_cast<Eigen::Index>(p * blocks);
      Eigen::MatrixXd d(n, 3);
      Rng rng(1);
      for (Eigen::Index i = 0; i < d.size(); ++i) d.data()[i] = rng.uniform(-1, 1);
      const Eigen::MatrixXd expected = system.dense.llt().solve(d);
      std::vector<double> columns(d.data(), d.data() + d.size());
      EXPECT_LT(BlockToeplitz(system.first_row, p, blocks).solve(columns, 3), 1e-13);
      const Eigen::Map<Eigen::MatrixXd> got(columns.data(), n, 3);
      EXPECT_LT((got - expected).norm(), 1e-11 * expected.norm()) << p << " " << blocks;
    }
  }
}

TEST(BlockToeplitz, ASingularSystemGivesTheProjection) {
  const std::size_t p = 3, blocks = 16;
  const System system = make_system(p, blocks, 2000, true);
  const auto n = static_cast<Eigen::Index>(p * blocks);
  Eigen::VectorXd x(n);
  Rng rng(2);
  for (double& value : x) value = rng.uniform(-1, 1);
  const Eigen::VectorXd d = system.dense * x;  // in T's range, as normal equations always are
  std::vector<double> column(d.begin(), d.end());
  EXPECT_LT(BlockToeplitz(system.first_row, p, blocks).solve(column, 1), 1e-11);
  const Eigen::Map<Eigen::VectorXd> got(column.data(), n);
  EXPECT_LT((system.dense * got - d).norm(), 1e-10 * d.norm());
  EXPECT_LT(got.norm(), 2 * x.norm());  // no large numbers that cancel
}

}  // namespace
}  // namespace unbraid::metrics
