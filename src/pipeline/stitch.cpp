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
    case BlockWindow::kBox: break;
    case BlockWindow::kHann:
      for (std::size_t i = 0; i < length; ++i) window[i] = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) / n);
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

std::vector<float> block_weights(const Chunked& blocks, const ChunkLayout& layout) {
  if (layout.policy == BlockPolicy::kUniform) return block_weights(blocks.window, layout, blocks.fade);
  const std::vector<double> window = window_of(blocks.window, layout.core(), blocks.fade);
  const double peak = std::ranges::max(window);
  std::vector<float> weights(window.size());
  std::ranges::transform(window, weights.begin(),
                         [&](double w) { return static_cast<float>(std::pow(w / peak, blocks.transition_power)); });
  return weights;
}

struct Stitcher::State {
  ChunkLayout layout;
  std::vector<float> weights;
  AudioQueue sum;      ///< final frames, then those that further blocks will still add to
  AudioQueue divisor;  ///< the sum of the weights, where it is not 1 everywhere
  std::uint64_t added = 0;
  std::uint64_t signal_frames = std::numeric_limits<std::uint64_t>::max();

  /// Where the core of block `index` begins in the signal; negative in the padding before it.
  std::int64_t core_start(std::uint64_t index) const {
    return static_cast<std::int64_t>(index * layout.hop + layout.context) - static_cast<std::int64_t>(layout.lead);
  }
  /// Everything before the core of the next block is final.
  std::uint64_t final_end() const {
    return std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(0, core_start(added))), signal_frames);
  }

  /// The weights of one block.
  std::vector<float> weights_of(const BlockSpan& span) const {
    std::vector<float> own = weights;
    const auto middle = own.begin() + static_cast<std::ptrdiff_t>(own.size() / 2);  // the window is 1 there
    if (!span.fade_in) std::fill(own.begin(), middle, 1.0f);
    if (!span.fade_out) std::fill(middle, own.end(), 1.0f);
    return own;
  }

  /// Divides the frames that have become final by their weights, once.
  void divide_final() {
    const std::uint64_t end = std::min(final_end(), sum.end());
    if (layout.policy == BlockPolicy::kUniform || end <= divisor.first()) return;
    const auto count = static_cast<std::size_t>(end - divisor.first());
    const std::span<const float> below = std::as_const(divisor).view(divisor.first(), count).channel(0);
    const MutableAudioView above = sum.view(divisor.first(), count);
    for (std::size_t c = 0; c < above.channels(); ++c)
      for (std::size_t i = 0; i < count; ++i) above.channel(c)[i] = below[i] > 0.0f ? above.channel(c)[i] / below[i] : 0.0f;
    divisor.drop_before(end);
  }
};

Stitcher::Stitcher(const ChunkLayout& layout, std::vector<float> weights, std::size_t channels)
    : state_(std::make_unique<State>(
          State{.layout = layout, .weights = std::move(weights), .sum = AudioQueue(channels), .divisor = AudioQueue(1)})) {
  if (state_->weights.size() != layout.core()) throw Error{ErrorCode::kInternal, "weights of another layout"};
}
Stitcher::~Stitcher() = default;
Stitcher::Stitcher(Stitcher&&) noexcept = default;

void Stitcher::add(AudioView block, const BlockSpan& span) {
  State& s = *state_;
  if (block.channels() != s.sum.channels() || block.frames() != span.length || span.stitched > s.weights.size() ||
      span.skip + span.stitched > span.length)
    throw Error{ErrorCode::kInternal, "a block of another shape"};
  ++s.added;
  const std::int64_t start = span.first + static_cast<std::int64_t>(span.skip);
  const auto before =
      static_cast<std::size_t>(std::clamp<std::int64_t>(-start, 0, static_cast<std::int64_t>(span.stitched)));  // frames before the signal
  const std::size_t count = span.stitched - before;
  if (count > 0) {
    const auto first = static_cast<std::uint64_t>(start + static_cast<std::int64_t>(before));
    const bool divides = s.layout.policy != BlockPolicy::kUniform;
    const std::vector<float> own = span.fade_in && span.fade_out ? std::vector<float>() : s.weights_of(span);
    const float* const weight = (own.empty() ? s.weights : own).data() + before;
    const auto target = [&](AudioQueue& queue) {
      if (first + count > queue.end()) queue.extend(static_cast<std::size_t>(first + count - queue.end()));
      return queue.view(first, count);
    };
    const MutableAudioView sum = target(s.sum);
    for (std::size_t c = 0; c < block.channels(); ++c) {
      const float* const source = block.channel(c).data() + span.skip + before;
      float* const out = sum.channel(c).data();
      for (std::size_t i = 0; i < count; ++i) out[i] += weight[i] * source[i];
    }
    if (divides) {
      float* const out = target(s.divisor).channel(0).data();
      for (std::size_t i = 0; i < count; ++i) out[i] += weight[i];
    }
  }
  s.divide_final();
}

void Stitcher::finish(std::uint64_t signal_frames) {
  state_->signal_frames = signal_frames;
  state_->divide_final();
}

std::size_t Stitcher::ready() const {
  const std::uint64_t end = std::min(state_->final_end(), state_->sum.end());
  return end > state_->sum.first() ? static_cast<std::size_t>(end - state_->sum.first()) : 0;
}

AudioView Stitcher::view(std::size_t frames) const { return std::as_const(state_->sum).view(state_->sum.first(), frames); }

void Stitcher::drop(std::size_t frames) { state_->sum.drop_before(state_->sum.first() + frames); }

AudioBuffer stitch_chunks(std::span<const AudioBuffer> blocks, const ChunkLayout& layout, std::vector<float> weights, std::size_t frames) {
  Stitcher stitcher(layout, std::move(weights), blocks.empty() ? 0 : blocks.front().channels());
  for (std::size_t k = 0; k < blocks.size(); ++k) stitcher.add(blocks[k], layout.span(k, frames));
  stitcher.finish(frames);
  if (stitcher.ready() != frames) throw Error{ErrorCode::kUsage, "the blocks are not those of a signal of this length"};
  return AudioBuffer(stitcher.view(frames));
}

}  // namespace unbraid
