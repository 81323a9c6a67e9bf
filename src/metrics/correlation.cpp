#include "metrics/correlation.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <complex>

#include "metrics/split_complex.hpp"

namespace unbraid::metrics {

namespace {

constexpr std::size_t kBatch = 8;  ///< blocks transformed before their products are summed: spectra stay in cache
constexpr std::size_t kTile = 64;  ///< bins summed at a time: the sums of four pairs stay in L1

/// A row of a tile: real parts, then imaginary ones.
struct TileRow {
  const double* values;
  double re(std::size_t k) const { return values[k]; }
  double im(std::size_t k) const { return values[kTile + k]; }
};

/// The sums over blocks of x·y* for two rows x and two rows y, so that what is loaded is used twice.
class FourSums {
 public:
  void add(const std::array<TileRow, 2>& x, const std::array<TileRow, 2>& y) {
    for (std::size_t k = 0; k < kTile; ++k) {
      for (std::size_t i = 0; i < 2; ++i) {
        for (std::size_t j = 0; j < 2; ++j) {
          re_[2 * i + j][k] += x[i].re(k) * y[j].re(k) + x[i].im(k) * y[j].im(k);
          im_[2 * i + j][k] += x[i].im(k) * y[j].re(k) - x[i].re(k) * y[j].im(k);
        }
      }
    }
  }

  void add_to(std::size_t pair, double* re, double* im) const {
    for (std::size_t k = 0; k < kTile; ++k) {
      re[k] += re_[pair][k];
      im[k] += im_[pair][k];
    }
  }

 private:
  alignas(64) std::array<std::array<double, kTile>, 4> re_{}, im_{};
};

}  // namespace

LagCorrelator::LagCorrelator(std::size_t signals, std::size_t delayed, std::size_t lags)
    : signals_(signals),
      delayed_(delayed),
      lags_(lags),
      fft_(8 * std::bit_ceil(lags)),  // an eighth of each FFT is history; larger ones leave the cache
      block_(fft_.size() - lags),
      bins_((fft_.bins() + kTile - 1) / kTile * kTile),
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
      for (std::size_t tile = 0; tile < bins_ / kTile; ++tile) {
        double* const out = spectra_.data() + (tile * kBatch * rows + i) * 2 * kTile;
        const std::size_t count = std::min(kTile, fft_.bins() - tile * kTile);
        split(std::span(bins).subspan(tile * kTile, count), out, out + kTile);
      }
    }
  });

  // Each thread owns a range of bins, so sums are formed in the same order whatever the number of threads.
  pool.parallel_for(bins_ / kTile, [&](std::size_t tile) {
    const double* const spectra = spectra_.data() + tile * kBatch * rows * 2 * kTile;
    const auto row_of = [&](std::size_t block, std::size_t row) { return TileRow{spectra + (block * rows + row) * 2 * kTile}; };
    for (std::size_t x = 0; x < signals_; x += 2) {
      for (std::size_t y = 0; y < delayed_; y += 2) {
        const std::size_t x2 = std::min(x + 1, signals_ - 1), y2 = std::min(y + 1, delayed_ - 1);
        FourSums sums;
        for (std::size_t block = 0; block < blocks; ++block)
          sums.add({row_of(block, x), row_of(block, x2)}, {row_of(block, signals_ + y), row_of(block, signals_ + y2)});
        for (std::size_t i = 0; i <= x2 - x; ++i) {
          for (std::size_t j = 0; j <= y2 - y; ++j) {
            double* const re = sums_.data() + ((x + i) * delayed_ + y + j) * 2 * bins_ + tile * kTile;
            sums.add_to(2 * i + j, re, re + bins_);
          }
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
