#include "unbraid/metrics/conformance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace unbraid::metrics {
namespace {

TEST(Conformance, NoScoreHasMoved) {
  ThreadPool pool(2);
  RunContext run{pool};
  const auto scores = conformance_scores(run);
  const auto expected = expected_conformance_scores();
  ASSERT_EQ(scores.size(), expected.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    EXPECT_EQ(scores[i].name, expected[i].name);
    // A hundredth of what anybody prints, and far above what another processor's rounding can do.
    EXPECT_NEAR(scores[i].value, expected[i].value, 1e-6) << scores[i].name << " moved: raise kConformance and say why in conformance.hpp";
  }
}

TEST(Conformance, TheSignalIsWhatTheHeaderSays) {
  const ConformanceSignal signal = conformance_signal();
  ASSERT_EQ(signal.references.size(), 2u);
  EXPECT_EQ(signal.mixture.frames(), 66150u);
  for (std::size_t n = 0; n < signal.mixture.frames(); n += 1000)
    EXPECT_FLOAT_EQ(signal.mixture.channel(1)[n], signal.references[0].channel(1)[n] + signal.references[1].channel(1)[n]);
}

}  // namespace
}  // namespace unbraid::metrics
