#pragma once
// The repeating background and the varying foreground of a recording with a steady beat.
//
//   const std::vector<double> beats = classic::beat_spectrum(magnitudes, pool);
//   const std::size_t period = classic::repeating_period(beats, 69, 689);
//   dsp::Mask<float> background = classic::repet_mask(magnitudes, period, first_bin, pool);
//
// Rafii, Pardo, "REpeating Pattern Extraction Technique (REPET): a simple method for music/voice separation", IEEE
// TASLP 21(1), 2013: the autocorrelation of the power spectrogram, averaged over frequency, is the beat spectrum
// (eq. 1); its peak is the period; the median over all repetitions of a period models the background (eq. 3), which
// is never louder than the mix (eq. 4, 5). Adaptive REPET (Liutkus, Rafii, Badeau, Pardo, Richard, "Adaptive
// filtering for music/voice separation exploiting the repeating musical structure", ICASSP 2012) finds the period
// anew along the song and takes the median over a few repetitions around each frame (eq. 4).
//
// Equals nussl.separation.primitive.Repet, whose last, shorter repetition is padded with NaN that the median leaves
// out. nussl's default of the longest period is a third of the duration, so clips under about 2.4 s fail there; here
// the range is cut to what the clip has, and a clip without a full period is all background.
//
// Whole-track. Time O(frames·bins·log frames), memory O(frames·bins).

#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

/// Autocorrelation of the squared magnitudes (mean over the channels) along time at the lags 0 … frames − 1, divided
/// by the number of products, averaged over the bins.
template <class T>
std::vector<double> beat_spectrum(const dsp::Magnitudes<T>& magnitudes, ThreadPool& pool);

/// The lag of the greatest value within shortest … longest, both cut to the lags there are; the first one of equals,
/// 0 when the range is empty. shortest ≥ 1.
std::size_t repeating_period(std::span<const double> beats, std::size_t shortest, std::size_t longest);

/// The mask of the background, [channel][frame][bin] in 0 … 1. Bins below first_bin and silent bins are background;
/// with period 0 everything is.
template <class T>
dsp::Mask<T> repet_mask(const dsp::Magnitudes<T>& magnitudes, std::size_t period, std::size_t first_bin, ThreadPool& pool);

struct AdaptiveRepetOptions {
  std::size_t shortest_period = 1;  ///< frames, ≥ 1
  std::size_t longest_period = 1;   ///< frames, ≥ shortest_period
  std::size_t window_frames = 1;    ///< frames of the beat spectra, > longest_period
  std::size_t step_frames = 1;      ///< frames between two of them, ≥ 1
  std::size_t repetitions = 5;      ///< frames in each median, the frame itself among them, ≥ 1, odd
  std::size_t first_bin = 0;

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// As repet_mask, with a period for every frame.
template <class T>
dsp::Mask<T> adaptive_repet_mask(const dsp::Magnitudes<T>& magnitudes, const AdaptiveRepetOptions& options, RunContext& run);

extern template std::vector<double> beat_spectrum<float>(const dsp::Magnitudes<float>&, ThreadPool&);
extern template std::vector<double> beat_spectrum<double>(const dsp::Magnitudes<double>&, ThreadPool&);
extern template dsp::Mask<float> repet_mask<float>(const dsp::Magnitudes<float>&, std::size_t, std::size_t, ThreadPool&);
extern template dsp::Mask<double> repet_mask<double>(const dsp::Magnitudes<double>&, std::size_t, std::size_t, ThreadPool&);
extern template dsp::Mask<float> adaptive_repet_mask<float>(const dsp::Magnitudes<float>&, const AdaptiveRepetOptions&, RunContext&);
extern template dsp::Mask<double> adaptive_repet_mask<double>(const dsp::Magnitudes<double>&, const AdaptiveRepetOptions&, RunContext&);

}  // namespace unbraid::classic
