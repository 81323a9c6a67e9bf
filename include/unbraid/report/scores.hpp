#pragma once
// Evaluation results as files: JSON, museval's JSON, CSV and Markdown.
//
//   write_file_atomically(folder / "evaluate.json", report::evaluation_json(result));
//   const auto stored = report::read_scores(folder / "evaluate.json");
//
// The document unbraid.evaluate/1:
//   {"schema": "unbraid.evaluate/1", "conformance": 3,
//    "tracks": [{"name", "split", "sample_rate", "duration_s", "missing", "extra", "warnings",
//                "targets": [{"name", "not_applicable": null | reason,
//                             "metrics": {"bsseval_v4": {"SDR", "ISR", "SIR", "SAR"}, "si_sdr": dB, …}}]}],
//    "aggregate": {target: {metric: {"tracks", "median", "mean", "std", "median_low", "median_high"}}},
//    "overall": {metric: the same over all targets, with "scores" in place of "tracks"},
//    "failed": {track: reason}, "missing_tracks": [track, …], "extra_tracks": [track, …]}
// The tracks of the last three, and of tables, are called "split/name" where they have a split. Text that is not UTF-8 gets
// replacement characters. Numbers that are not finite are null. Metric names with a dot ("bsseval_v4.SDR") become objects.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "unbraid/evaluate/aggregate.hpp"
#include "unbraid/evaluate/evaluate_dataset.hpp"

namespace unbraid::report {

/// A score in print: two decimals, ∞ for a perfect estimate, a dash where there is none.
std::string score_text(double value);

/// What is left of a mixture without its stems, in print: "-60.0 dB", "none" for −∞, "n/a" for NaN.
std::string residual_text(double db);

std::string evaluation_json(const evaluate::DatasetResult& result);

/// The scores of one track in museval's schema, window by window, rounded to 1e-5; NaN (bare, as museval writes it)
/// where there is no score. museval's own aggregation reads a folder of these.
std::string museval_json(const evaluate::TrackResult& track);

/// One line per track, target and metric: track,target,metric,value. Not applicable: an empty value.
std::string scores_csv(std::span<const evaluate::TrackResult> results);

/// The aggregate as a table for a README: a row per target, and one of all where there are several, "median (mean ± std)" per
/// metric; below it the tracks that are not in it.
std::string summary_markdown(const evaluate::DatasetResult& result);

/// The tracks of an evaluation that have no scores, a line for each: "song: no estimate".
std::vector<std::string> unscored_tracks(const evaluate::DatasetResult& result);

struct StoredScores {
  int conformance = 0;  ///< of the build that wrote them: only those of equal numbers may be compared
  std::vector<evaluate::Score> scores;
};
/// The scores of an evaluation: of evaluate.json, or of the folder that holds it. kNotFound, kFormat.
StoredScores read_scores(const std::filesystem::path& path);

/// unbraid.compare/1: {"schema", "conformance", "comparisons": [{"target", "metric", "tracks", "median_a", "median_b",
/// "mean_difference", "mean_low", "mean_high", "median_difference", "p_value", "best": [{"track", "a", "b"}], "worst"}]}
/// The conformance is that of the scores that were compared.
std::string comparison_json(std::span<const evaluate::Comparison> comparisons, int conformance);

}  // namespace unbraid::report
