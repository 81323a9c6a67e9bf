#pragma once
// Evaluation results as files: JSON, museval's JSON, CSV and Markdown.
//
//   write_file_atomically(folder / "evaluate.json", report::evaluation_json(results));
//   const auto scores = report::read_scores(folder / "evaluate.json");
//
// The document unbraid.evaluate/1:
//   {"schema": "unbraid.evaluate/1", "conformance": 3,
//    "tracks": [{"name", "sample_rate", "duration_s", "missing", "extra", "warnings",
//                "targets": [{"name", "not_applicable": null | reason,
//                             "metrics": {"bsseval_v4": {"SDR", "ISR", "SIR", "SAR"}, "si_sdr": dB, …}}]}],
//    "aggregate": {target: {metric: {"tracks", "median", "mean", "std", "median_low", "median_high"}}},
//    "overall": {metric: the same over all targets, with "scores" in place of "tracks"}}
// Numbers that are not finite are null. Metric names with a dot ("bsseval_v4.SDR") become objects.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "unbraid/evaluate/aggregate.hpp"
#include "unbraid/evaluate/evaluate_track.hpp"

namespace unbraid::report {

/// A score in print: two decimals, ∞ for a perfect estimate, a dash where there is none.
std::string score_text(double value);

std::string evaluation_json(std::span<const evaluate::TrackResult> results);

/// The scores of one track in museval's schema, window by window, rounded to 1e-5; NaN (bare, as museval writes it)
/// where there is no score. museval's own aggregation reads a folder of these.
std::string museval_json(const evaluate::TrackResult& track);

/// One line per track, target and metric: track,target,metric,value. Not applicable: an empty value.
std::string scores_csv(std::span<const evaluate::TrackResult> results);

/// The aggregate as a table for a README: a row per target, and one of all where there are several, "median (mean ± std)" per metric.
std::string summary_markdown(std::span<const evaluate::TrackResult> results);

/// The scores of an evaluation: of evaluate.json, or of the folder that holds it. kNotFound, kFormat.
std::vector<evaluate::Score> read_scores(const std::filesystem::path& path);

/// unbraid.compare/1: {"schema", "conformance", "comparisons": [{"target", "metric", "tracks", "median_a", "median_b",
/// "mean_difference", "mean_low", "mean_high", "median_difference", "p_value", "best": [{"track", "a", "b"}], "worst"}]}
std::string comparison_json(std::span<const evaluate::Comparison> comparisons);

}  // namespace unbraid::report
