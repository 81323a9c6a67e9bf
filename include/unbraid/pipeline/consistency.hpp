#pragma once
// Making stems add up to the mixture.
//
//   MixConsistency consistency(stems.size(), sample_rate);
//   consistency.apply(mix, stems);               // block after block of one track
//
// What the stems lack, r[t] = x[t] − Σ_i s_i[t], is shared among them: s_i ← s_i + w_i[t] · r[t], Σ_i w_i
// = 1. This is the projection of Wisdom et al., "Differentiable consistency constraints for improved deep
// speech enhancement" (ICASSP 2019, eq. 4), with weights w_i proportional to the power of the stem, smoothed
// over 20 ms, instead of 1/N: a stem that is silent for a while stays silent, and no stem gets more error
// than it can hide. Where all are silent, all get the same.
//
// Sums are made in double precision, and what rounding to float leaves over goes to the quietest stem that
// plays, whose grid is the finest. The remaining error is half a unit in the last place of that stem, below
// −140 dBFS for any stem within full scale. Results do not depend on how the track is split into blocks.

#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/stems.hpp"

namespace unbraid {

class MixConsistency {
 public:
  MixConsistency(std::size_t stems, double sample_rate);

  /// mix and stems of one shape; changes the stems. kInternal for another number of stems.
  void apply(AudioView mix, Stems& stems);

 private:
  double forget_;              ///< share of the smoothed power that one frame replaces
  std::vector<double> power_;  ///< smoothed, of each stem over all channels
};

}  // namespace unbraid
