#include "unbraid/classic/rpca.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "unbraid/core/rng.hpp"

namespace unbraid::classic {
namespace {

// A matrix of rank 2 with 5 % of its entries disturbed is taken apart exactly, whichever side is longer (theorem 1.1
// of Candès et al.).
TEST(Rpca, RecoversARankTwoMatrixUnderSparseErrors) {
  for (const auto& [frames, bins] : {std::pair{120u, 80u}, {80u, 120u}}) {
    Rng rng(3);
    std::vector<double> low_rank(frames * bins), v;
    std::vector<double> a(frames * 2), b(bins * 2);
    for (double& x : a) x = rng.normal();
    for (double& x : b) x = rng.normal();
    for (std::size_t m = 0; m < frames; ++m)
      for (std::size_t k = 0; k < bins; ++k) low_rank[m * bins + k] = a[2 * m] * b[2 * k] + a[2 * m + 1] * b[2 * k + 1];
    v = low_rank;
    for (std::size_t i = 0; i < v.size() / 20; ++i) v[rng.index(v.size())] += rng.uniform(-10, 10);
    ThreadPool pool(2);
    RunContext run{pool};
    const LowRankSparse parts = rpca(v, frames, bins, {}, run);
    EXPECT_EQ(parts.rank, 2u);
    EXPECT_LT(parts.error, 1e-7);
    double greatest = 0;
    for (std::size_t i = 0; i < v.size(); ++i) greatest = std::max(greatest, std::abs(parts.low_rank[i] - low_rank[i]));
    EXPECT_LT(greatest, 1e-4);  // the tolerance of 1e-7 is on the norm of all 9600 entries, about 140
  }
}

TEST(Rpca, SilenceIsBackground) {
  ThreadPool pool(1);
  RunContext run{pool};
  const dsp::Mask<float> mask = rpca_mask(dsp::Magnitudes<float>(1, 5, 9), {}, run);
  for (const float v : mask.values()) EXPECT_EQ(v, 1.0f);
}

}  // namespace
}  // namespace unbraid::classic
