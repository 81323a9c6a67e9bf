#pragma once
// Spectra with real and imaginary parts in rows of their own: products of such rows are plain SIMD loops.

#include <complex>
#include <cstddef>
#include <span>

namespace unbraid::metrics {

struct SplitRow {
  const double* re;
  const double* im;
};

/// Rows are padded to whole cache lines, so that every row starts on one.
inline std::size_t padded_bins(std::size_t bins) { return (bins + 7) / 8 * 8; }

inline void split(std::span<const std::complex<double>> bins, double* re, double* im) {
  for (std::size_t k = 0; k < bins.size(); ++k) {
    re[k] = bins[k].real();
    im[k] = bins[k].imag();
  }
}

inline void join(const double* re, const double* im, std::span<std::complex<double>> bins) {
  for (std::size_t k = 0; k < bins.size(); ++k) bins[k] = {re[k], im[k]};
}

/// sum += x · y
inline void multiply_add(SplitRow x, SplitRow y, double* __restrict sum_re, double* __restrict sum_im, std::size_t count) {
  for (std::size_t k = 0; k < count; ++k) {
    sum_re[k] += x.re[k] * y.re[k] - x.im[k] * y.im[k];
    sum_im[k] += x.im[k] * y.re[k] + x.re[k] * y.im[k];
  }
}

}  // namespace unbraid::metrics
