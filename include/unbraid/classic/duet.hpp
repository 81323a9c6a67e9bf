#pragma once
// Up to many sources from two channels, told apart by attenuation and delay between them.
//
//   const classic::DuetHistogram histogram = classic::duet_histogram(stereo, {.sources = 3}, pool);
//   const auto sources = classic::duet_sources(histogram, options);
//   std::vector<dsp::Mask<float>> masks = classic::duet_masks<float>(stereo, sources, pool);
//
// Yılmaz, Rickard, "Blind separation of speech mixtures via time-frequency masking", IEEE TSP 52(7), 2004: every bin
// gives a symmetric attenuation a − 1/a and a delay −∠(R/L)/ω (eq. 20, 21); the peaks of their weighted histogram
// (eq. 24) are the sources; each bin goes to the source that explains it best (eq. 34). Delays must stay below one
// sample per source pair for the phase to be unambiguous at all frequencies; longer ones blur at high frequencies.
//
// Differs from nussl.separation.spatial.Duet on purpose: the delay is not divided by another 2π (in nussl the
// histogram has that factor and the masks have not: +8 to +11 dB on a delayed source without it); the masks are
// disjoint, where nussl gives overlapping bins to all of three; peaks stand at the middle of their histogram cell and
// not at its lower edge; the smoothing repeats the right corners; and the number of cells is odd, so that no edge lies
// at zero delay.
//
// Whole-track. Time O(frames·bins·sources).

#include <cstddef>
#include <vector>

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct DuetOptions {
  std::size_t sources = 2;
  double attenuation_limit = 3;    ///< the histogram covers symmetric attenuations within ± this
  double delay_limit_samples = 3;  ///< and delays within ± this
  std::size_t attenuation_cells = 51;
  std::size_t delay_cells = 51;
  std::size_t attenuation_distance = 5;  ///< cells between two peaks, more than
  std::size_t delay_distance = 5;
  double peak_threshold = 0;   ///< 0 … 1 of the highest peak
  double weight_power = 1;     ///< p: bins weigh (|L||R|)^p ω^q
  double frequency_power = 0;  ///< q

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// Smoothed over 3 × 3 cells, [attenuation][delay], before smoothing scaled to a maximum of 1.
struct DuetHistogram {
  std::vector<double> raw, smooth;
};

struct DuetSource {
  double attenuation;    ///< a: level of the right over the left channel
  double delay_samples;  ///< right after left
};

/// From channels 0 and 1; kUnsupported when there are fewer. T is float or double. The result does not depend on the number
/// of threads.
template <class T>
DuetHistogram duet_histogram(const dsp::Spectrogram<T>& stereo, const DuetOptions& options, ThreadPool& pool);

/// The highest peaks, at most options.sources of them, in the order of their attenuation: from left to right. kUsage
/// when the histogram was made with other numbers of cells.
std::vector<DuetSource> duet_sources(const DuetHistogram& histogram, const DuetOptions& options);

/// One mask of 0 and 1 per source, [1][frame][bin]; every bin belongs to exactly one.
template <class T>
std::vector<dsp::Mask<T>> duet_masks(const dsp::Spectrogram<T>& stereo, const std::vector<DuetSource>& sources, ThreadPool& pool);

extern template DuetHistogram duet_histogram<float>(const dsp::Spectrogram<float>&, const DuetOptions&, ThreadPool&);
extern template DuetHistogram duet_histogram<double>(const dsp::Spectrogram<double>&, const DuetOptions&, ThreadPool&);
extern template std::vector<dsp::Mask<float>> duet_masks<float>(const dsp::Spectrogram<float>&, const std::vector<DuetSource>&,
                                                                ThreadPool&);
extern template std::vector<dsp::Mask<double>> duet_masks<double>(const dsp::Spectrogram<double>&, const std::vector<DuetSource>&,
                                                                  ThreadPool&);

}  // namespace unbraid::classic
