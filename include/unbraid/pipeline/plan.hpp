#pragma once
// What separating a file will cost, before it is done.
//
//   SeparationPlan plan = plan_file("song.mp3", method, {.max_memory_bytes = 2'000'000'000}, run);
//   fmt::print("{} blocks, about {} MB, {:.0f} s\n", plan.blocks, plan.memory_bytes >> 20, plan.seconds);

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "unbraid/core/run_context.hpp"
#include "unbraid/pipeline/separate.hpp"
#include "unbraid/pipeline/separate_file.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

struct SeparationPlan {
  std::string method;
  std::uint64_t frames = 0;  ///< of the input; estimated where the file does not say
  double duration_s = 0;
  bool whole_track = false;  ///< one block: memory grows with the track
  /// In all, over channels and shifted runs. Of ensembles and chains these are the blocks of the first member that needs the
  /// whole track, or else of the first.
  std::uint64_t blocks = 0;
  std::size_t block_frames = 0;  ///< at the separator's sample rate
  std::size_t hop_frames = 0;
  std::size_t batch = 0;         ///< blocks at a time
  std::size_t memory_bytes = 0;  ///< estimated peak of the process
  double seconds = 0;            ///< estimated; from a trial on the first block, where it is the track on five and ten seconds
};

/// Estimated peak memory of a SeparationStream over so many frames, without what the process has already.
/// Counts its queues, blocks and stems and the separator's own working_bytes(); of ensembles and chains what their members
/// need, and all stems where a member wants the whole track, since all others wait for it. Not counted: files,
/// fragmentation.
std::size_t estimate_memory(const SeparatorInfo& separator, const StreamFormat& input, std::uint64_t frames,
                            const SeparationOptions& options);

/// The largest batch, at most the separator's own, with which the estimate for the process stays within max_bytes (0: no
/// limit); of ensembles and chains at most the largest of a member, each of which takes at most its own. kResource, saying
/// how much is needed, when not even one block at a time does.
std::size_t choose_batch(const SeparatorInfo& separator, const StreamFormat& input, std::uint64_t frames, const SeparationOptions& options,
                         std::size_t max_bytes);

/// Time for so many excerpts as one block, from the times that half of one and one took: a·n + b·n², neither below 0. Methods that
/// compare all moments with all others, such as REPET-SIM, grow with the square.
double estimate_seconds(double half_s, double whole_s, double excerpts);

/// Bytes of RAM that this process could have at most: the machine's, or less where a control group limits it (containers, services).
/// A sensible max_bytes for programs that must not be killed for memory.
std::size_t machine_memory_bytes();

/// Opens the file and tries the separator on its beginning. Errors as separate_file().
SeparationPlan plan_file(const std::filesystem::path& input, const Method& method, const SeparateOptions& options, RunContext& run);

}  // namespace unbraid
