#pragma once
// Real and complex discrete Fourier transforms of any length, over FFTW.
//
//   dsp::RealFft<float> fft(2048);
//   fft.forward(samples, bins);    // 2048 real → 1025 complex, unscaled: X[k] = Σ x[n] exp(−2πi·kn/N)
//   fft.inverse(bins, samples);    // scaled by 1/N, so that inverse(forward(x)) = x
//
// Plans come from one process-wide cache guarded by a lock and are made without measuring, so that results
// are the same bit for bit from run to run and do not depend on where the data lies. Data on a 16-byte
// boundary (AlignedVector, any std::vector) is transformed where it is; other data goes through a copy. An
// object is a handle to its plan: cheap to copy, and all its functions may be called from any number of
// threads at once with different data. T is float or double. A size of 0 is kUsage, spans of another length
// than told are kInternal.

#include <complex>
#include <cstddef>
#include <memory>
#include <span>

#include "unbraid/dsp/aligned_vector.hpp"

namespace unbraid::dsp {

template <class T>
class RealFft {
 public:
  /// size ≥ 1 samples.
  explicit RealFft(std::size_t size);

  std::size_t size() const noexcept { return size_; }
  std::size_t bins() const noexcept { return size_ / 2 + 1; }

  /// time: size() samples, kept; frequency: bins() values.
  void forward(std::span<const T> time, std::span<std::complex<T>> frequency) const;
  /// frequency: bins() values, destroyed; time: size() samples.
  void inverse(std::span<std::complex<T>> frequency, std::span<T> time) const;
  /// The same without the factor 1/N, for callers that have a factor of their own to fold it into.
  void inverse_unscaled(std::span<std::complex<T>> frequency, std::span<T> time) const;

  /// Memory on the side, one per thread. With it nothing is allocated wherever frequency lies, and
  /// inverse_unscaled keeps its input: what loops over the rows of a spectrogram want. Results are the same
  /// bit for bit.
  using Scratch = AlignedVector<std::complex<T>>;
  Scratch scratch() const { return Scratch(bins()); }
  void forward(std::span<const T> time, std::span<std::complex<T>> frequency, Scratch& scratch) const;
  void inverse_unscaled(std::span<const std::complex<T>> frequency, std::span<T> time, Scratch& scratch) const;

 private:
  struct Plan;
  std::size_t size_;
  std::shared_ptr<const Plan> plan_;
};

template <class T>
class ComplexFft {
 public:
  explicit ComplexFft(std::size_t size);

  std::size_t size() const noexcept { return size_; }

  /// In place, unscaled.
  void forward(std::span<std::complex<T>> values) const;
  /// In place, scaled by 1/N.
  void inverse(std::span<std::complex<T>> values) const;

 private:
  struct Plan;
  std::size_t size_;
  std::shared_ptr<const Plan> plan_;
};

extern template class RealFft<float>;
extern template class RealFft<double>;
extern template class ComplexFft<float>;
extern template class ComplexFft<double>;

/// The smallest n' ≥ n whose only prime factors are 2, 3, 5 and 7: lengths at which FFTW is fast.
std::size_t fast_fft_size(std::size_t n);

}  // namespace unbraid::dsp
