#pragma once
// Is a dataset what it claims to be? Every sample of every track is read once.
//
//   for (const data::TrackCheck& check : data::verify(*dataset, {}, run)) {
//     if (!check.ok()) report(check.name, check.problems);
//   }
//
// Problems make a track unfit: files that are missing, damaged or empty, another sample rate, channel count
// or length than the mixture's, values that are not finite, and a sum of stems that is not the mixture, or is silent where
// the mixture is not, or sounds where it is silent. Notes do not: a silent stem, samples at full scale. Memory does not grow with the
// length of tracks.

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"

namespace unbraid::data {

struct VerifyOptions {
  double min_correlation = 0.99;  ///< of the sum of the stems with the mixture; below it is a problem. The notebook's.
  double length_tolerance_s = 0;  ///< how much stems may differ from the mixture in length
};

struct StemCheck {
  std::string name;
  SourceInfo info;
  double rms_db = -std::numeric_limits<double>::infinity();   ///< dBFS; −∞ for silence
  double peak_db = -std::numeric_limits<double>::infinity();  ///< dBFS
};

struct TrackCheck {
  std::string name;
  std::string split;
  SourceInfo mixture;  ///< of the first stem where there is no file of the mixture
  std::vector<StemCheck> stems;
  /// Pearson's, over all channels and samples, of the sum of the stems with the mixture. NaN when there is no
  /// file of the mixture, when no stem fits it, or when either is constant. Blind to gain: see residual_db.
  double correlation = std::numeric_limits<double>::quiet_NaN();
  /// 10·log10(Σ(sum − mix)² / Σ mix²); −∞ when the sum is the mixture, ∞ when only the mixture is silent.
  double residual_db = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::string> problems;
  std::vector<std::string> notes;

  bool ok() const { return problems.empty(); }
};

/// One check per track, in the dataset's order; tracks run in parallel. A track that cannot be loaded is a
/// check with that problem, not an exception.
std::vector<TrackCheck> verify(const Dataset& dataset, const VerifyOptions& options, RunContext& run);

/// Files that macOS leaves behind ("._mix.wav") anywhere below a folder, sorted. Readers skip them; other
/// programs trip.
std::vector<std::filesystem::path> macos_files(const std::filesystem::path& folder);

}  // namespace unbraid::data
