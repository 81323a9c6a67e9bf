#pragma once
// Cutting a signal of any length into overlapping blocks of one length, as a stream or in memory.
//
//   const ChunkLayout layout = ChunkLayout::of({.length = 131072, .overlap = 0.5});
//   Chunker chunker(layout, channels);
//   chunker.push(frames);                       // any number of frames at a time
//   chunker.finish();                           // … until there are no more
//   while (chunker.ready()) {
//     AudioBuffer block(channels, chunker.span().length);
//     chunker.next(block);
//   }
//
// Blocks start every `hop` frames. A block has a core, the part that is stitched, between two stretches of
// `context` whose output is thrown away (none by default). The first core starts (core − hop) frames before
// the signal, so that every frame of the signal lies in equally many cores: edges are treated like the
// middle. What is missing before the start and for `tail` frames after the end is made by the padding mode,
// which works for signals of any length, also shorter than the padding; beyond the tail there is silence.
//
// Memory: about one block and its padding, whatever the length of the signal.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

/// One block: where it lies in the signal and which part of it counts.
struct BlockSpan {
  std::int64_t first = 0;                ///< frame of the signal with which it begins; negative before the signal
  std::size_t length = 0;                ///< frames
  std::size_t skip = 0;                  ///< of them, at its beginning, that are not stitched
  std::size_t stitched = 0;              ///< of them, from there on, that are
  bool fade_in = true, fade_out = true;  ///< kMsst: whether the window falls to 0 at this end
};

/// Where blocks lie; under the uniform policy block k covers the frames [k·hop − lead, k·hop − lead + length).
struct ChunkLayout {
  std::size_t length = 0;   ///< 0: that of the signal, see whole()
  std::size_t hop = 0;      ///< 1 ≤ hop ≤ core
  std::size_t context = 0;  ///< frames at each end of a block that are not stitched
  std::size_t lead = 0;     ///< frames of the first block before the signal
  std::size_t tail = 0;     ///< frames after the signal that are padded, not silent
  PaddingMode padding = PaddingMode::kReflect;
  BlockPolicy policy = BlockPolicy::kUniform;
  std::size_t reference_batch = 1;
  bool shorten_last = false;

  /// hop = round(core · (1 − overlap)), at least 1; as the reference has it for other policies. `offset` moves the grid to the left, for
  /// shifted runs. kUsage when length is 0, overlap outside [0, 1), fade outside (0, 0.5] or context too long for the length.
  static ChunkLayout of(const Chunked& blocks, std::size_t offset = 0);
  /// As of(), with the hop given.
  static ChunkLayout with_hop(const Chunked& blocks, std::size_t hop, std::size_t offset = 0);
  /// One block, exactly the signal, which `offset` frames of padding precede. Its length is that of the
  /// signal.
  static ChunkLayout whole(std::size_t offset = 0);

  /// The layout for a signal of known length: itself, but for whole(), whose length is then known, and kMsst, which
  /// does not pad short signals.
  ChunkLayout for_signal(std::uint64_t frames) const;

  std::size_t core() const noexcept { return length - 2 * context; }
  /// Blocks for a signal of so many frames; 0 for 0.
  std::uint64_t count(std::uint64_t frames) const noexcept;
  /// Block `index` < count(frames) of a signal of so many frames; for a block that ends before the end of the signal
  /// and its batch, any lower bound of their number will do.
  BlockSpan span(std::uint64_t index, std::uint64_t frames) const;
};

class Chunker {
 public:
  Chunker(const ChunkLayout& layout, std::size_t channels);
  ~Chunker();
  Chunker(Chunker&&) noexcept;

  void push(AudioView frames);
  /// The signal ends here.
  void finish();
  /// Whether the next block can be made from what was pushed.
  bool ready() const;
  /// What was asked for, as for_signal() when ready() holds.
  const ChunkLayout& layout() const;
  /// The next block; ready() must hold.
  BlockSpan span() const;
  /// Fills the next block, [channels][span().length]; ready() must hold.
  void next(MutableAudioView block);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All blocks of a signal in memory.
std::vector<AudioBuffer> generate_chunks(AudioView signal, const ChunkLayout& layout);

}  // namespace unbraid
