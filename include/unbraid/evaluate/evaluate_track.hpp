#pragma once
// One track's estimates scored against its references.
//
//   const data::Track truth = data::open_dataset("musdb/test")->track(0), ours = data::open_dataset("stems")->track(0);
//   evaluate::TrackResult result = evaluate::evaluate_track(truth, ours, {}, run);
//   for (const auto& target : result.targets) print(target.name, target.metrics.at("bsseval_v4.SDR"));
//
// Targets are the stems that both tracks name (case does not matter); the others are listed. BSS Eval sees all targets
// at once. As in museval, an estimated "accompaniment" ("instrumental", "no_vocals", "bass+drums+other") is scored against
// the sum of all references but the vocals, in a second evaluation of vocals and accompaniment alone, whose scores of the
// vocals count.
//
// A target whose reference is silent throughout, or that has values which are not finite, is not applicable: its numbers are
// NaN, kept out of every mean, and `not_applicable` says why. Scores of single channels are averaged over those in which the
// reference sounds; a channel that is lost in the estimate makes SI-SDR and its family NaN, with a warning. A mixture with
// values that are not finite takes away the scores that need it: logWMSE and the improvement of SI-SDR.
//
// What is wrong with the tracks themselves (data::Track::warnings) is among the warnings.
//
// Different lengths are cut to the shortest with a warning, or refused when strict. Different sample rates or channel counts
// are refused (kFormat): a score across a conversion would score the conversion.
//
// BSS Eval v4 is streamed: with the default metrics memory holds some seconds of every stem, one whole reference with
// its estimate and mixture, and the filters. The other metrics hold what their headers say.

#include <compare>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/metrics/bss_eval.hpp"

namespace unbraid::evaluate {

/// What can be asked for, with the names of the numbers it gives.
struct MetricInfo {
  std::string name;                  ///< "bsseval_v4"
  std::vector<std::string> results;  ///< "bsseval_v4.SDR", …; the same as the name where it is one number
  std::string help;
  std::string unit = "dB";  ///< of all its results; empty for plain numbers
  bool lower_is_better = false;
};
const std::vector<MetricInfo>& known_metrics();

/// The metric that gives this result ("bsseval_v4.SDR"); null for unknown names.
const MetricInfo* metric_of(const std::string& result);
/// False for unknown names.
bool lower_is_better(const std::string& result);
/// "bsseval_v4.SDR (dB)", or the name alone where it has no unit.
std::string with_unit(const std::string& result);

/// What tells the tracks of a dataset apart.
struct TrackId {
  std::string split = {};  ///< empty where there is none
  std::string name;

  /// "test/song", or "song" without a split.
  std::string label() const { return split.empty() ? name : split + "/" + name; }
  auto operator<=>(const TrackId&) const = default;
};

struct EvaluateOptions {
  std::vector<std::string> metrics = {"bsseval_v4", "si_sdr", "sdr"};
  double window_s = 1;  ///< of BSS Eval; 0: the whole track
  double hop_s = 1;
  std::size_t filter_length = 512;  ///< taps
  bool strict = false;              ///< different lengths are an error
  bool accompaniment = false;       ///< make the estimate of the accompaniment from the other estimates
  bool compat = false;              ///< museval's rules for silence (bss_eval.hpp)
  bool pictures = false;            ///< spectrograms for a report

  /// kUsage for an unknown metric (the message lists the known ones) and for times or lengths out of range.
  void validate() const;
};

/// Levels in dB, [column][band], band 0 lowest: a mel spectrogram reduced to the width of a picture.
struct LevelGrid {
  std::size_t columns = 0;
  std::size_t bands = 0;
  std::vector<float> db;
};

struct TargetResult {
  std::string name;
  std::string not_applicable = {};             ///< why there are no scores, or empty
  std::map<std::string, double> metrics = {};  ///< by result name; BSS Eval: the median of the windows
  metrics::BssSourceScores windows = {};       ///< of bsseval_v4, else empty
  LevelGrid reference_levels = {}, estimate_levels = {};
  std::string estimate_file = {};  ///< where the estimate lies, for whoever links to it; not set by evaluate_track()
};

struct TrackResult {
  std::string name;
  std::string split = {};  ///< of the reference
  double sample_rate = 0;  ///< Hz
  double seconds = 0;
  double window_s = 0;  ///< of `windows`
  std::vector<double> window_start_s;
  std::vector<TargetResult> targets;
  std::vector<std::string> missing;  ///< references without an estimate
  std::vector<std::string> extra;    ///< estimates without a reference
  std::vector<std::string> warnings;

  TrackId id() const { return {split, name}; }
};

/// kNotFound when no target is named in both tracks, kFormat when one of the signals has no samples and others have some.
TrackResult evaluate_track(const data::Track& reference, const data::Track& estimate, const EvaluateOptions& options, RunContext& run);

}  // namespace unbraid::evaluate
