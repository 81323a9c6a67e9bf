#include "metrics/correlation.hpp"

#include <algorithm>
#include <bit>
#include <complex>

#include "metrics/split_complex.hpp"

namespace unbraid::metrics {

namespace {

constexpr std::size_t kBatch = 16;   ///< blocks transformed before their products are summed: spectra stay in cache
constexpr std::size_t kTile = 128;   ///< bins summed at a time: one pair's tile stays in registers and L1

}  // namespace

LagCorrelator::LagCorrelator(std::size_t signals, std::size_t delayed, std::size_t lags)
    : signals_(signals),
      delayed_(delayed),
      lags_(lags),
      fft_(8 * std::bit_ceil(lags)),  // an eighth of each FFT is history; larger ones leave the cache
      block_(fft_.size() - lags),
      bins_(padded_bins(fft_.bins())),
      staged_(signals * (lags + kBatch * block_)),
      spectra_(kBatch * (signals + delayed) * 2 * bins_),
      sums_(signals * delayed * 2 * bins_) {}

void LagCorrelator::add(std::span<const std::span<const float>> rows, ThreadPool& pool) {
  const std::size_t room = kBatch * block_;
  const std::size_t stride = lags_ + room;
  const std::size_t frames = rows.empty() ? 0 : rows[0].size();
  for (std::size_t done = 0; done < frames;) {
    const std::size_t count = std::min(frames - done, room - filled_);
    for (std::size_t s = 0; s < signals_; ++s)
      std::copy_n(rows[s].begin() + static_cast<std::ptrdiff_t>(done), count,
                  staged_.begin() + static_cast<std::ptrdiff_t>(s * stride + lags_ + filled_));
    filled_ += count;
    done += count;
    if (filled_ == room) process(pool);
  }
}

void LagCorrelator::process(ThreadPool& pool) {
  const std::size_t stride = lags_ + kBatch * block_;
  const std::size_t blocks = (filled_ + block_ - 1) / block_;
  const std::size_t rows = signals_ + delayed_;
  for (std::size_t s = 0; s < signals_; ++s)
    std::fill(staged_.begin() + static_cast<std::ptrdiff_t>(s * stride + lags_ + filled_),
              staged_.begin() + static_cast<std::ptrdiff_t>(s * stride + lags_ + blocks * block_), 0.0);

  pool.parallel_ranges(blocks * rows, rows, [&](std::size_t first, std::size_t last) {
    dsp::AlignedVector<double> time(fft_.size());
    dsp::AlignedVector<std::complex<double>> bins(fft_.bins());
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t block = i / rows, row = i % rows;
      const std::size_t signal = row < signals_ ? row : row - signals_;
      const std::size_t history = row < signals_ ? 0 : lags_;
      const double* from = staged_.data() + signal * stride + lags_ + block * block_ - history;
      std::fill_n(time.begin(), lags_ - history, 0.0);
      std::copy_n(from, block_ + history, time.begin() + static_cast<std::ptrdiff_t>(lags_ - history));
      fft_.forward(time, bins);
      double* re = spectra_.data() + i * 2 * bins_;
      split(bins, re, re + bins_);
    }
  });

  // Each thread owns a range of bins, so sums are formed in the same order whatever the number of threads.
  const std::size_t tiles = (bins_ + kTile - 1) / kTile;
  pool.parallel_for(tiles, [&](std::size_t tile) {
    const std::size_t first = tile * kTile, count = std::min(kTile, bins_ - first);
    for (std::size_t x = 0; x < signals_; ++x) {
      for (std::size_t y = 0; y < delayed_; ++y) {
        double* sum = sums_.data() + (x * delayed_ + y) * 2 * bins_ + first;
        for (std::size_t block = 0; block < blocks; ++block) {
          const double* xs = spectra_.data() + (block * rows + x) * 2 * bins_ + first;
          const double* ys = spectra_.data() + (block * rows + signals_ + y) * 2 * bins_ + first;
          multiply_conjugate_add({xs, xs + bins_}, {ys, ys + bins_}, sum, sum + bins_, count);
        }
      }
    }
  });

  for (std::size_t s = 0; s < signals_; ++s) {
    double* row = staged_.data() + s * stride;
    std::copy_n(row + filled_, lags_, row);  // to the left; filled_ < lags_ only on the last call
  }
  filled_ = 0;
}

Correlations LagCorrelator::finish(ThreadPool& pool) {
  if (filled_ > 0) process(pool);
  Correlations result(signals_, delayed_, lags_);
  pool.parallel_ranges(signals_ * delayed_, delayed_, [&](std::size_t first, std::size_t last) {
    dsp::AlignedVector<double> time(fft_.size());
    dsp::AlignedVector<std::complex<double>> bins(fft_.bins());
    for (std::size_t pair = first; pair < last; ++pair) {
      const double* re = sums_.data() + pair * 2 * bins_;
      join(re, re + bins_, bins);
      fft_.inverse(bins, time);
      std::copy_n(time.begin(), lags_, result.at(pair / delayed_, pair % delayed_).begin());
    }
  });
  return result;
}

}  // namespace unbraid::metrics
