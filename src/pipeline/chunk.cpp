#include "unbraid/pipeline/chunk.hpp"

#include <algorithm>
#include <cmath>

#include "pipeline/audio_queue.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

void validate(const Chunked& blocks) {
  const auto require = [](bool holds, const char* message) {
    if (!holds) throw Error{ErrorCode::kUsage, message, "blocks"};
  };
  require(blocks.length > 0, "the length of a block must be positive");
  require(blocks.overlap >= 0.0 && blocks.overlap < 1.0, "overlap must be at least 0 and below 1");
  require(blocks.fade > 0.0 && blocks.fade <= 0.5, "fade must be above 0 and at most 0.5");
  require(blocks.context < (blocks.length + 1) / 2, "context must be shorter than half a block");
  require(blocks.batch > 0 && blocks.reference_batch > 0, "batch must be positive");
  require(blocks.policy == BlockPolicy::kUniform || blocks.context == 0, "only uniform blocks have a context");
  require(blocks.transition_power >= 1.0, "the transition power must be at least 1");
}

/// The frame that stands at `index` when a signal of `frames` > 0 is mirrored back and forth at its border
/// samples.
std::uint64_t mirrored(std::int64_t index, std::uint64_t frames) {
  if (frames == 1) return 0;
  const std::int64_t period = 2 * static_cast<std::int64_t>(frames - 1);
  const std::int64_t inside = ((index % period) + period) % period;
  return static_cast<std::uint64_t>(std::min(inside, period - inside));
}

}  // namespace

ChunkLayout ChunkLayout::of(const Chunked& blocks, std::size_t offset) {
  validate(blocks);
  const double step = static_cast<double>(blocks.length - 2 * blocks.context) * (1.0 - blocks.overlap);
  // MSST divides by an integer, from which the overlap was made with rounding; demucs computes this very product.
  constexpr double kRounding = 1e-6;
  const double hop = blocks.policy == BlockPolicy::kUniform  ? std::round(step)
                     : blocks.policy == BlockPolicy::kDemucs ? std::floor(step)
                                                             : std::floor(step + kRounding);
  return with_hop(blocks, static_cast<std::size_t>(std::max(1.0, hop)), offset);
}

ChunkLayout ChunkLayout::with_hop(const Chunked& blocks, std::size_t hop, std::size_t offset) {
  validate(blocks);
  const std::size_t core = blocks.length - 2 * blocks.context;
  if (hop == 0 || hop > core) throw Error{ErrorCode::kUsage, "hop must be between 1 and the part that is kept", "blocks"};
  const bool padded = blocks.policy == BlockPolicy::kUniform || blocks.policy == BlockPolicy::kMsst;
  const std::size_t border = padded ? core - hop + blocks.context : 0;
  return {.length = blocks.length,
          .hop = hop,
          .context = blocks.context,
          .lead = border + offset,
          .tail = border,
          .padding = padded ? blocks.padding : PaddingMode::kConstant,
          .policy = blocks.policy,
          .reference_batch = blocks.reference_batch,
          .shorten_last = blocks.shorten_last};
}

ChunkLayout ChunkLayout::whole(std::size_t offset) { return {.lead = offset}; }

ChunkLayout ChunkLayout::for_signal(std::uint64_t frames) const {
  if (length > 0) {
    ChunkLayout layout = *this;
    if (policy == BlockPolicy::kMsst && frames <= 2 * tail) {
      layout.lead -= tail;
      layout.tail = 0;
    }
    return layout;
  }
  const std::size_t all = std::max<std::size_t>(1, static_cast<std::size_t>(frames) + lead);
  return {.length = all, .hop = all, .lead = lead, .padding = padding};
}

std::uint64_t ChunkLayout::count(std::uint64_t frames) const noexcept {
  return frames == 0 ? 0 : (frames + lead - context + hop - 1) / hop;
}

namespace {

/// The number of the block after the reference's batch that holds this one.
std::uint64_t batch_end(const ChunkLayout& layout, std::uint64_t index) {
  return (index / layout.reference_batch + 1) * layout.reference_batch;
}

}  // namespace

BlockSpan ChunkLayout::span(std::uint64_t index, std::uint64_t frames) const {
  BlockSpan block{.first = static_cast<std::int64_t>(index * hop) - static_cast<std::int64_t>(lead),
                  .length = length,
                  .skip = context,
                  .stitched = core()};
  if (policy == BlockPolicy::kUniform) return block;
  const std::int64_t end = static_cast<std::int64_t>(frames + tail);
  block.stitched = static_cast<std::size_t>(std::clamp<std::int64_t>(end - block.first, 0, static_cast<std::int64_t>(length)));
  if (policy == BlockPolicy::kMsst) {
    const std::uint64_t padded = frames + lead + tail;
    const bool alone = index == 0 && (reference_batch == 1 || hop >= padded);
    block.fade_in = !alone;
    block.fade_out = alone || batch_end(*this, index) * hop < padded;
  }
  if (policy == BlockPolicy::kDemucs && shorten_last) block.length = block.stitched;
  if (policy == BlockPolicy::kDemucs && !shorten_last) {
    block.skip = (length - block.stitched) / 2;
    block.first -= static_cast<std::int64_t>(block.skip);
  }
  return block;
}

