#pragma once
// How much of one stem could be another one, filtered: bleed, measured without references.
//
// Welch's magnitude-squared coherence of two stems in stretches of N short-time frames (Welch 1967; Carter, Knapp and
// Nuttall, "Estimation of the magnitude-squared coherence function via overlapped FFT processing", IEEE TAE 21(4),
// 1973):
//   γ²[k] = |Σ_m X[m, k]·Y*[m, k]|² / (Σ_m |X[m, k]|² · Σ_m |Y[m, k]|²)
// is the share of the power of Y in bin k that a filter, fixed for the stretch, can make from X. Independent noise gives
// 1/N′ on average, N′ the number of independent frames, which is taken off: (γ² − 1/N′) / (1 − 1/N′). The bleed of X in
// Y is the mean of that, weighted with the power of Y.

#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::evaluate {

class BleedMeter {
 public:
  explicit BleedMeter(std::size_t stems);

  /// The next frames of every stem, all of one shape, finite. Blocks are measured by themselves; what is left of a
  /// block after its last whole stretch (0.7 s at 44.1 kHz) does not count.
  void add(std::span<const AudioBuffer> blocks, ThreadPool& pool);

  /// Share of the power of stem `into` that could come from stem `from`, 0 to 1; NaN when nothing was measured.
  double share(std::size_t from, std::size_t into) const;

 private:
  std::size_t stems_;
  dsp::Stft<float> stft_;
  std::vector<double> coherent_, power_;  ///< [from][into]
};

}  // namespace unbraid::evaluate
