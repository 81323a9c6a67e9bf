#include "unbraid/report/oracle_report.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace unbraid::report {
namespace {

/// A track whose only stem has no score.
evaluate::OracleResult silent_track() {
  return {.track = "song",
          .sample_rate = 8000,
          .channels = 1,
          .samples = 8000,
          .window = 512,
          .hop = 128,
          .stems = {"a"},
          .skipped = {{"a", "silent: SI-SDR does not apply"}},
          .masks = {{.name = "irm", .si_sdr_db = {NAN}}}};
}

TEST(OracleReport, SaysNoNumberWhereThereIsNone) {
  evaluate::OracleResult result = silent_track();
  result.correlation = -NAN;
  std::string text = oracle_text(result);
  EXPECT_NE(text.find("correlation n/a, residual n/a\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("WARNING"), std::string::npos) << "nothing is the sum of nothing";

  const evaluate::OracleRun run{.options = {.masks = {"irm"}}, .results = {result}};
  const std::string html = oracle_html(run), summary = oracle_summary_text(run);
  EXPECT_NE(html.find("<th>mean</th><th></th><th></th><th>n/a</th>"), std::string::npos) << html;
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_NE(summary.find("song: a skipped: silent: SI-SDR does not apply\n"), std::string::npos) << summary;
  EXPECT_EQ(summary.find("nan"), std::string::npos);
}

TEST(OracleReport, ResidualsSayWhichInfinityTheyAre) {
  evaluate::OracleResult result = silent_track();
  result.correlation = 1;
  result.residual_db = -INFINITY;
  EXPECT_NE(oracle_text(result).find("correlation 1.000000000000, residual none\n"), std::string::npos);
  result.correlation = NAN;
  result.residual_db = INFINITY;  // the mixture is silent, the stems are not
  EXPECT_NE(oracle_text(result).find("residual ∞ dB  WARNING"), std::string::npos);
}

}  // namespace
}  // namespace unbraid::report
