// Multiplicative updates against scikit-learn 1.2.1 (solver "mu", custom start).

#include "unbraid/classic/nmf.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {
namespace {

/// V (bins, frames) = W (bins, components) · H (components, frames) of the fixtures, in our layout.
class NmfGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("classic/nmf.json");
    expected_ = testing::load_json("classic/nmf.json")["results"];
    const testing::Npy v = testing::load_npy("classic/nmf_V.npy");
    bins_ = v.shape[0];
    frames_ = v.shape[1];
    v_ = transposed(v);
    start_ = {frames_, bins_, 6, transposed(testing::load_npy("classic/nmf_H0.npy")), transposed(testing::load_npy("classic/nmf_W0.npy"))};
  }

  static std::vector<double> transposed(const testing::Npy& in) {
    std::vector<double> out(in.size());
    for (std::size_t r = 0; r < in.shape[0]; ++r)
      for (std::size_t c = 0; c < in.shape[1]; ++c) out[c * in.shape[0] + r] = in.real[r * in.shape[1] + c];
    return out;
  }

  void expect_equal_to(const std::string& name, NmfOptions options) {
    RunContext run{pool_};
    std::size_t cases = 0;
    for (const auto& [iterations, wanted] : expected_[name]["iterations"].items()) {
      options.components = 6;
      options.iterations = std::stoul(iterations);
      NmfFactors<double> factors = start_;
      nmf<double>(v_, factors, options, run);
      // As the fixtures say: differences of rounding grow with the iterations.
      const double tolerance = options.iterations <= 5 ? 1e-9 : options.iterations <= 100 ? 1e-6 : 1e-4;
      const std::string what = name + ", iteration " + iterations;
      if (wanted.contains("W")) {
        expect_sum(factors.dictionary, wanted["W"], tolerance, what + " W");
        expect_sum(factors.activations, wanted["H"], tolerance, what + " H");
      }
      for (std::size_t c = 0; c < 3; ++c) {  // W[0, :3] and H[:3, 0]
        const double w = wanted["W[0,:3]"][c].get<double>(), h = wanted["H[:3,0]"][c].get<double>();
        EXPECT_NEAR(factors.dictionary[c * bins_], w, tolerance * std::max(1.0, w)) << what;
        EXPECT_NEAR(factors.activations[c], h, tolerance * std::max(1.0, h)) << what;
      }
      if (wanted.contains("W_file")) {
        expect_values(factors.dictionary, wanted["W_file"], tolerance);
        expect_values(factors.activations, wanted["H_file"], tolerance);
      }
      const char* key = "objective (half-scaled beta divergence)";
      if (wanted.contains(key)) {
        const double objective = wanted[key].get<double>();
        EXPECT_NEAR(nmf_divergence<double>(v_, factors, options.beta, pool_), objective, tolerance * objective) << what;
      }
      ++cases;
    }
    EXPECT_GT(cases, 0u);
  }

  static void expect_sum(const std::vector<double>& actual, const nlohmann::json& stats, double tolerance, const std::string& what) {
    double sum = 0, squares = 0;
    for (const double x : actual) {
      sum += x;
      squares += x * x;
    }
    EXPECT_NEAR(sum, stats["sum"].get<double>(), tolerance * stats["sum"].get<double>()) << what;
    EXPECT_NEAR(squares, stats["sum_sq"].get<double>(), tolerance * stats["sum_sq"].get<double>()) << what;
  }

  static void expect_values(const std::vector<double>& actual, const std::string& file, double tolerance) {
    const std::vector<double> wanted = transposed(testing::load_npy("classic/" + file));
    ASSERT_EQ(actual.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
      ASSERT_NEAR(actual[i], wanted[i], tolerance * std::max(1.0, wanted[i])) << file << " at " << i;
  }

  ThreadPool pool_{2};
  nlohmann::json expected_;
  std::size_t bins_ = 0, frames_ = 0;
  std::vector<double> v_;
  NmfFactors<double> start_;
};

TEST_F(NmfGolden, EuclideanEqualsSklearn) { expect_equal_to("mu|frobenius", {.beta = 2}); }
TEST_F(NmfGolden, KullbackLeiblerEqualsSklearn) { expect_equal_to("mu|kullback-leibler", {.beta = 1}); }
TEST_F(NmfGolden, ItakuraSaitoEqualsSklearn) { expect_equal_to("mu|itakura-saito", {.beta = 0}); }
TEST_F(NmfGolden, OtherBetasEqualSklearn) {
  expect_equal_to("mu|beta=1.5", {.beta = 1.5});
  expect_equal_to("mu|beta=0.5", {.beta = 0.5});
  expect_equal_to("mu|beta=-1.0", {.beta = -1});
  expect_equal_to("mu|beta=3.0", {.beta = 3});
}
// scikit-learn scales the penalty of a factor by the length of the other axis of V.
TEST_F(NmfGolden, PenaltiesEqualSklearn) {
  const auto n_bins = static_cast<double>(bins_), n_frames = static_cast<double>(frames_);
  expect_equal_to("mu|frobenius|alpha_W=0.01,alpha_H=0.02,l1_ratio=0.5", {.beta = 2,
                                                                          .l1_dictionary = 0.01 * 0.5 * n_frames,
                                                                          .l2_dictionary = 0.01 * 0.5 * n_frames,
                                                                          .l1_activations = 0.02 * 0.5 * n_bins,
                                                                          .l2_activations = 0.02 * 0.5 * n_bins});
  expect_equal_to("mu|kullback-leibler|alpha_W=0.01,alpha_H=same,l1_ratio=1",
                  {.beta = 1, .l1_dictionary = 0.01 * n_frames, .l1_activations = 0.01 * n_bins});
}

TEST_F(NmfGolden, Float32FollowsDouble) {
  RunContext run{pool_};
  const std::vector<float> v(v_.begin(), v_.end());
  NmfFactors<float> factors{
      frames_, bins_, 6, {start_.activations.begin(), start_.activations.end()}, {start_.dictionary.begin(), start_.dictionary.end()}};
  nmf<float>(v, factors, {.components = 6, .beta = 1, .iterations = 20}, run);
  const double wanted = expected_["mu|kullback-leibler|float32 input"]["objective"].get<double>();
  EXPECT_NEAR(nmf_divergence<float>(v, factors, 1, pool_), wanted, 1e-4 * wanted);  // float32 sums of 7800 terms
}

}  // namespace
}  // namespace unbraid::classic
