#pragma once
// What separating a file gave: facts and levels, and the JSON documents that carry them.
//
//   SeparationReport report = separate_file("song.mp3", "stems/song", method, {}, run);
//   fmt::print("{}\n", to_json(std::vector{report}));          // an unbraid.separate/1 document

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "unbraid/io/audio_format.hpp"

namespace unbraid {

/// The residual_db of stems whose sum is the mixture bit by bit: low, but a number that programs can compare.
inline constexpr double kExactDb = -400.0;

/// Levels are in dB of full scale (a full-scale square wave is 0 dB rms) and −∞ for silence.
struct StemReport {
  std::string name;
  std::filesystem::path file;
  std::uint64_t bytes = 0;            ///< size of the file
  double rms_db = 0;                  ///< over all channels
  double peak_db = 0;                 ///< of samples
  double energy_share = 0;            ///< of the energies of all stems that were written; 0 when all are silent
  std::uint64_t clipped_samples = 0;  ///< that the file's sample format could not hold
};

struct SeparationReport {
  std::filesystem::path input;
  std::filesystem::path output;  ///< the folder
  std::string method;
  double sample_rate = 0;    ///< Hz, of the input
  std::size_t channels = 0;  ///< of the input and the stems
  std::uint64_t frames = 0;  ///< of the input
  double duration_s = 0;
  double wall_s = 0;                  ///< time it took
  double realtime_factor = 0;         ///< duration_s / wall_s
  std::size_t peak_memory_bytes = 0;  ///< of the whole process, so far
  /// Level of (sum of the stems − mixture) against the mixture in dB, before rounding to the file format;
  /// over all stems of the method, also those that were not chosen, or over the two of `two_stems`. kExactDb
  /// when nothing is left, NaN for a silent mixture.
  double residual_db = 0;
  std::vector<StemReport> stems;  ///< in the order of the method
  double stem_sample_rate = 0;    ///< Hz, of the files; another than the input's where their type cannot hold that
  io::SampleFormat stem_format = io::SampleFormat::kFloat32;
  std::vector<std::string> warnings = {};  ///< of the input's reader, see io::AudioInfo
  bool resumed = false;                    ///< nothing was done: an earlier run had finished it
};

/// An input that gave no stems, and why.
struct SeparationFailure {
  std::filesystem::path input;
  std::string error;  ///< one line
};

/// {"schema": "unbraid.separate/1", "inputs": [...], "failed": [...]}, one line. What is no finite number is null.
std::string to_json(std::span<const SeparationReport> reports, std::span<const SeparationFailure> failed = {});

}  // namespace unbraid
