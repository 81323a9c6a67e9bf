#pragma once
// Many ways to separate, one dataset, the same scores for all.
//
//   std::vector<evaluate::Contender> who{evaluate::Contender::mixture(), evaluate::Contender::oracle("irm"),
//                                        evaluate::Contender::of(catalog::find("hpss"))};
//   const auto result = evaluate::benchmark(*dataset, who, {.folder = "bench", .resume = true}, run);
//   const auto rankings = evaluate::rank(result, "bsseval_v4.SDR");                    // ranking.hpp
//
// Targets. Stems of a track that play the same instrument (Slakh's classes; elsewhere the stems' names) are summed to
// one part each, and the parts are the targets; with vocals among them there is one more, "accompaniment", the sum of
// the others. A stem of a method is scored as the target of its name (case does not matter), "other" as the sum of all
// parts that the method has no name for. Stems named for what a method does stand for the instrument that it is known
// for: foreground and centre for vocals, background and sides for accompaniment, percussive for drums, low for bass.
// A method that only numbers its stems (source1, band2) is scored, for every target, by the stem that fits it best by
// SI-SDR. That choice knows the truth, and `chosen` says so: it bounds what a listener could pick.
//
// Every track and contender is a job. Jobs run in parallel, each on one thread, as many as the memory budget admits;
// methods with weights run afterwards, one job at a time on all threads. Speed is seconds of audio per second of
// processor time, so it does not depend on what else the machine does, nor on the number of threads.
//
// Files: <folder>/tracks/[<split>/]<track>/<contender>.json for every finished job, written whole or not at all.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/evaluate/evaluate_track.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid::evaluate {

struct Contender {
  enum class Kind {
    kMixture,  ///< the mixture as the estimate of everything: what doing nothing scores
    kOracle,   ///< an ideal mask, which knows the stems
    kMethod
  };
  std::string name;  ///< unique: "mix", "oracle:irm", "hpss", "hpss:margin=2"
  Kind kind = Kind::kMethod;
  std::string mask = {};  ///< of an oracle, as mask::ideal_mask() names it
  Method method = {};     ///< of a method
  /// Of the method, as texts; "{track}" in a value is replaced by the track's name.
  std::map<std::string, std::string> parameters = {};

  static Contender mixture();
  static Contender oracle(std::string mask);
  static Contender of(Method method, std::map<std::string, std::string> parameters = {});
};

struct BenchmarkOptions {
  EvaluateOptions scores = {};
  std::uint64_t seed = 0;             ///< of methods that draw
  std::size_t max_memory_bytes = 0;   ///< of all jobs that run at a time; 0: no limit
  std::filesystem::path folder = {};  ///< empty: nothing is written
  bool resume = false;                ///< takes over jobs whose file was made of the same audio with the same options; needs a folder
};

/// A finished job.
struct BenchmarkEntry {
  std::size_t track = 0, contender = 0;  ///< places in BenchmarkRun's lists
  TrackResult scores;
  bool chosen = false;  ///< stems were chosen with the truth known
  /// Seconds of processor time that the separation took; NaN for contenders that are not methods.
  double processor_s = std::numeric_limits<double>::quiet_NaN();
};

struct BenchmarkRun {
  std::vector<std::string> tracks;      ///< in the dataset's order
  std::vector<Contender> contenders;    ///< in the order asked for
  std::vector<BenchmarkEntry> entries;  ///< track after track, contender after contender
  struct Failure {
    std::size_t track, contender;
    ErrorCode code;  ///< kUnsupported, kUsage: such a track is beyond the method; anything else went wrong
    std::string reason;
  };
  std::vector<Failure> failures;
  std::vector<std::pair<std::size_t, std::string>> warnings;  ///< what is wrong with a track (data::Track::warnings)
  std::size_t resumed = 0;                                    ///< how many jobs were taken over

  /// The targets that any contender was scored on: the dataset's parts first, then other, then accompaniment.
  std::vector<std::string> targets() const;
  /// The score of a track's target by a contender; NaN where there is none.
  double score(std::size_t track, std::size_t contender, const std::string& target, const std::string& metric) const;
  /// Scores of all tracks, in their order, NaN where there is none.
  std::vector<double> scores(std::size_t contender, const std::string& target, const std::string& metric) const;
  /// Seconds of audio per second of processor time over all its jobs; NaN without one.
  double realtime_factor(std::size_t contender) const;
};

/// A job that fails does not stop the others; it is listed. kUsage for a contender twice, unknown parameters and options
/// out of range, before anything is done; kCancelled.
BenchmarkRun benchmark(const data::Dataset& dataset, std::vector<Contender> contenders, const BenchmarkOptions& options, RunContext& run);

}  // namespace unbraid::evaluate
