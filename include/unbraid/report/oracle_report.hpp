#pragma once
// Oracle results for people and for spreadsheets.
//
//   fmt::print("{}", report::oracle_text(run.results.front()));
//   write_file_atomically("oracle.html", report::oracle_html(run));

#include <string>

#include "unbraid/evaluate/oracle_run.hpp"

namespace unbraid::report {

/// One track, section by section as the oracle notebook: settings, stems, correlation, scores per mask and
/// stem, summary, and what the numbers mean.
std::string oracle_text(const evaluate::OracleResult& result);

/// Tracks as rows and masks as columns, then means, medians and standard deviations.
std::string oracle_summary_text(const evaluate::OracleRun& run);

/// track,mask,stem,si_sdr_db; a line per score (RFC 4180). Without a score the last cell is empty.
std::string oracle_csv(const evaluate::OracleRun& run);

/// A page that stands alone: box plots of the tracks' means per mask, and the tables.
std::string oracle_html(const evaluate::OracleRun& run);

}  // namespace unbraid::report
