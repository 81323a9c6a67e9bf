#pragma once
// What stands in the middle of a stereo recording, and what does not: a mask from mid and side.
//
//   dsp::Mask<float> centre = classic::centre_mask(spectrogram, {.width_deg = 12}, sample_rate, pool);
//
// With M = (L + R)/2 and S = (L − R)/2, a bin that one source panned by the angle φ from the middle dominates has
// |S|/|M| = tan φ (φ = 45° is hard left or right); a phase difference between the channels widens it. The mask
//   1 / (1 + (tan φ / tan φ₀)^p)
// is 1 in the middle and 1/2 at the half width φ₀. Any other place α is the middle of the image turned by α, that is of
// M = cos(45° + α)·L + sin(45° + α)·R and S at right angles to it. The idea of azimuth discrimination is that of Barry, Lawlor, Coyle,
// "Sound source separation: azimuth discrimination and resynthesis", DAFx 2004; the smooth weight on the plane of
// mid and side replaces their search for the cancelling gain. Cost: one pass over the bins.

#include <cstddef>

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct CentreOptions {
  double width_deg = 12;   ///< half width φ₀ of the middle, 0 < φ₀ < 45
  double azimuth_deg = 0;  ///< α, the middle of what is sought: −45 hard left … 45 hard right
  double power = 2;        ///< p, > 0: steepness
  double low_hz = 0;       ///< ≥ 0: below, nothing counts as centre
  double high_hz = 1e9;    ///< above, nothing counts as centre; > low_hz

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// The mask of one channel, [1][frame][bin] in 0 … 1, from channels 0 and 1 of the spectrogram (kUnsupported when there
/// are fewer). kUsage for a sample rate that is not above 0. A silent bin counts as centre.
dsp::Mask<float> centre_mask(const dsp::Spectrogram<float>& stereo, const CentreOptions& options, double sample_rate, ThreadPool& pool);

}  // namespace unbraid::classic
