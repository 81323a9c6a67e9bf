#pragma once
// A function of blocks run over audio as a stream, with memory that does not depend on the length. Blocks lie side by side;
// each sees `context` frames more at both ends, zeros beyond the signal, whose output is thrown away.
//
//   class Doubled : public BlockStream {
//    public:
//     Doubled() : BlockStream(4096, 0, 2, 2) {}
//    private:
//     AudioBuffer process(AudioBuffer block, ThreadPool&) override { add_scaled(AudioBuffer(block), 1, block); return block; }
//   };
//   stream.push(frames, pool);                                              // [inputs][frames], any number at a time
//   while (std::size_t n = stream.ready()) { use(stream.view(n)); stream.drop(n); }      // [outputs][frames]
//   stream.finish(pool);

#include <cstddef>
#include <cstdint>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/pipeline/chunk.hpp"
#include "unbraid/pipeline/stitch.hpp"

namespace unbraid {

class BlockStream {
 public:
  BlockStream(std::size_t core, std::size_t context, std::size_t inputs, std::size_t outputs);
  virtual ~BlockStream() = default;

  /// Channels of what push() takes.
  std::size_t inputs() const { return inputs_; }
  void push(AudioView frames, ThreadPool& pool);
  void finish(ThreadPool& pool);
  std::size_t ready() const { return stitcher_.ready(); }
  AudioView view(std::size_t frames) const { return stitcher_.view(frames); }
  void drop(std::size_t frames) { stitcher_.drop(frames); }

 private:
  /// [inputs][core + 2·context] to [outputs] of as many frames.
  virtual AudioBuffer process(AudioBuffer block, ThreadPool& pool) = 0;
  void process_blocks(ThreadPool& pool);

  std::size_t inputs_;
  ChunkLayout layout_;
  Chunker chunker_;
  Stitcher stitcher_;
  std::uint64_t received_ = 0;
};

}  // namespace unbraid
