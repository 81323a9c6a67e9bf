#pragma once
// Estimates of one stem made one in the time-frequency plane: in each bin, the value of the smallest or the largest
// magnitude. As a stream, with memory that does not depend on the length.
//
//   SpectralCombiner combiner(3, 2, Combine::kMax);
//   combiner.push(estimates, pool);                     // [estimate · channels][frames]
//   while (std::size_t n = combiner.ready()) { use(combiner.view(n)); combiner.drop(n); }
//   combiner.finish(pool);

#include <cstdint>
#include <memory>

#include "pipeline/audio_queue.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/pipeline/chunk.hpp"
#include "unbraid/pipeline/stitch.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

class SpectralCombiner {
 public:
  /// combine: kMin or kMax.
  SpectralCombiner(std::size_t estimates, std::size_t channels, Ensemble::Combine combine);

  void push(AudioView frames, ThreadPool& pool);
  void finish(ThreadPool& pool);
  std::size_t ready() const { return stitcher_.ready(); }
  AudioView view(std::size_t frames) const { return stitcher_.view(frames); }
  void drop(std::size_t frames) { stitcher_.drop(frames); }

 private:
  void combine_blocks(ThreadPool& pool);

  std::size_t estimates_, channels_;
  bool largest_;
  dsp::Stft<float> stft_;
  ChunkLayout layout_;
  Chunker chunker_;
  Stitcher stitcher_;
  std::uint64_t received_ = 0;
};

}  // namespace unbraid
