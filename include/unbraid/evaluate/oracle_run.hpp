#pragma once
// The oracle over a whole dataset: tracks in parallel, resumable, as documents.
//
//   evaluate::OracleRun done = evaluate::oracle_run(*dataset, options, {.folder = "bounds", .resume = true},
//   run); write_file_atomically("bounds/oracle.json", evaluate::to_json(done).dump(2));
//
// Files: <folder>/[<split>/]<track>/oracle.json for every finished track, and with save_stems
// <folder>/[<split>/]<track>/<mask>/<stem>.wav (32-bit float, nothing scaled or clipped).

#include <cstddef>
#include <filesystem>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/evaluate/oracle.hpp"

namespace unbraid::evaluate {

struct OracleRunOptions {
  std::filesystem::path folder = {};  ///< empty: nothing is written
  bool resume = false;                ///< takes over tracks whose files were made of the same audio with the same options
  bool save_stems = false;            ///< needs a folder
};

struct OracleRun {
  OracleOptions options;
  std::vector<OracleResult> results;                        ///< of the tracks that succeeded, in the dataset's order
  std::vector<std::pair<std::string, std::string>> failed;  ///< track and error of the others
  std::size_t resumed = 0;                                  ///< how many were taken over
};

/// A track that fails does not stop the others. kUsage for save_stems or resume without a folder.
OracleRun oracle_run(const data::Dataset& dataset, const OracleOptions& options, const OracleRunOptions& how, RunContext& run);

/// A name from a dataset as one component of a path: slashes become underscores, "." and ".." get one in
/// front.
std::string path_component(std::string name);

/// The folder of a track's files.
std::filesystem::path oracle_track_folder(const std::filesystem::path& folder, const data::Dataset& dataset, std::size_t track);

/// Over tracks, of one mask. NaN where nothing has a score.
struct OracleAggregate {
  std::string mask;
  std::size_t tracks = 0, stems = 0;                               ///< with a score
  double mean_db = std::numeric_limits<double>::quiet_NaN();       ///< of the tracks' means, as the notebook averages
  double median_db = std::numeric_limits<double>::quiet_NaN();     ///< of the tracks' means
  double deviation_db = std::numeric_limits<double>::quiet_NaN();  ///< population standard deviation of the tracks' means
  double stem_mean_db = std::numeric_limits<double>::quiet_NaN();  ///< of all stems of all tracks alike
};
std::vector<OracleAggregate> aggregate(const OracleRun& run);

/// An entry of "tracks" and a whole document of unbraid.oracle/1. Infinite and missing numbers become null.
nlohmann::ordered_json to_json(const OracleResult& result);
nlohmann::ordered_json to_json(const OracleRun& run);

}  // namespace unbraid::evaluate
