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
  require(blocks.batch > 0, "batch must be positive");
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
  const double core = static_cast<double>(blocks.length - 2 * blocks.context);
  return with_hop(blocks, static_cast<std::size_t>(std::max(1.0, std::round(core * (1.0 - blocks.overlap)))),
                  offset);
}

ChunkLayout ChunkLayout::with_hop(const Chunked& blocks, std::size_t hop, std::size_t offset) {
  validate(blocks);
  const std::size_t core = blocks.length - 2 * blocks.context;
  if (hop == 0 || hop > core)
    throw Error{ErrorCode::kUsage, "hop must be between 1 and the part that is kept", "blocks"};
  const std::size_t border = core - hop + blocks.context;
  return {.length = blocks.length,
          .hop = hop,
          .context = blocks.context,
          .lead = border + offset,
          .tail = border,
          .padding = blocks.padding};
}

ChunkLayout ChunkLayout::whole(std::size_t offset) {
  return {.lead = offset};
}

ChunkLayout ChunkLayout::for_signal(std::uint64_t frames) const {
  if (length > 0) return *this;
  const std::size_t all = std::max<std::size_t>(1, static_cast<std::size_t>(frames) + lead);
  return {.length = all, .hop = all, .lead = lead, .padding = padding};
}

std::uint64_t ChunkLayout::count(std::uint64_t frames) const noexcept {
  return frames == 0 ? 0 : (frames + lead - context + hop - 1) / hop;
}

struct Chunker::State {
  ChunkLayout layout;
  AudioQueue signal;
  std::uint64_t received = 0;
  std::uint64_t made = 0;
  bool finished = false;

  std::int64_t start() const {
    return static_cast<std::int64_t>(made * layout.hop) - static_cast<std::int64_t>(layout.lead);
  }

  void fill(MutableAudioView block) const {
    const std::int64_t begin = start();
    const std::int64_t frames = static_cast<std::int64_t>(received);
    const std::int64_t end = begin + static_cast<std::int64_t>(layout.length);
    // Borders, in frames of the signal: begin ≤ inside ≤ outside ≤ padded ≤ end.
    const std::int64_t inside = std::clamp<std::int64_t>(0, begin, end);
    const std::int64_t outside = std::clamp(frames, inside, end);
    const std::int64_t padded = std::clamp(frames + static_cast<std::int64_t>(layout.tail), outside, end);
    for (std::size_t c = 0; c < block.channels(); ++c) {
      const std::span<float> row = block.channel(c);
      const auto at = [&](std::int64_t frame) {
        return signal.view(static_cast<std::uint64_t>(frame), 1).channel(c)[0];
      };
      const auto pad = [&](std::int64_t first, std::int64_t last, std::int64_t border) {
        for (std::int64_t t = first; t < last; ++t) {
          float& sample = row[static_cast<std::size_t>(t - begin)];
          switch (layout.padding) {
            case PaddingMode::kConstant:
              sample = 0.0f;
              break;
            case PaddingMode::kReplicate:
              sample = at(border);
              break;
            case PaddingMode::kReflect:
              sample = at(static_cast<std::int64_t>(mirrored(t, received)));
              break;
          }
        }
      };
      pad(begin, inside, 0);
      if (outside > inside) {
        const AudioView held =
            signal.view(static_cast<std::uint64_t>(inside), static_cast<std::size_t>(outside - inside));
        std::ranges::copy(held.channel(c), row.begin() + (inside - begin));
      }
      pad(outside, padded, frames - 1);
      std::fill(row.begin() + (padded - begin), row.end(), 0.0f);
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

const ChunkLayout& Chunker::layout() const {
  return state_->layout;
}

bool Chunker::ready() const {
  const std::int64_t received = static_cast<std::int64_t>(state_->received);
  if (state_->finished) return state_->made < state_->layout.count(state_->received);
  if (state_->layout.length == 0) return false;
  // Until the end is known, a block must lie in what was received, and so must what its beginning mirrors.
  const std::int64_t begin = state_->start();
  return received >= begin + static_cast<std::int64_t>(state_->layout.length) && received > -begin;
}

void Chunker::next(MutableAudioView block) {
  if (!ready() || block.channels() != state_->signal.channels() || block.frames() != state_->layout.length)
    throw Error{ErrorCode::kInternal, "no such block"};
  state_->fill(block);
  ++state_->made;
  if (state_->finished && !ready()) {  // that was the last one: let go of the memory
    state_->signal = AudioQueue(state_->signal.channels());
    return;
  }
  // Keep what the next block starts with and what its end would mirror if the signal ended now.
  const std::int64_t received = static_cast<std::int64_t>(state_->received);
  const std::int64_t mirrors = received - static_cast<std::int64_t>(state_->layout.tail) - 1;
  state_->signal.drop_before(
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, std::min(state_->start(), mirrors))));
}

std::vector<AudioBuffer> generate_chunks(AudioView signal, const ChunkLayout& layout) {
  Chunker chunker(layout, signal.channels());
  chunker.push(signal);
  chunker.finish();
  std::vector<AudioBuffer> blocks;
  while (chunker.ready()) chunker.next(blocks.emplace_back(signal.channels(), chunker.layout().length));
  return blocks;
}

}  // namespace unbraid
