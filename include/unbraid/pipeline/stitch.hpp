#pragma once
// Joining overlapping blocks: each frame of the result is the weighted mean of the blocks that cover it.
//
//   Stitcher stitcher(layout, block_weights(BlockWindow::kHann, layout), channels);
//   stitcher.add(block, chunker_span);                     // in order, the first one first
//   while (std::size_t n = stitcher.ready()) { use(stitcher.view(n)); stitcher.drop(n); }
//   stitcher.finish(signal_frames);                        // after the last block: nothing beyond the signal
//
// y[t] = Σ_k w[t − start_k] · block_k[t − start_k] / Σ_k w[t − start_k]. Because ChunkLayout lets equally
// many blocks cover every frame, the divisor repeats every hop; the weights are divided by it once,
// beforehand (under the other policies, frame by frame). A window of zero, as at the first frame of a Hann window, counts as 1e-7: where
// only such a border covers a frame (no overlap), the frame comes through instead of becoming 0/0. Memory: about one block, whatever the
// length of the signal.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/pipeline/chunk.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

/// A window of layout.core() samples divided by the sum of its copies shifted by the hop, so that these add
/// up to 1. kUsage when it has another length or a negative sample.
std::vector<float> block_weights(std::span<const double> window, const ChunkLayout& layout);

/// The same for a named shape; `fade` as in Chunked.
std::vector<float> block_weights(BlockWindow shape, const ChunkLayout& layout, double fade = 0.1);

/// The weights for blocks of a layout: for the uniform policy as above, for the others, whose blocks do not cover all
/// frames equally, the window itself.
std::vector<float> block_weights(const Chunked& blocks, const ChunkLayout& layout);

class Stitcher {
 public:
  /// weights: layout.core() of them, from block_weights().
  Stitcher(const ChunkLayout& layout, std::vector<float> weights, std::size_t channels);
  ~Stitcher();
  Stitcher(Stitcher&&) noexcept;

  /// The next block, [channels][span.length], with its place.
  void add(AudioView block, const BlockSpan& span);
  /// All blocks were added; the signal has so many frames.
  void finish(std::uint64_t signal_frames);

  /// Frames that no further block will change and that were not yet dropped.
  std::size_t ready() const;
  /// The oldest `frames` ≤ ready() of them; valid until the next call that is not const.
  AudioView view(std::size_t frames) const;
  void drop(std::size_t frames);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All blocks of a signal in memory, in the order of generate_chunks(), to a signal of so many frames.
AudioBuffer stitch_chunks(std::span<const AudioBuffer> blocks, const ChunkLayout& layout, std::vector<float> weights, std::size_t frames);

}  // namespace unbraid
