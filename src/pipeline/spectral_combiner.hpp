#pragma once
// The estimates of several separators made one in the time-frequency plane. As a stream, with memory that does not depend
// on the length.
//
//   SpectralCombiner combiner({{1, 1}, {1, 1}}, 2, Ensemble::Combine::kGeometric);   // two stems of two estimates each
//   combiner.push(mixture_and_estimates, pool);         // [mixture's channels, those of each estimate of each stem][frames]
//   while (std::size_t n = combiner.ready()) { use(combiner.view(n)); combiner.drop(n); }      // [stem · channels][frames]
//   combiner.finish(pool);

#include <cstdint>
#include <vector>

#include "pipeline/audio_queue.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/pipeline/chunk.hpp"
#include "unbraid/pipeline/stitch.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

class SpectralCombiner {
 public:
  /// weights: of each estimate of each stem, > 0. combine: kMin, kMax, kGeometric or kBlend. sharpness: as Ensemble's.
  SpectralCombiner(std::vector<std::vector<double>> weights, std::size_t channels, Ensemble::Combine combine, double sharpness = 1);

  /// Channels of what push() takes.
  std::size_t inputs() const { return inputs_; }
  void push(AudioView frames, ThreadPool& pool);
  void finish(ThreadPool& pool);
  std::size_t ready() const { return stitcher_.ready(); }
  AudioView view(std::size_t frames) const { return stitcher_.view(frames); }
  void drop(std::size_t frames) { stitcher_.drop(frames); }

 private:
  void combine_blocks(ThreadPool& pool);
  void choose(const dsp::Spectrogram<float>& all, std::size_t frame, dsp::Spectrogram<float>& out) const;
  void share(const dsp::Spectrogram<float>& all, std::size_t frame, dsp::Spectrogram<float>& out) const;
  void add_means(const dsp::Spectrogram<float>& all, std::size_t channel, std::size_t frame,
                 dsp::Spectrogram<float>& out) const;

  std::vector<std::vector<double>> weights_;  ///< of each stem they add up to 1
  std::size_t channels_, inputs_;
  Ensemble::Combine combine_;
  double sharpness_;
  dsp::Stft<float> stft_;
  ChunkLayout layout_;
  Chunker chunker_;
  Stitcher stitcher_;
  std::uint64_t received_ = 0;
};

}  // namespace unbraid
