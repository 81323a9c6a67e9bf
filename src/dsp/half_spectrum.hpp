#pragma once
// Between the spectrum of n real samples and the transform of n/2 complex ones.
//
// An FFT of real samples x at half price: the complex FFT Z of z[m] = x[2m] + i·x[2m+1], h = n/2 long, holds
// the spectra of the even samples, E[k] = (Z[k] + Z*[h−k])/2, and of the odd ones, O[k] = (Z[k] −
// Z*[h−k])/2i. Then
//   X[k] = E[k] + W^k·O[k],  X[h−k] = (E[k] − W^k·O[k])*,  W = exp(−2πi/n),
// and the way back is the same butterfly with other factors (H. Sorensen et al., "Real-valued fast Fourier
// transform algorithms", IEEE TASSP 35(6), 1987). FFTW does this too, but its kernel takes twice as long as
// the FFT itself.

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstring>
#include <numbers>
#include <utility>

#include "unbraid/dsp/aligned_vector.hpp"

namespace unbraid::dsp {

/// Complex numbers side by side in one SIMD register, (re, im, re, im, …), by the compilers' vector
/// extension.
template <class T>
struct ComplexLanes {
#if defined(__AVX512F__)
  static constexpr std::size_t kBytes = 64;
#elif defined(__AVX__)
  static constexpr std::size_t kBytes = 32;
#else
  static constexpr std::size_t kBytes = 16;
#endif
  static constexpr std::size_t kLanes = kBytes / sizeof(T);
  static constexpr std::size_t kCount = kLanes / 2;  ///< complex numbers
  typedef T Vector __attribute__((vector_size(kBytes)));

  static Vector load(const std::complex<T>* values) {
    Vector v;
    std::memcpy(&v, values, sizeof v);
    return v;
  }
  static void store(Vector v, std::complex<T>* values) { std::memcpy(static_cast<void*>(values), &v, sizeof v); }

  static Vector conjugate(Vector v) { return v * signs(std::make_index_sequence<kLanes>()); }
  /// The numbers in opposite order.
  static Vector reverse(Vector v) { return reverse(v, std::make_index_sequence<kLanes>()); }
  static Vector multiply(Vector a, Vector b) { return multiply(a, b, std::make_index_sequence<kLanes>()); }

 private:
  template <std::size_t... I>
  static constexpr Vector signs(std::index_sequence<I...>) {
    return Vector{(I % 2 == 0 ? T(1) : T(-1))...};
  }
  template <std::size_t... I>
  static Vector reverse(Vector v, std::index_sequence<I...>) {
    return __builtin_shufflevector(v, v, (kLanes - 2 - I / 2 * 2 + I % 2)...);
  }
  template <std::size_t... I>
  static Vector multiply(Vector a, Vector b, std::index_sequence<I...> lanes) {
    const Vector a_re = __builtin_shufflevector(a, a, (I / 2 * 2)...);
    const Vector a_im = __builtin_shufflevector(a, a, (I / 2 * 2 + 1)...);
    const Vector b_swapped = __builtin_shufflevector(b, b, (I % 2 == 0 ? I + 1 : I - 1)...);
    return a_re * b - a_im * b_swapped * signs(lanes);  // (ar·br − ai·bi, ar·bi + ai·br)
  }
};

/// The factors for one n, which must be even.
template <class T>
class HalfSpectrum {
 public:
  explicit HalfSpectrum(std::size_t n) : half_(n / 2), split_(half_ / 2 + 1), join_(half_ / 2 + 1) {
    for (std::size_t k = 0; k < split_.size(); ++k) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
      const std::complex<double> factor{-std::sin(angle), -std::cos(angle)};  // −i·W^k
      split_[k] = std::complex<T>(0.5 * factor);
      join_[k] = std::complex<T>(std::conj(factor));
    }
  }

  /// n/2 values of the complex FFT → n/2 + 1 bins of the real one. `bins` may be `values`.
  void split(const std::complex<T>* values, std::complex<T>* bins) const {
    const std::complex<T> first = values[0];
    butterflies(values, bins, split_.data(), T(0.5));
    bins[0] = first.real() + first.imag();
    bins[half_] = first.real() - first.imag();
  }

  /// Back, times two: an unscaled complex FFT then gives n times the samples. `values` may be `bins`.
  void join(const std::complex<T>* bins, std::complex<T>* values) const {
    const T first = bins[0].real(), last = bins[half_].real();
    butterflies(bins, values, join_.data(), T(1));
    values[0] = {first + last, first - last};
  }

 private:
  /// For 0 < k < h, with a = in[k] and b = in[h−k]*: out[k] = c·(a + b) + f[k]·(a − b) and
  /// out[h−k] = (c·(a + b) − f[k]·(a − b))*. Pairs are read before they are written.
  void butterflies(const std::complex<T>* in, std::complex<T>* out, const std::complex<T>* factors, T c) const {
    using Lanes = ComplexLanes<T>;
    std::size_t k = 1;
    for (; k + Lanes::kCount <= half_ / 2; k += Lanes::kCount) {
      const std::size_t mirrored = half_ - k - (Lanes::kCount - 1);
      const auto a = Lanes::load(in + k);
      const auto b = Lanes::conjugate(Lanes::reverse(Lanes::load(in + mirrored)));
      const auto sum = c * (a + b), turned = Lanes::multiply(a - b, Lanes::load(factors + k));
      Lanes::store(sum + turned, out + k);
      Lanes::store(Lanes::reverse(Lanes::conjugate(sum - turned)), out + mirrored);
    }
    for (; k <= half_ / 2; ++k) {
      const std::complex<T> a = in[k], b = std::conj(in[half_ - k]), difference = a - b, f = factors[k];
      const std::complex<T> sum = c * (a + b);
      const std::complex<T> turned{difference.real() * f.real() - difference.imag() * f.imag(),
                                   difference.real() * f.imag() + difference.imag() * f.real()};
      out[k] = sum + turned;
      out[half_ - k] = std::conj(sum - turned);
    }
  }

  std::size_t half_;
  AlignedVector<std::complex<T>> split_;  ///< −i·W^k / 2
  AlignedVector<std::complex<T>> join_;   ///< i·W^−k
};

}  // namespace unbraid::dsp
