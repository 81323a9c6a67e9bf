#pragma once
// Cross-correlations of many signals at few lags, in one pass over blocks of any length.
//
//   LagCorrelator correlator(16, 8, 512);            // 16 signals, the first 8 of them also delayed, 512 lags
//   correlator.add(block_of_16_rows, pool);          // again and again
//   Correlations r = correlator.finish(pool);
//   r.at(x, y)[τ]                                    // Σ_n x[n]·y[n − τ], zeros before the first sample
//
// The signal is cut into blocks; a block of x, zero-padded, times a block of y with `lags` samples of history, both
// by FFT, gives the block's share of every lag without wrap-around. Shares are added up in the frequency domain, so
// that there is one inverse FFT per pair, not per block. All in double precision; results do not depend on how the
// signal was cut into add() calls or on the number of threads.

#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/aligned_vector.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::metrics {

class Correlations {
 public:
  Correlations() = default;
  Correlations(std::size_t xs, std::size_t ys, std::size_t lags) : xs_(xs), ys_(ys), lags_(lags), values_(xs * ys * lags) {}

  std::size_t xs() const noexcept { return xs_; }
  std::size_t ys() const noexcept { return ys_; }
  std::size_t lags() const noexcept { return lags_; }
  std::span<double> at(std::size_t x, std::size_t y) { return {values_.data() + (x * ys_ + y) * lags_, lags_}; }
  std::span<const double> at(std::size_t x, std::size_t y) const { return {values_.data() + (x * ys_ + y) * lags_, lags_}; }

 private:
  std::size_t xs_ = 0;
  std::size_t ys_ = 0;
  std::size_t lags_ = 0;
  std::vector<double> values_;
};

class LagCorrelator {
 public:
  /// signals ≥ delayed ≥ 1, lags ≥ 1.
  LagCorrelator(std::size_t signals, std::size_t delayed, std::size_t lags);

  /// The next frames of every signal: one row per signal, all of one length.
  void add(std::span<const std::span<const float>> rows, ThreadPool& pool);
  /// The correlations of everything added. Call once, last.
  Correlations finish(ThreadPool& pool);

 private:
  void process(ThreadPool& pool);

  std::size_t signals_;
  std::size_t delayed_;
  std::size_t lags_;
  dsp::RealFft<double> fft_;
  std::size_t block_;                   ///< frames per block: the FFT's size without the history
  std::size_t bins_;                    ///< the FFT's bins, rounded up to whole tiles
  std::size_t filled_ = 0;              ///< frames staged
  dsp::AlignedVector<double> staged_;   ///< [signal][lags of history + kBatch blocks]
  dsp::AlignedVector<double> spectra_;  ///< [tile][block][signal, then delayed signal][re, im][bin of the tile]
  dsp::AlignedVector<double> sums_;     ///< [signal][delayed][re, im][bin]
};

}  // namespace unbraid::metrics
