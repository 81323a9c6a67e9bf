#pragma once
// The energies of BSS Eval's decomposition, window by window, for filters that are known already.
//
//   Projector projector(filters, pairs);
//   std::vector<Energies> e = projector.measure(references, estimates, windows, pool);   // [window][pair]
//
// Each window is projected by itself: references are zero before and after it, and the filters' tail counts. Overlap-
// save by FFT; one forward transform per reference channel and block serves all filters.

#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/aligned_vector.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::metrics {

/// Filters from the channels of some sources to the channels of an estimate.
struct FilterBank {
  std::vector<std::size_t> sources;  ///< those with filters, ascending
  /// taps[((s · channels + input) · channels + output) · length …], s counting `sources`
  std::vector<double> taps;
};

/// Reference `reference` against estimate `estimate`.
struct Pair {
  std::size_t reference;
  std::size_t estimate;
  FilterBank target;  ///< from this reference alone
};

/// Sums of squares over a window, its tail and all channels.
struct Energies {
  double source = 0;          ///< s
  double total_error = 0;     ///< ŝ − s
  double filtered = 0;        ///< P_j ŝ
  double filtered_error = 0;  ///< ŝ − P_j ŝ
  double spatial = 0;         ///< P_j ŝ − s
  double interference = 0;    ///< P ŝ − P_j ŝ
  double projected = 0;       ///< P ŝ
  double artifacts = 0;       ///< ŝ − P ŝ

  Energies& operator+=(const Energies& other);
};

struct Window {
  std::size_t first;  ///< frame
  std::size_t frames;
};

class Projector {
 public:
  /// joint[e]: the filters from all sources to estimate e; no sources in it: the target's filters stand in for it (a
  /// single source). Estimates that no pair names need none.
  Projector(std::size_t channels, std::size_t filter_length, std::span<const FilterBank> joint, std::vector<Pair> pairs);

  std::vector<std::vector<Energies>> measure(std::span<const AudioView> references, std::span<const AudioView> estimates,
                                             std::span<const Window> windows, ThreadPool& pool) const;

 private:
  struct Spectra {
    std::vector<std::size_t> sources;
    dsp::AlignedVector<double> rows;  ///< [output][source in `sources`][input][re, im][bin]
  };
  struct Scratch;

  Spectra transform(const FilterBank& bank) const;
  void apply(const Spectra& filters, const double* inputs, Scratch& scratch, std::span<double> out) const;
  void block(std::span<const AudioView> references, std::span<const AudioView> estimates, const Window& window, std::size_t first,
             Scratch& scratch, std::span<Energies> energies) const;

  std::size_t channels_;
  std::size_t length_;
  dsp::RealFft<double> fft_;
  std::size_t block_;  ///< output frames per FFT
  std::size_t bins_;   ///< padded
  std::vector<Spectra> joint_;
  std::vector<Pair> pairs_;
  std::vector<Spectra> targets_;
};

}  // namespace unbraid::metrics
