// REPET against nussl 1.1.9, in double precision as nussl works.

#include "unbraid/classic/repet.hpp"

#include <gtest/gtest.h>

#include "golden/classic/nussl.hpp"

namespace unbraid::classic {
namespace {

class RepetGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("classic/nussl.json");
    magnitudes_ = nussl_magnitudes(pool_);
  }
  ThreadPool pool_{2};
  dsp::Magnitudes<double> magnitudes_;
};

TEST_F(RepetGolden, BeatSpectrumAndPeriodEqualNussl) {
  const testing::Npy expected = testing::load_npy("classic/repet_beat_spectrum.npy");
  const std::vector<double> beats = beat_spectrum(magnitudes_, pool_);
  ASSERT_EQ(beats.size(), expected.size());
  const double greatest = expected.real[0];
  for (std::size_t lag = 0; lag < beats.size(); ++lag)
    ASSERT_NEAR(beats[lag], expected.real[lag], 1e-10 * greatest) << "lag " << lag;  // rounding of long transforms
  EXPECT_EQ(repeating_period(beats, 100, 375), 375u);
}

TEST_F(RepetGolden, FoundPeriodGivesNusslsMask) {
  expect_nussl_mask(repet_mask(magnitudes_, 375, kNusslFirstBin, pool_), nussl_result("repet_default"));
}

TEST_F(RepetGolden, GivenPeriodGivesNusslsMask) {
  expect_nussl_mask(repet_mask(magnitudes_, 188, kNusslFirstBin, pool_), nussl_result("repet_period_given"));
}

// On a recording with one period, the adaptive variant with enough repetitions is not worse than none: its mask
// differs from 1 where the foreground is, and it finds the period that the beat spectrum of the whole has.
TEST_F(RepetGolden, AdaptiveVariantSeparatesToo) {
  RunContext run{pool_};
  const auto mask = adaptive_repet_mask(magnitudes_,
                                        {.shortest_period = 100,
                                         .longest_period = 375,
                                         .window_frames = 1126,
                                         .step_frames = 280,
                                         .repetitions = 5,
                                         .first_bin = kNusslFirstBin},
                                        run);
  double sum = 0;
  for (const double v : mask.values()) {
    ASSERT_GE(v, 0.0);
    ASSERT_LE(v, 1.0);
    sum += v;
  }
  EXPECT_LT(sum / static_cast<double>(mask.size()), 0.95);
  EXPECT_GT(sum / static_cast<double>(mask.size()), 0.5);
}

}  // namespace
}  // namespace unbraid::classic
