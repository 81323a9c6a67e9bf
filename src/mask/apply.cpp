#include "unbraid/mask/apply.hpp"

#include <cmath>

#include "mask/shape.hpp"

namespace unbraid::mask {

namespace {

/// out = op(a, x) row by row; a may have one channel.
template <class T, class A, class Op>
dsp::Spectrogram<T> combine(const dsp::TimeFrequency<A>& a, const dsp::Spectrogram<T>& x, ThreadPool& pool, Op op) {
  require_broadcastable(a, x);
  dsp::Spectrogram<T> out(x.channels(), x.frames(), x.bins());
  pool.parallel_for(
      x.channels() * x.frames(),
      [&](std::size_t row) {
        const std::size_t channel = row / x.frames(), frame = row % x.frames();
        const std::span<const A> left = a.frame(a.channels() == 1 ? 0 : channel, frame);
        const std::span<const std::complex<T>> right = x.frame(channel, frame);
        const std::span<std::complex<T>> target = out.frame(channel, frame);
        for (std::size_t k = 0; k < target.size(); ++k) target[k] = op(left[k], right[k]);
      },
      16);
  return out;
}

}  // namespace

template <class T>
dsp::Spectrogram<T> apply(const dsp::Mask<T>& mask, const dsp::Spectrogram<T>& mixture, ThreadPool& pool) {
  return combine<T>(mask, mixture, pool, [](T m, std::complex<T> x) { return m * x; });
}

template <class T>
dsp::Spectrogram<T> apply(const dsp::Spectrogram<T>& mask, const dsp::Spectrogram<T>& mixture, ThreadPool& pool) {
  return combine<T>(mask, mixture, pool, [](std::complex<T> m, std::complex<T> x) {
    // Written out: std::complex's product also repairs infinities, which costs a branch per bin.
    return std::complex<T>(m.real() * x.real() - m.imag() * x.imag(), m.real() * x.imag() + m.imag() * x.real());
  });
}

template <class T>
dsp::Spectrogram<T> with_phase_of(const dsp::Magnitudes<T>& magnitudes, const dsp::Spectrogram<T>& mixture, ThreadPool& pool) {
  return combine<T>(magnitudes, mixture, pool, [](T v, std::complex<T> x) {
    const T magnitude = std::hypot(x.real(), x.imag());
    return magnitude > 0 ? std::complex<T>(v * (x.real() / magnitude), v * (x.imag() / magnitude)) : std::complex<T>(v);
  });
}

template <class T>
dsp::Magnitudes<T> magnitudes(const dsp::Spectrogram<T>& spectrogram, double power, ThreadPool& pool) {
  if (!(power > 0)) throw Error{ErrorCode::kUsage, "the power of a magnitude is positive", "power"};
  dsp::Magnitudes<T> out(spectrogram.channels(), spectrogram.frames(), spectrogram.bins());
  const T half = static_cast<T>(power / 2);
  pool.parallel_ranges(spectrogram.size(), 1 << 14, [&](std::size_t first, std::size_t last) {
    const std::complex<T>* const x = spectrogram.values().data();
    T* const y = out.values().data();
    const auto squared = [x](std::size_t k) { return x[k].real() * x[k].real() + x[k].imag() * x[k].imag(); };
    if (power == 1) {
      for (std::size_t k = first; k < last; ++k) y[k] = std::sqrt(squared(k));
    } else if (power == 2) {
      for (std::size_t k = first; k < last; ++k) y[k] = squared(k);
    } else {
      for (std::size_t k = first; k < last; ++k) y[k] = std::pow(squared(k), half);
    }
  });
  return out;
}

#define UNBRAID_INSTANTIATE(T)                                                                                    \
  template dsp::Spectrogram<T> apply(const dsp::Mask<T>&, const dsp::Spectrogram<T>&, ThreadPool&);               \
  template dsp::Spectrogram<T> apply(const dsp::Spectrogram<T>&, const dsp::Spectrogram<T>&, ThreadPool&);        \
  template dsp::Spectrogram<T> with_phase_of(const dsp::Magnitudes<T>&, const dsp::Spectrogram<T>&, ThreadPool&); \
  template dsp::Magnitudes<T> magnitudes(const dsp::Spectrogram<T>&, double, ThreadPool&);
UNBRAID_INSTANTIATE(float)
UNBRAID_INSTANTIATE(double)
#undef UNBRAID_INSTANTIATE

}  // namespace unbraid::mask
