// The streamed oracle against the notebook's numbers (seed 000), on both Slakh fixtures, trimmed and whole.

#include <gtest/gtest.h>

#include "support/fixtures.hpp"
#include "unbraid/evaluate/oracle.hpp"

namespace unbraid::evaluate {
namespace {

TEST(OracleGolden, EqualsTheNotebook) {
  UNBRAID_NEEDS_FIXTURE("masks/seed000_pipeline.json");
  const nlohmann::json runs = testing::load_json("masks/seed000_pipeline.json")["runs"];
  const data::DatasetPtr dataset = data::open_dataset(testing::fixtures() / "slakh");
  ThreadPool pool(2);
  RunContext context{pool};
  EXPECT_EQ(runs.size(), 4u);
  for (const auto& [key, run] : runs.items()) {
    SCOPED_TRACE(key);
    OracleOptions options = OracleOptions::seed();
    if (run["trim_s"].is_null()) options.trim_s = 0;
    const data::Track track = dataset->track(data::find_track(*dataset, run["track"].get<std::string>()));
    const OracleResult result = oracle(track, options, context);
    EXPECT_EQ(result.samples, run["samples"].get<std::uint64_t>());
    EXPECT_EQ(result.frames, run["stft_shape"][1].get<std::size_t>());
    EXPECT_EQ(result.window / 2 + 1, run["stft_shape"][0].get<std::size_t>());
    EXPECT_EQ(nlohmann::json(result.stems), run["stem_names"]);
    EXPECT_TRUE(result.skipped.empty());
    EXPECT_NEAR(result.correlation, run["correlation_stems_vs_mix"].get<double>(), 1e-12);
    ASSERT_EQ(result.masks.size(), run["si_sdr"].size());
    for (const OracleMask& mask : result.masks) {
      SCOPED_TRACE(mask.name);
      const nlohmann::json& expected = run["si_sdr"][mask.name];
      for (std::size_t s = 0; s < result.stems.size(); ++s) {
        EXPECT_NEAR(mask.si_sdr_db[s], expected[result.stems[s]].get<double>(), 1e-6) << result.stems[s];
      }
      EXPECT_NEAR(mask.mean_db, expected["mean"].get<double>(), 1e-6);
    }
  }
}

}  // namespace
}  // namespace unbraid::evaluate
