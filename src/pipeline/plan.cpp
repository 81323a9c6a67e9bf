#include "unbraid/pipeline/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <vector>

#include "pipeline/channel_groups.hpp"
#include "pipeline/process_memory.hpp"
#include "pipeline/stream.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/pipeline/chunk.hpp"

namespace unbraid {

namespace {

constexpr double kQueueSlack = 1.5;       // an AudioQueue's storage against what it holds
constexpr double kPieceFrames = 1 << 14;  // read, taken and written at a time
constexpr double kTrialSeconds = 10.0;    // of audio, for whole-track separators

struct Blocks {
  ChunkLayout layout;
  std::size_t batch = 1;
  std::size_t lanes = 1;     ///< channel groups times shifted runs
  std::uint64_t frames = 0;  ///< of the recording at the separator's rate
};

/// What runs at the same time: the separator, or the members of an ensemble or a chain.
std::vector<std::shared_ptr<Separator>> members_of(const SeparatorInfo& separator) {
  std::vector<std::shared_ptr<Separator>> members;
  if (const Ensemble* ensemble = std::get_if<Ensemble>(&separator.blocks))
    for (const Ensemble::Member& member : ensemble->members) members.push_back(member.separator);
  if (const Chain* chain = std::get_if<Chain>(&separator.blocks))
    for (const Chain::Step& step : chain->steps) members.push_back(step.separator);
  return members;
}

/// Whether it, or a member of it, sees the track as one block.
bool needs_whole_track(const SeparatorInfo& separator) {
  return std::holds_alternative<WholeTrack>(separator.blocks) ||
         std::ranges::any_of(members_of(separator), [](const auto& member) { return needs_whole_track(member->info()); });
}

/// Of a composite: the largest of its members.
std::size_t own_batch(const SeparatorInfo& separator) {
  const Chunked* const chunked = std::get_if<Chunked>(&separator.blocks);
  std::size_t batch = chunked ? chunked->batch : 1;
  for (const auto& member : members_of(separator)) batch = std::max(batch, own_batch(member->info()));
  return batch;
}

SeparationOptions options_of_member(const SeparatorInfo& member, SeparationOptions options) {
  options.batch = batch_of_member(member, options.batch);
  return options;
}

/// Signals of the recording's shape that a composite keeps while a member waits for the recording's end: the mixture, in
/// a chain once more for the steps, the members' stems, and those of an ensemble after every stage that it has.
std::size_t waiting_signals(const SeparatorInfo& separator) {
  std::size_t signals = 1;
  for (const auto& member : members_of(separator)) signals += member->info().stems.size();
  if (const Ensemble* ensemble = std::get_if<Ensemble>(&separator.blocks)) {
    const bool combines = ensemble->combine != Ensemble::Combine::kMean && ensemble->combine != Ensemble::Combine::kMedian;
    return signals + ((combines ? 1 : 0) + (ensemble->solo_db ? 1 : 0)) * separator.stems.size();
  }
  return signals + 1;
}

/// Of a composite: those of its first member that needs the whole track, or else of its first.
Blocks blocks_of(const SeparatorInfo& separator, const StreamFormat& input, std::uint64_t frames, const SeparationOptions& options) {
  if (const auto members = members_of(separator); !members.empty()) {
    const auto whole = std::ranges::find_if(members, [](const auto& member) { return needs_whole_track(member->info()); });
    const SeparatorInfo& member = (whole == members.end() ? members.front() : *whole)->info();
    return blocks_of(member, input, frames, options_of_member(member, options));
  }
  Blocks blocks;
  blocks.frames = static_cast<std::uint64_t>(std::llround(static_cast<double>(frames) * separator.sample_rate / input.sample_rate));
  if (const Chunked* chunked = std::get_if<Chunked>(&separator.blocks)) {
    Chunked wanted = *chunked;
    if (options.overlap) wanted.overlap = *options.overlap;
    blocks.layout = ChunkLayout::of(wanted);
    blocks.batch = options.batch > 0 ? options.batch : wanted.batch;
  } else {
    const double shift = options.shifts > 0 ? 0.5 * separator.sample_rate : 0.0;
    blocks.layout = ChunkLayout::whole(static_cast<std::size_t>(shift)).for_signal(blocks.frames);
  }
  const std::size_t variants = !options.augment ? 1 : separator.channels > 1 ? 3 : 2;
  blocks.lanes = channel_groups(input.channels, separator.channels).size() * std::max<std::size_t>(1, options.shifts) * variants;
  return blocks;
}

std::string megabytes(std::size_t bytes) { return fmt::format("{} MB", (bytes + 999'999) / 1'000'000); }

}  // namespace

std::size_t estimate_memory(const SeparatorInfo& separator, const StreamFormat& input, std::uint64_t frames,
                            const SeparationOptions& options) {
  if (const auto members = members_of(separator); !members.empty()) {
    std::size_t bytes = 0;
    for (const auto& member : members) bytes += estimate_memory(member->info(), input, frames, options_of_member(member->info(), options));
    if (!needs_whole_track(separator)) return bytes;
    const double samples = static_cast<double>(waiting_signals(separator) * input.channels) * static_cast<double>(frames);
    return bytes + static_cast<std::size_t>(kQueueSlack * sizeof(float) * samples);
  }
  const Blocks blocks = blocks_of(separator, input, frames, options);
  const bool whole = std::holds_alternative<WholeTrack>(separator.blocks);
  const double length = static_cast<double>(blocks.layout.length);
  const double lanes = static_cast<double>(blocks.lanes);
  const double batch = static_cast<double>(blocks.batch);
  const double stems = static_cast<double>(separator.stems.size());
  const double channels = static_cast<double>(separator.channels);
  const double ratio = input.sample_rate / separator.sample_rate;

  // Frames waiting: at the input for their block to fill, at the output for all blocks that cover them.
  const double waiting = kQueueSlack * (length + static_cast<double>(blocks.layout.tail) + kPieceFrames / ratio +
                                        static_cast<double>((blocks.layout.reference_batch - 1) * blocks.layout.hop)) +
                         batch * static_cast<double>(blocks.layout.hop) / lanes;
  const double mixture = kQueueSlack * (whole ? length : waiting + kPieceFrames) * ratio * static_cast<double>(input.channels);
  const double chunkers = lanes * waiting * channels;
  const double stitchers = lanes * stems * channels * (whole ? length : kQueueSlack * (length + kPieceFrames / ratio));
  const double in_work = batch * length * channels * (1.0 + stems);
  const double pieces = 4.0 * kPieceFrames * static_cast<double>(input.channels) * (1.0 + stems);
  const double working = batch * static_cast<double>(separator.working_bytes(blocks.layout.length));
  // A whole track's queue is given back before its stems are gathered.
  const double queues = whole ? std::max(chunkers, stitchers) : chunkers + stitchers;
  return static_cast<std::size_t>(working + sizeof(float) * (mixture + queues + in_work + pieces));
}

std::size_t choose_batch(const SeparatorInfo& separator, const StreamFormat& input, std::uint64_t frames, const SeparationOptions& options,
                         std::size_t max_bytes) {
  SeparationOptions tried = options;
  if (tried.batch == 0) tried.batch = own_batch(separator);
  if (max_bytes == 0) return tried.batch;
  for (const std::size_t already = current_memory_bytes();; --tried.batch) {
    const std::size_t needed = already + estimate_memory(separator, input, frames, tried);
    if (needed <= max_bytes) return tried.batch;
    if (tried.batch == 1)
      throw Error{ErrorCode::kResource,
                  fmt::format("needs about {}, more than the {} that it may take; {}", megabytes(needed), megabytes(max_bytes),
                              needs_whole_track(separator)
                                  ? "this method holds the whole track: choose one that streams, cut the input, or allow more"
                                  : "allow more, or ask for fewer shifts")};
  }
}

double estimate_seconds(double half_s, double whole_s, double excerpts) {
  const double square = std::clamp(2.0 * whole_s - 4.0 * half_s, 0.0, whole_s);
  return (whole_s - square) * excerpts + square * excerpts * excerpts;
}

SeparationPlan plan_file(const std::filesystem::path& input, const Method& method, const SeparateOptions& options, RunContext& run) {
  options.validate();
  const auto reader = io::open_reader(input, {.cancel = run.cancel});
  const io::AudioInfo& info = reader->info();
  const StreamFormat format{.sample_rate = info.sample_rate, .channels = info.channels};
  const auto separator = method.make(format, ParameterValues::resolve(method.parameters, options.parameters), options.separation.seed);
  const SeparatorInfo& wants = separator->info();
  const StemMixer checks_the_stems(wants.stems, options.selection);
  SeparationOptions separation = options.separation;
  separation.batch = choose_batch(wants, format, info.frames, separation, options.max_memory_bytes);
  const std::size_t memory_bytes = current_memory_bytes() + estimate_memory(wants, format, info.frames, separation);
  const Blocks blocks = blocks_of(wants, format, info.frames, separation);
  const bool whole = needs_whole_track(wants);

  const double excerpt_s = whole ? kTrialSeconds : static_cast<double>(blocks.layout.length) / wants.sample_rate;
  AudioBuffer excerpt(info.channels, static_cast<std::size_t>(std::ceil(excerpt_s * info.sample_rate)));
  const std::size_t got = reader->read(excerpt);
  if (got == 0) throw Error{ErrorCode::kFormat, "holds no audio", input.string()};
  RunContext quiet{.pool = run.pool, .cancel = run.cancel};
  const auto time_s = [&](std::size_t frames) {
    const auto started = std::chrono::steady_clock::now();
    separate(excerpt.view().slice(0, frames), info.sample_rate, *separator, {.overlap = separation.overlap, .batch = separation.batch},
             quiet);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  };

  const double runs = static_cast<double>(std::max<std::size_t>(1, separation.shifts)) * (!separation.augment  ? 1
                                                                                          : wants.channels > 1 ? 3
                                                                                                               : 2);
  const auto count = [&](std::uint64_t frames) {
    return static_cast<double>(blocks.layout.count(blocks_of(wants, format, frames, separation).frames));
  };
  const double half_s = whole ? time_s(got / 2) : 0.0;
  const double trial_s = time_s(got);
  const double once_s = whole ? estimate_seconds(half_s, trial_s, static_cast<double>(info.frames) / static_cast<double>(got))
                              : trial_s * count(info.frames) / count(got);
  return {.method = method.name,
          .frames = info.frames,
          .duration_s = info.seconds(),
          .whole_track = whole,
          .blocks = blocks.layout.count(blocks.frames) * blocks.lanes,
          .block_frames = blocks.layout.length,
          .hop_frames = blocks.layout.hop,
          .batch = blocks.batch,
          .memory_bytes = memory_bytes,
          .seconds = once_s * runs};
}

}  // namespace unbraid
