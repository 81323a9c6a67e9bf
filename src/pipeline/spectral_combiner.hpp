#pragma once
// The estimates of several separators made one in the time-frequency plane. As a stream, with memory that does not depend
// on the length.
//
//   SpectralCombiner combiner({{1, 1}, {1, 1}}, 2, Ensemble::Combine::kGeometric);   // two stems of two estimates each
//   combiner.push(mixture_and_estimates, pool);         // [mixture's channels, those of each estimate of each stem][frames]
//   while (std::size_t n = combiner.ready()) { use(combiner.view(n)); combiner.drop(n); }      // [stem · channels][frames]
//   combiner.finish(pool);

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "pipeline/block_stream.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

class SpectralCombiner final : public BlockStream {
 public:
  /// weights: of each estimate of each stem, > 0. combine: kMin, kMax, kGeometric or kBlend. sharpness: as Ensemble's.
  SpectralCombiner(std::vector<std::vector<double>> weights, std::size_t channels, Ensemble::Combine combine, double sharpness = 1);

 private:
  AudioBuffer process(AudioBuffer block, ThreadPool& pool) override;
  void choose(const dsp::Spectrogram<float>& all, std::size_t frame, dsp::Spectrogram<float>& out) const;
  void share(const dsp::Spectrogram<float>& all, std::size_t frame, dsp::Spectrogram<float>& out) const;
  void take_means(const dsp::Spectrogram<float>& all, std::size_t channel, std::size_t frame, std::span<std::complex<float>> rest,
                  dsp::Spectrogram<float>& out) const;

  std::vector<std::vector<double>> weights_;  ///< of each stem they add up to 1
  std::size_t channels_;
  Ensemble::Combine combine_;
  double sharpness_;
  dsp::Stft<float> stft_;
};

}  // namespace unbraid
