#pragma once
// Sums over the spectra of a reference and an estimate, frame by frame, without keeping a spectrogram.
//
//   const auto sums = sum_frames<Sums>(reference, estimate, {.n_fft = 2048, .hop = 1024}, pool,
//       [](std::size_t channel, std::size_t frame, Spectrum s, Spectrum x, Sums& sums) { … });
//
// Frames are centred as torch.stft does it: frame m of a channel of N samples is centred on sample m·hop, m = 0 …
// ⌊N/hop⌋, with n_fft/2 samples of padding at both ends. torch refuses signals of n_fft/2 samples or fewer with reflected
// padding; here they are reflected back and forth. Partial sums are added up in order: the result does not depend on
// the number of threads.

#include <algorithm>
#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/aligned_vector.hpp"
#include "unbraid/dsp/fft.hpp"
#include "unbraid/dsp/window.hpp"

namespace unbraid::metrics {

enum class FramePadding { kReflect, kZeros };

struct FrameSpec {
  std::size_t n_fft;
  std::size_t hop;
  dsp::WindowKind window = dsp::WindowKind::kHann;
  FramePadding padding = FramePadding::kReflect;
};

using Spectrum = std::span<const std::complex<double>>;

inline std::size_t centred_frames(std::size_t samples, std::size_t hop) { return samples == 0 ? 0 : 1 + samples / hop; }

/// The windowed samples of a frame.
template <class T>
void load_frame(std::span<const T> signal, std::size_t frame, const FrameSpec& spec, std::span<const double> window,
                std::span<double> out) {
  const auto size = static_cast<std::ptrdiff_t>(signal.size());
  std::ptrdiff_t at = static_cast<std::ptrdiff_t>(frame * spec.hop) - static_cast<std::ptrdiff_t>(spec.n_fft / 2);
  const std::ptrdiff_t period = 2 * (size - 1);
  for (std::size_t n = 0; n < spec.n_fft; ++n, ++at) {
    if (at >= 0 && at < size) {
      out[n] = window[n] * static_cast<double>(signal[static_cast<std::size_t>(at)]);
    } else if (spec.padding == FramePadding::kZeros) {
      out[n] = 0;
    } else {
      const std::ptrdiff_t folded = period == 0 ? 0 : ((at % period) + period) % period;
      out[n] = window[n] * static_cast<double>(signal[static_cast<std::size_t>(std::min(folded, period - folded))]);
    }
  }
}

/// body(channel, frame, reference spectrum, estimate spectrum, sums) for every frame of every channel. Sums needs +=
/// and a default value that is zero. Views of one shape.
template <class Sums, class T, class Body>
Sums sum_frames(PlanarView<const T> reference, PlanarView<const T> estimate, const FrameSpec& spec, ThreadPool& pool, const Body& body) {
  constexpr std::size_t kGrain = 32;  ///< frames that share scratch memory and a partial sum
  const dsp::RealFft<double> fft(spec.n_fft);
  const std::vector<double> window = dsp::make_window({.kind = spec.window, .length = spec.n_fft});
  const std::size_t frames = centred_frames(reference.frames(), spec.hop);
  const std::size_t jobs = reference.channels() * frames;
  std::vector<Sums> partial((jobs + kGrain - 1) / kGrain);
  pool.parallel_ranges(jobs, kGrain, [&](std::size_t first, std::size_t last) {
    dsp::AlignedVector<double> time(spec.n_fft);
    dsp::AlignedVector<std::complex<double>> s(fft.bins()), x(fft.bins());
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t channel = i / frames, frame = i % frames;
      load_frame<T>(reference.channel(channel), frame, spec, window, time);
      fft.forward(time, s);
      load_frame<T>(estimate.channel(channel), frame, spec, window, time);
      fft.forward(time, x);
      body(channel, frame, Spectrum(s), Spectrum(x), partial[first / kGrain]);
    }
  });
  Sums sums{};
  for (const Sums& part : partial) sums += part;
  return sums;
}

}  // namespace unbraid::metrics
