#include "unbraid/classic/nmf.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::classic {
namespace {

constexpr std::size_t kFrames = 150, kBins = 40, kComponents = 4;

/// An exact product of random factors.
std::vector<double> product_of_random_factors() {
  Rng rng(5);
  std::vector<double> a(kFrames * kComponents), d(kComponents * kBins), v(kFrames * kBins);
  for (double& x : a) x = rng.uniform() < 0.5 ? 0.01 : rng.uniform();
  for (double& x : d) x = rng.uniform() < 0.5 ? 0.01 : rng.uniform();
  for (std::size_t m = 0; m < kFrames; ++m)
    for (std::size_t k = 0; k < kBins; ++k)
      for (std::size_t c = 0; c < kComponents; ++c) v[m * kBins + k] += a[m * kComponents + c] * d[c * kBins + k];
  return v;
}

class NmfBeta : public ::testing::TestWithParam<double> {};

// Févotte and Idier, section 4: with the exponent γ the divergence never rises.
TEST_P(NmfBeta, DivergenceNeverRises) {
  const std::vector<double> v = product_of_random_factors();
  ThreadPool pool(2);
  RunContext run{pool};
  auto factors = nmf_random_start<double>(v, kFrames, kBins, kComponents, 9);
  double last = nmf_divergence<double>(v, factors, GetParam(), pool);
  for (int i = 0; i < 30; ++i) {
    nmf<double>(v, factors, {.components = kComponents, .beta = GetParam(), .iterations = 1}, run);
    const double now = nmf_divergence<double>(v, factors, GetParam(), pool);
    EXPECT_LE(now, last * (1 + 1e-12)) << "iteration " << i;
    last = now;
  }
}
INSTANTIATE_TEST_SUITE_P(Betas, NmfBeta, ::testing::Values(-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0));

// Of a positive matrix of rank one, the first singular vectors are the factors.
TEST(Nmf, NndsvdOfRankOneIsExact) {
  Rng rng(6);
  std::vector<double> a(kFrames), d(kBins), v;
  for (double& x : a) x = rng.uniform(0.1, 1);
  for (double& x : d) x = rng.uniform(0.1, 1);
  for (const double x : a)
    for (const double y : d) v.push_back(x * y);
  ThreadPool pool(1);
  const auto start = nmf_nndsvd_start<double>(v, kFrames, kBins, 1);
  EXPECT_LT(nmf_divergence<double>(v, start, 2, pool), 1e-20);
}

TEST(Nmf, NndsvdStartsNearerThanChance) {
  const std::vector<double> v = product_of_random_factors();
  ThreadPool pool(2);
  const auto random = nmf_random_start<double>(v, kFrames, kBins, kComponents, 9);
  const auto nndsvd = nmf_nndsvd_start<double>(v, kFrames, kBins, kComponents);
  EXPECT_LT(nmf_divergence<double>(v, nndsvd, 2, pool), nmf_divergence<double>(v, random, 2, pool));
  EXPECT_THROW(nmf_nndsvd_start<double>(v, kFrames, kBins, kBins + 1), Error);
}

TEST(Nmf, KeptComponentsStay) {
  const std::vector<double> v = product_of_random_factors();
  ThreadPool pool(2);
  RunContext run{pool};
  const auto start = nmf_random_start<double>(v, kFrames, kBins, kComponents, 9);
  auto factors = start;
  nmf<double>(v, factors, {.components = kComponents, .iterations = 5, .fixed_components = 2}, run);
  for (std::size_t i = 0; i < 2 * kBins; ++i) EXPECT_EQ(factors.dictionary[i], start.dictionary[i]);
  EXPECT_NE(factors.dictionary[2 * kBins], start.dictionary[2 * kBins]);
}

TEST(Nmf, DoesNotDependOnThreadsAndStopsEarly) {
  const std::vector<double> v = product_of_random_factors();
  ThreadPool one(1), three(3);
  RunContext run_one{one}, run_three{three};
  auto a = nmf_random_start<double>(v, kFrames, kBins, kComponents, 9), b = a;
  const NmfOptions options{.components = kComponents, .iterations = 500, .tolerance = 1e-3};
  const std::size_t iterations = nmf<double>(v, a, options, run_one);
  EXPECT_LT(iterations, 500u);
  EXPECT_EQ(iterations, nmf<double>(v, b, options, run_three));
  EXPECT_EQ(a.activations, b.activations);
  EXPECT_EQ(a.dictionary, b.dictionary);
}

TEST(Nmf, RefusesWhatItCannotDo) {
  std::vector<double> v = product_of_random_factors();
  ThreadPool pool(1);
  RunContext run{pool};
  auto factors = nmf_random_start<double>(v, kFrames, kBins, kComponents, 9);
  v[3] = 0;
  EXPECT_THROW(nmf<double>(v, factors, {.beta = 0}, run), Error);
  EXPECT_THROW(nmf<double>(std::span<const double>(v).first(10), factors, {}, run), Error);
}

}  // namespace
}  // namespace unbraid::classic
