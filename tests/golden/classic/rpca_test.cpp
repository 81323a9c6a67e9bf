// Robust PCA against nussl 1.1.9 (numpy's full singular value decomposition).

#include "unbraid/classic/rpca.hpp"

#include <gtest/gtest.h>

#include "golden/classic/nussl.hpp"

namespace unbraid::classic {
namespace {

void expect_equal_to(const std::string& name, std::size_t iterations) {
  UNBRAID_NEEDS_FIXTURE("classic/nussl.json");
  const nlohmann::json expected = nussl_result(name);
  ThreadPool pool(2);
  RunContext run{pool};
  const dsp::Magnitudes<double> magnitudes = nussl_magnitudes(pool);
  const RpcaOptions options{.iterations = iterations, .hard = true, .first_bin = kNusslFirstBin};
  const LowRankSparse parts = rpca(magnitudes.values(), magnitudes.frames(), magnitudes.bins(), options, run);
  EXPECT_NEAR(parts.error, expected["final_error"].get<double>(), 1e-3 * expected["final_error"].get<double>());
  const auto expect_stats = [](const std::vector<double>& part, const nlohmann::json& stats) {
    double sum = 0, squares = 0;
    for (const double x : part) {
      sum += x;
      squares += x * x;
    }
    // The thresholds cut through clouds of values; rounding of another decomposition moves a few of them.
    EXPECT_NEAR(sum, stats["sum"].get<double>(), 1e-6 * std::abs(stats["sum"].get<double>()));
    EXPECT_NEAR(squares, stats["sum_sq"].get<double>(), 1e-6 * stats["sum_sq"].get<double>());
  };
  expect_stats(parts.low_rank, expected["low_rank"]);
  expect_stats(parts.sparse, expected["sparse"]);
  expect_nussl_mask(rpca_mask(magnitudes, options, run), expected);
}

TEST(RpcaGolden, TenIterationsEqualNussl) { expect_equal_to("rpca_10it", 10); }
TEST(RpcaGolden, ConvergedEqualsNussl) { expect_equal_to("rpca_default", 100); }

}  // namespace
}  // namespace unbraid::classic
