#pragma once
// The repeating background and the varying foreground of a recording, from the peaks of the spectrogram's own
// two-dimensional Fourier transform.
//
//   dsp::Mask<float> background = classic::ft2d_mask(magnitudes, {.neighbourhood_frames = 25}, pool);
//
// Seetharaman, Pishdadian, Pardo, "Music/voice separation using the 2D Fourier transform", WASPAA 2017: what repeats
// in time has a few sharp peaks in the 2DFT of the magnitudes (section 2); a bin that is the greatest of its
// neighbourhood belongs to the background (eq. 2); the inverse transform of the kept bins models the background, a
// soft mask compares it with the mix (eq. 5).
//
// Equals nussl.separation.primitive.FT2D with mirror = kNussl. That code means to add the mirrored peaks along both
// axes, but hands numpy the third array as the place for the result, so one axis is ignored, and its mirror of an even
// number of rates is off by one. The default here mirrors rates and scales exactly.
//
// Magnitudes are real, so half of the plane holds it all; a mirror of both axes keeps it so, and its negative scales are
// read off the positive ones (kNussl needs the whole plane and twice the time). Threads share scales and frames.
//
// Whole-track. Time O(n log n) for n = frames·bins, memory 16 bytes per bin of one channel.

#include <cstddef>

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct Ft2dOptions {
  enum class Peaks {
    kLocalDeviation,  ///< a peak counts by how many local standard deviations it stands out: nussl's default
    kThreshold        ///< a peak counts fully where the local range exceeds the global deviation: the paper
  };
  enum class Mirror { kBoth, kNussl };

  std::size_t neighbourhood_bins = 1;     ///< odd: along the scale axis
  std::size_t neighbourhood_frames = 25;  ///< odd: along the rate axis
  Peaks peaks = Peaks::kLocalDeviation;
  Mirror mirror = Mirror::kBoth;
  std::size_t first_bin = 0;  ///< the bins below belong to the background

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// The mask of the background, [channel][frame][bin] in 0 … 1. The magnitudes are those of an STFT scaled as a spectrum
/// (dsp::StftScaling::kScipySpectrum): a floor of 1e-7 is added to them. T is float or double.
template <class T>
dsp::Mask<T> ft2d_mask(const dsp::Magnitudes<T>& magnitudes, const Ft2dOptions& options, ThreadPool& pool);

extern template dsp::Mask<float> ft2d_mask<float>(const dsp::Magnitudes<float>&, const Ft2dOptions&, ThreadPool&);
extern template dsp::Mask<double> ft2d_mask<double>(const dsp::Magnitudes<double>&, const Ft2dOptions&, ThreadPool&);

}  // namespace unbraid::classic
