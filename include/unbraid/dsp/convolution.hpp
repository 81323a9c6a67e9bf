#pragma once
// Convolution with long filters through the FFT (overlap-save).
//
//   std::vector<double> y = dsp::convolve<double>(x, taps);         // full length: N + L − 1
//   dsp::filter_aligned(song, taps, bass, pool);                    // linear-phase taps: same length, no delay
//
//   dsp::FftFilter filter(taps, 2);                                 // the same for a stream
//   while (std::size_t n = reader.read(block)) writer.write(filter.process(block.view().slice(0, n)));
//   writer.write(filter.finish());
//
// y[n] = Σ_k h[k] x[n − k], x zero outside. The work per sample is O(log L) for L taps. The arithmetic is
// that of T (float for audio): the error is about ε·√log₂ L of the largest output. Every function gives the
// same result for every thread count and every cut into blocks.

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/aligned_vector.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::dsp {

/// One filter made ready for overlap-save: the taps' spectrum at a size that suits them. Immutable,
/// shareable.
template <class T>
class FilterKernel {
 public:
  /// kUsage without taps.
  explicit FilterKernel(std::span<const double> taps);

  std::size_t taps() const noexcept { return taps_; }
  /// Outputs per FFT.
  std::size_t block() const noexcept { return fft_.size() - taps_ + 1; }

  /// Scratch memory of one thread.
  struct Scratch {
    AlignedVector<T> samples;
    AlignedVector<std::complex<T>> spectrum;
  };
  Scratch scratch() const { return {AlignedVector<T>(fft_.size()), AlignedVector<std::complex<T>>(fft_.bins())}; }

  /// With taps() − 1 + block() input samples in scratch.samples, leaves block() outputs behind the first
  /// taps() − 1.
  void run(Scratch& scratch) const;

 private:
  std::size_t taps_;
  RealFft<T> fft_;
  AlignedVector<std::complex<T>> response_;  ///< the taps' spectrum, over the FFT's size
};

/// The full convolution, x.size() + taps.size() − 1 values; nothing when either is empty.
template <class T>
std::vector<T> convolve(std::span<const T> x, std::span<const double> taps);

/// Every channel filtered with taps of odd number, their middle taken as time 0: out[n] = Σ_k h[k] in[n +
/// (L−1)/2 − k]. For linear-phase taps that is the filter without its delay. Shapes of in and out must agree;
/// they must not overlap.
void filter_aligned(AudioView in, std::span<const double> taps, MutableAudioView out, ThreadPool& pool);

/// filter_aligned() for a stream of blocks of any length: as many frames come out as went in, later.
class FftFilter {
 public:
  FftFilter(std::span<const double> taps, std::size_t channels);

  /// What is ready, perhaps nothing. kInternal for another number of channels or after finish().
  AudioBuffer process(AudioView block);
  AudioBuffer finish();

 private:
  FilterKernel<float> kernel_;
  FilterKernel<float>::Scratch scratch_;
  AudioBuffer window_;      ///< the input of the next FFT, as far as it is there
  std::size_t filled_;      ///< frames of it
  std::uint64_t owed_ = 0;  ///< input frames that have no output yet
  bool finished_ = false;

  void run_window(MutableAudioView out);
};

extern template class FilterKernel<float>;
extern template class FilterKernel<double>;
extern template std::vector<float> convolve<float>(std::span<const float>, std::span<const double>);
extern template std::vector<double> convolve<double>(std::span<const double>, std::span<const double>);

}  // namespace unbraid::dsp
