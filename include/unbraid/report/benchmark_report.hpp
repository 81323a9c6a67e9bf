#pragma once
// A benchmark for people, spreadsheets and programs.
//
//   write_file_atomically(folder / "report.html", report::benchmark_page(result, {.metric = "bsseval_v4.SDR"}));
//   fmt::print("{}", report::benchmark_text(result, options));
//
// The document unbraid.benchmark/1:
//   {"schema": "unbraid.benchmark/1", "version", "conformance", "dataset", "metric", "tracks": [name, …],
//    "methods": [{"name", "kind": "method" | "oracle" | "mixture", "chosen", "parameters": {…},
//                 "targets": {target: {"tracks", "SDR", "ISR", "SIR", "SAR", "SI_SDR", …}}, "mean",
//                 "realtime_factor", "failed": {track: reason}}],
//    "rankings": [{"target", "metric", "tracks", "methods": [{"method", "rank", "tracks", "median", "median_low", "median_high",
//                 "mean", "p_best", "p_next"}]}],
//    "quoted": [{"system", "dataset", "target", "metric", "value", "source"}]}
// Scores are medians over the tracks; "SDR" … "SAR" are BSS Eval v4's, "SI_SDR" is si_sdr, others keep their names.
// "chosen": stems were chosen with the truth known. "mean" is that of `metric` over the targets. Numbers that are not
// finite are null.

#include <string>

#include "unbraid/evaluate/benchmark.hpp"

namespace unbraid::report {

struct BenchmarkReportOptions {
  std::string dataset = {};               ///< what the results are about, for titles
  std::string metric = "bsseval_v4.SDR";  ///< what methods are ranked by
};

std::string benchmark_json(const evaluate::BenchmarkRun& run, const BenchmarkReportOptions& options);

/// track,method,kind,target,metric,value: a line per score, and one per job for its processor_s (without a target).
std::string benchmark_csv(const evaluate::BenchmarkRun& run);

/// A row per contender, a column per target with the median of `metric`, and how many tracks it is of where scores of some
/// are lacking; the best method of each in bold.
std::string benchmark_markdown(const evaluate::BenchmarkRun& run, const BenchmarkReportOptions& options);

/// The same for a terminal.
std::string benchmark_text(const evaluate::BenchmarkRun& run, const BenchmarkReportOptions& options);

/// A page that stands alone: summary, quality against speed, distributions, rankings, failures, and numbers quoted from
/// others, marked as such.
std::string benchmark_page(const evaluate::BenchmarkRun& run, const BenchmarkReportOptions& options);

}  // namespace unbraid::report
