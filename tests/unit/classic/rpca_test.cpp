#include "unbraid/classic/rpca.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "unbraid/classic/methods.hpp"
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

// A recording of fewer frames than bins is taken apart as its transposed is.
TEST(Rpca, WideAndTallAreOne) {
  constexpr std::size_t kRows = 60, kColumns = 40;
  Rng rng(8);
  std::vector<double> tall(kRows * kColumns), wide(tall.size());
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t c = 0; c < kColumns; ++c) wide[c * kRows + r] = tall[r * kColumns + c] = std::abs(rng.normal());
  ThreadPool pool(2);
  RunContext run{pool};
  const LowRankSparse a = rpca(tall, kRows, kColumns, {}, run), b = rpca(wide, kColumns, kRows, {}, run);
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t c = 0; c < kColumns; ++c) {
      ASSERT_EQ(a.low_rank[r * kColumns + c], b.low_rank[c * kRows + r]);
      ASSERT_EQ(a.sparse[r * kColumns + c], b.sparse[c * kRows + r]);
    }
}

// 60 s of stereo with windows of 2048 samples: 5171 frames and 1025 bins. Of one channel: the magnitudes, both parts, the
// multiplier and what they are made of, in double; of both what every masking method counts: the spectrogram and, as floats, five more.
TEST(Rpca, CountsItsMatricesAsMemory) {
  const Method method = rpca_method();
  const auto separator = method.make({.sample_rate = 44100, .channels = 2}, ParameterValues::resolve(method.parameters), 0);
  constexpr std::size_t kValues = 5171 * 1025, kGram = 1025 * 1025;
  const std::size_t least = kValues * (5 * 8 + 2 * (8 + 5 * 4)) + 3 * kGram * 8;
  const std::size_t said = separator->info().working_bytes(60 * 44100);
  EXPECT_GE(said, least);
  EXPECT_LE(said, least * 3 / 2);
}

TEST(Rpca, SilenceIsBackground) {
  ThreadPool pool(1);
  RunContext run{pool};
  const dsp::Mask<float> mask = rpca_mask(dsp::Magnitudes<float>(1, 5, 9), {}, run);
  for (const float v : mask.values()) EXPECT_EQ(v, 1.0f);
}

}  // namespace
}  // namespace unbraid::classic
