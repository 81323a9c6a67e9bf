#pragma once
// A finished job of a benchmark as a small JSON file, so that an interrupted benchmark can be taken up again.
//
//   {"version", "options": {…}, "audio", "track", "method", "seconds", "processor_s", "chosen",
//    "targets": [{"name", "not_applicable", "metrics": {…}}]}

#include <filesystem>
#include <optional>
#include <string>

#include "unbraid/evaluate/benchmark.hpp"

namespace unbraid::evaluate {

/// The name of a contender's file: characters that paths and shells mind become underscores. Where other names could
/// become the same (the colon before a parameter is no such place), a hash of the name is put behind.
std::filesystem::path benchmark_file(const std::filesystem::path& folder, const data::Dataset& dataset, std::size_t track,
                                     const Contender& contender);

/// audio: data::Track::fingerprint().
void store_entry(const std::filesystem::path& file, const BenchmarkEntry& entry, const std::string& audio, const Contender& contender,
                 const BenchmarkOptions& options);

/// Nothing when there is no file, or one of other options or audio, of another version or cut short.
std::optional<BenchmarkEntry> stored_entry(const std::filesystem::path& file, const std::string& audio, const Contender& contender,
                                           const BenchmarkOptions& options);

}  // namespace unbraid::evaluate
