#include "unbraid/pipeline/stitch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "pipeline/audio_queue.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

constexpr double kWeightFloor = 1e-7;

std::vector<double> window_of(BlockWindow shape, std::size_t length, double fade) {
  std::vector<double> window(length, 1.0);
  const double n = static_cast<double>(length);
  switch (shape) {
    case BlockWindow::kBox:
      break;
    case BlockWindow::kHann:
      for (std::size_t i = 0; i < length; ++i)
        window[i] = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) / n);
      break;
    case BlockWindow::kTriangular:
      for (std::size_t i = 0; i < length; ++i) window[i] = static_cast<double>(std::min(i + 1, length - i));
      break;
    case BlockWindow::kLinearFade: {
      const std::size_t ramp = static_cast<std::size_t>(n * fade);
      for (std::size_t i = 0; i < ramp; ++i) {
        const double gain = ramp > 1 ? static_cast<double>(i) / static_cast<double>(ramp - 1) : 0.0;
        window[i] = std::min(window[i], gain);
        window[length - 1 - i] = std::min(window[length - 1 - i], gain);
      }
      break;
    }
  }
  return window;
}

}  // namespace

std::vector<float> block_weights(std::span<const double> window, const ChunkLayout& layout) {
  if (window.size() != layout.core() || std::ranges::any_of(window, [](double w) { return !(w >= 0.0); }))
    throw Error{ErrorCode::kUsage, "a block window needs one weight ≥ 0 for every stitched frame", "blocks"};
  std::vector<float> weights(window.size());
  for (std::size_t phase = 0; phase < layout.hop; ++phase) {
    double sum = 0.0;
    for (std::size_t i = phase; i < window.size(); i += layout.hop) sum += std::max(window[i], kWeightFloor);
    for (std::size_t i = phase; i < window.size(); i += layout.hop)
      weights[i] = static_cast<float>(std::max(window[i], kWeightFloor) / sum);
  }
  return weights;
}

std::vector<float> block_weights(BlockWindow shape, const ChunkLayout& layout, double fade) {
  return block_weights(window_of(shape, layout.core(), fade), layout);
}

struct Stitcher::State {
  ChunkLayout layout;
  std::vector<float> weights;
  AudioQueue sum;  ///< final frames, then those that further blocks will still add to
  std::uint64_t added = 0;
  std::uint64_t signal_frames = std::numeric_limits<std::uint64_t>::max();

  /// Where the core of block `index` begins in the signal; negative in the padding before it.
  std::int64_t core_start(std::uint64_t index) const {
    return static_cast<std::int64_t>(index * layout.hop + layout.context) -
           static_cast<std::int64_t>(layout.lead);
  }
  /// Everything before the core of the next block is final.
  std::uint64_t final_end() const {
    return std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(0, core_start(added))), signal_frames);
  }
};

Stitcher::Stitcher(const ChunkLayout& layout, std::vector<float> weights, std::size_t channels)
    : state_(std::make_unique<State>(
          State{.layout = layout, .weights = std::move(weights), .sum = AudioQueue(channels)})) {
  if (state_->weights.size() != layout.core()) throw Error{ErrorCode::kInternal, "weights of another layout"};
}
Stitcher::~Stitcher() = default;
Stitcher::Stitcher(Stitcher&&) noexcept = default;

void Stitcher::add(AudioView block) {
  State& s = *state_;
  if (block.channels() != s.sum.channels() || block.frames() != s.layout.length)
    throw Error{ErrorCode::kInternal, "a block of another shape"};
  const std::int64_t start = s.core_start(s.added++);
  const std::size_t core = s.layout.core();
  const std::size_t skipped = static_cast<std::size_t>(std::clamp<std::int64_t>(-start, 0, core));
  if (skipped == core) return;
  const std::size_t count = core - skipped;
  const std::uint64_t first = static_cast<std::uint64_t>(start + static_cast<std::int64_t>(skipped));
  if (first + count > s.sum.end()) s.sum.extend(static_cast<std::size_t>(first + count - s.sum.end()));
  const MutableAudioView target = s.sum.view(first, count);
  for (std::size_t c = 0; c < block.channels(); ++c) {
    const float* const source = block.channel(c).data() + s.layout.context + skipped;
    const float* const weight = s.weights.data() + skipped;
    float* const out = target.channel(c).data();
    for (std::size_t i = 0; i < count; ++i) out[i] += weight[i] * source[i];
  }
}

void Stitcher::finish(std::uint64_t signal_frames) {
  state_->signal_frames = signal_frames;
}

std::size_t Stitcher::ready() const {
  const std::uint64_t end = std::min(state_->final_end(), state_->sum.end());
  return end > state_->sum.first() ? static_cast<std::size_t>(end - state_->sum.first()) : 0;
}

AudioView Stitcher::view(std::size_t frames) const {
  return std::as_const(state_->sum).view(state_->sum.first(), frames);
}

void Stitcher::drop(std::size_t frames) {
  state_->sum.drop_before(state_->sum.first() + frames);
}

AudioBuffer stitch_chunks(std::span<const AudioBuffer> blocks, const ChunkLayout& layout,
                          std::vector<float> weights, std::size_t frames) {
  Stitcher stitcher(layout, std::move(weights), blocks.empty() ? 0 : blocks.front().channels());
  for (const AudioBuffer& block : blocks) stitcher.add(block);
  stitcher.finish(frames);
  if (stitcher.ready() != frames)
    throw Error{ErrorCode::kUsage, "the blocks are not those of a signal of this length"};
  return AudioBuffer(stitcher.view(frames));
}

}  // namespace unbraid