struct Chunker::State {
  ChunkLayout layout;
  AudioQueue signal;
  std::uint64_t received = 0;
  std::uint64_t made = 0;
  bool finished = false;

  std::int64_t start() const { return static_cast<std::int64_t>(made * layout.hop) - static_cast<std::int64_t>(layout.lead); }

  BlockSpan span() const { return layout.span(made, received); }

  void fill(MutableAudioView block) const {
    const BlockSpan span = this->span();
    const std::int64_t begin = span.first;
    const std::int64_t frames = static_cast<std::int64_t>(received);
    const std::int64_t end = begin + static_cast<std::int64_t>(span.length);
    const bool mirrors_itself = layout.policy == BlockPolicy::kMsst && span.stitched > span.length / 2;
    // Borders, in frames of the signal: begin ≤ inside ≤ outside ≤ padded ≤ end.
    const std::int64_t inside = std::clamp<std::int64_t>(0, begin, end);
    const std::int64_t outside = std::clamp(frames, inside, end);
    const std::int64_t padded = std::clamp(frames + static_cast<std::int64_t>(layout.tail), outside, end);
    for (std::size_t c = 0; c < block.channels(); ++c) {
      const std::span<float> row = block.channel(c);
      const auto at = [&](std::int64_t frame) { return signal.view(static_cast<std::uint64_t>(frame), 1).channel(c)[0]; };
      const auto pad = [&](std::int64_t first, std::int64_t last, std::int64_t border) {
        for (std::int64_t t = first; t < last; ++t) {
          float& sample = row[static_cast<std::size_t>(t - begin)];
          switch (layout.padding) {
            case PaddingMode::kConstant: sample = 0.0f; break;
            case PaddingMode::kReplicate: sample = at(border); break;
            case PaddingMode::kReflect: sample = at(static_cast<std::int64_t>(mirrored(t, received))); break;
          }
        }
      };
      pad(begin, inside, 0);
      if (outside > inside) {
        const AudioView held = signal.view(static_cast<std::uint64_t>(inside), static_cast<std::size_t>(outside - inside));
        std::ranges::copy(held.channel(c), row.begin() + (inside - begin));
      }
      pad(outside, padded, frames - 1);
      std::fill(row.begin() + (padded - begin), row.end(), 0.0f);
      for (std::size_t t = span.stitched; mirrors_itself && t < span.length; ++t) row[t] = row[2 * (span.stitched - 1) - t];
    }
  }
};

Chunker::Chunker(const ChunkLayout& layout, std::size_t channels)
    : state_(std::make_unique<State>(State{.layout = layout, .signal = AudioQueue(channels)})) {}
Chunker::~Chunker() = default;
Chunker::Chunker(Chunker&&) noexcept = default;

void Chunker::push(AudioView frames) {
  state_->signal.push(frames);
  state_->received += frames.frames();
}

void Chunker::finish() {
  state_->finished = true;
  state_->layout = state_->layout.for_signal(state_->received);
}

const ChunkLayout& Chunker::layout() const { return state_->layout; }

BlockSpan Chunker::span() const { return state_->span(); }

bool Chunker::ready() const {
  const ChunkLayout& layout = state_->layout;
  const std::int64_t received = static_cast<std::int64_t>(state_->received);
  if (state_->finished) return state_->made < layout.count(state_->received);
  if (layout.length == 0) return false;
  // Whether the signal is padded, and whether the fades of a block go, must be known.
  if (layout.policy == BlockPolicy::kMsst &&
      (state_->received <= 2 * layout.tail || batch_end(layout, state_->made) * layout.hop >= state_->received + layout.lead + layout.tail))
    return false;
  // Until the end is known, a block must lie in what was received, and so must what its beginning mirrors.
  const std::int64_t begin = state_->start();
  return received >= begin + static_cast<std::int64_t>(layout.length) && received > -begin;
}

void Chunker::next(MutableAudioView block) {
  if (!ready() || block.channels() != state_->signal.channels() || block.frames() != state_->span().length)
    throw Error{ErrorCode::kInternal, "no such block"};
  state_->fill(block);
  ++state_->made;
  if (state_->finished && !ready()) {  // that was the last one: let go of the memory
    state_->signal = AudioQueue(state_->signal.channels());
    return;
  }
  // Keep what the next block starts with, or reaches back to, and what its end would mirror if the signal ended now.
  const std::int64_t received = static_cast<std::int64_t>(state_->received);
  const std::int64_t mirrors = received - static_cast<std::int64_t>(state_->layout.tail) - 1;
  const std::size_t back = state_->layout.policy == BlockPolicy::kDemucs ? state_->layout.length / 2 : 0;
  const std::int64_t oldest = std::min(state_->start() - static_cast<std::int64_t>(back), mirrors);
  state_->signal.drop_before(static_cast<std::uint64_t>(std::max<std::int64_t>(0, oldest)));
}

std::vector<AudioBuffer> generate_chunks(AudioView signal, const ChunkLayout& layout) {
  Chunker chunker(layout, signal.channels());
  chunker.push(signal);
  chunker.finish();
  std::vector<AudioBuffer> blocks;
  while (chunker.ready()) chunker.next(blocks.emplace_back(signal.channels(), chunker.span().length));
  return blocks;
}

}  // namespace unbraid
