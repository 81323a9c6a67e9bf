// REPET-SIM against nussl 1.1.9, in double precision as nussl works.

#include "unbraid/classic/repet_sim.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "golden/classic/nussl.hpp"

namespace unbraid::classic {
namespace {

void expect_equal_to(const std::string& name, const RepetSimOptions& options) {
  UNBRAID_NEEDS_FIXTURE("classic/nussl.json");
  const nlohmann::json expected = nussl_result(name);
  ThreadPool pool(2);
  RunContext run{pool};
  const dsp::Magnitudes<double> magnitudes = nussl_magnitudes(pool);
  const auto similar = similar_frames(magnitudes, options, run);
  for (const auto& [frame, indices] : expected["similarity_indices"].items())
    EXPECT_EQ(similar[std::stoul(frame)], indices.get<std::vector<std::size_t>>()) << "frame " << frame;
  expect_nussl_mask(repet_sim_mask(magnitudes, options, run), expected);
}

TEST(RepetSimGolden, DefaultsEqualNussl) {
  expect_equal_to("repet_sim_default", {.min_distance_frames = 125, .max_repeating_frames = 100, .first_bin = kNusslFirstBin});
}

TEST(RepetSimGolden, ThresholdAndCountEqualNussl) {
  expect_equal_to("repet_sim_thr0.5_k10_d0.5",
                  {.similarity_threshold = 0.5, .min_distance_frames = 62.5, .max_repeating_frames = 10, .first_bin = kNusslFirstBin});
}

}  // namespace
}  // namespace unbraid::classic
