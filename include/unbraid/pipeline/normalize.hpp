#pragma once
// Mean 0, standard deviation 1: what many networks were trained on.
//
//   const NormalizationStats stats = measure_normalization(mix);
//   normalize_audio(mix, stats);                          // mix ← (mix − mean) / std
//   … separate …
//   denormalize_audio(estimate, stats);                   // estimate ← estimate · std + mean
//
// The statistics are those of the mean of the channels, a single number each, with N − 1 in the variance. A
// signal whose standard deviation is at most 1e-8 counts as silent: it keeps its mean and is not scaled. (A
// stereo signal in antiphase is silent in this sense.) Files are measured block by block with
// NormalizationMeter, so that memory does not grow with them.
//
// The mean belongs to the mixture, not to every stem: when N stems are taken back, each gets the share 1/N of
// it, so that their sum has the offset of the mixture once.

#include <cstdint>

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid {

struct NormalizationStats {
  double mean = 0.0;
  double std = 1.0;     ///< 1 for a silent signal, so that dividing by it is harmless
  bool silent = false;  ///< nothing to scale, or fewer than two frames
  std::uint64_t frames = 0;

  /// With N instead of N − 1 in the variance; std as it is where there is nothing to tell them apart, frames < 2.
  double population_std() const;
};

/// Running statistics, exact to rounding for any length: blocks are merged by the update of Chan, Golub and
/// LeVeque
/// ("Updating formulae and a pairwise algorithm for computing sample variances", 1979, eq. 2.1). Results do
/// not depend on how the frames are split into blocks by more than rounding (1e-12 relative).
class NormalizationMeter {
 public:
  void add(AudioView frames);
  NormalizationStats stats() const;

 private:
  std::uint64_t count_ = 0;
  double mean_ = 0.0;
  double squares_ = 0.0;  ///< sum of squared deviations from the mean
};

NormalizationStats measure_normalization(AudioView audio);

void normalize_audio(MutableAudioView audio, const NormalizationStats& stats);

/// mean_share: how much of the mean this signal gets back; 1/N for one of N stems.
void denormalize_audio(MutableAudioView audio, const NormalizationStats& stats, double mean_share = 1.0);

}  // namespace unbraid
