#pragma once
// Short-time Fourier transform and its inverse, with every convention spelled out.
//
//   dsp::Stft<float> stft({.window = {.length = 2048}, .hop = 512});
//   dsp::Spectrogram<float> x = stft.forward(song, pool);
//   AudioBuffer y(song.channels(), song.frames());
//   stft.inverse(x, y, pool);                                  // equals song to rounding
//
// Frame m, bin k: X[m, k] = s · Σ_n w[n] · x̃[m·hop + n] · exp(−2πi·kn/n_fft), x̃ the padded signal, s the
// scale. With centred frames x̃ is p = ⌊n_fft/2⌋ padding samples, the signal, p padding samples; else p = 0.
// A signal of N samples gives 1 + ⌈(N + 2p − n_fft)/hop⌉ frames with pad_end and 1 + ⌊…⌋ (none if negative)
// without.
//
// The inverse is the least-squares one (Griffin and Lim, "Signal estimation from modified short-time Fourier
// transform", IEEE TASSP 32(2), 1984, eq. 6): overlap-add of w·frame divided by the overlap-added w², cut to
// the length asked for. Where centring is off, the first and last samples carry next to no window weight:
// they come back from an unchanged spectrogram, but changes to it are magnified there (see
// StftNormalization).
//
// Objects are immutable after construction; forward and inverse may run concurrently, and give the same
// result for every number of threads. T is float or double.
//
// The conventions of others, all with a periodic window:
//   scipy.signal.stft        {.scaling = kScipySpectrum}            (boundary 'even' is .padding = kReflect)
//   torch.stft               {.padding = kReflect, .pad_end = false}
//   librosa.stft             {.pad_end = false}
//   tf.signal.stft           {.centered = false, .pad_end = false, .normalization = kPeriodic}
//   nussl.AudioSignal.stft   {.window = {.kind = kSqrtHann, …}, .scaling = kScipySpectrum}

#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/aligned_vector.hpp"
#include "unbraid/dsp/fft.hpp"
#include "unbraid/dsp/time_frequency.hpp"
#include "unbraid/dsp/window.hpp"

namespace unbraid::dsp {

/// What stands before the first and after the last sample when frames are centred.
enum class StftPadding {
  kZeros,    ///< scipy, librosa
  kReflect,  ///< torch: the border sample is not repeated; short signals reflect back and forth
  kReplicate
};

enum class StftScaling {
  kNone,            ///< s = 1: librosa, torch
  kScipySpectrum,   ///< s = 1 / Σ w: scipy.signal.stft(scaling='spectrum')
  kTorchNormalized  ///< s = 1 / √n_fft: torch.stft(normalized=True)
};

/// What the inverse divides by.
enum class StftNormalization {
  kExact,    ///< the w² of the frames that are there: perfect reconstruction up to the very edges
  kPeriodic  ///< the w² of an endless row of frames: samples that fewer frames cover fade out, as with
             ///< tf.signal.inverse_stft_window_fn
};

struct StftOptions {
  WindowSpec window;      ///< length ≤ n_fft; a shorter one is centred in zeros, as torch does
  std::size_t hop = 0;    ///< samples, ≥ 1
  std::size_t n_fft = 0;  ///< 0: the window's length
  bool centered = true;   ///< n_fft / 2 samples of padding at both ends, so that frame m is centred on m·hop
  StftPadding padding = StftPadding::kZeros;
  bool pad_end = true;  ///< zeros after the end until whole hops are filled: no sample is lost (scipy).
                        ///< Without, frames that would reach beyond the end are left out (torch, librosa).
  StftScaling scaling = StftScaling::kNone;
  StftNormalization normalization = StftNormalization::kExact;

  /// kUsage for a zero hop or length, a window longer than n_fft, or a window/hop pair that violates NOLA
  /// (nonzero overlap-add: some sample would be weighted by zero and could not be reconstructed).
  void validate() const;
};

template <class T>
class Stft {
 public:
  explicit Stft(const StftOptions& options);

  const StftOptions& options() const noexcept { return options_; }
  std::size_t bins() const noexcept { return n_fft_ / 2 + 1; }
  std::size_t hop() const noexcept { return options_.hop; }
  /// How many frames forward() gives for a signal of so many samples (0 for an empty signal).
  std::size_t frames(std::size_t samples) const;

  /// [channel][frame][bin] of all channels; threads share the frames.
  Spectrogram<T> forward(PlanarView<const T> signal, ThreadPool& pool) const;
  /// As above into memory that exists already; kInternal when the shape is wrong. No allocation per frame.
  void forward(PlanarView<const T> signal, Spectrogram<T>& out, ThreadPool& pool) const;

  /// The signal of exactly out.frames() samples per channel. Samples that no frame covers are zero, and so
  /// are those whose summed w² is below 1e-10 of the window's largest. kInternal when channels or bins do not
  /// fit.
  void inverse(const Spectrogram<T>& spectrogram, PlanarView<T> out, ThreadPool& pool) const;

 private:
  StftOptions options_;
  std::size_t n_fft_;
  std::size_t lead_;  ///< padding samples before the signal
  RealFft<T> fft_;
  std::vector<double> squares_;   ///< n_fft values: w², the window centred in zeros
  std::vector<double> periodic_;  ///< hop values: Σ_r w²[j + r·hop]
  AlignedVector<T> analysis_;     ///< n_fft values: s · w
  AlignedVector<T> synthesis_;    ///< n_fft values: w / (s · n_fft · periodic)

  void load_frame(std::span<const T> signal, std::size_t frame, std::span<T> out) const;
  void correct_edges(std::size_t first, std::size_t frames, std::span<T> block) const;
};

extern template class Stft<float>;
extern template class Stft<double>;

}  // namespace unbraid::dsp
