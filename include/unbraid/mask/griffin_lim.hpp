#pragma once
// A signal for a magnitude spectrogram whose phase is unknown or not to be trusted.
//
//   dsp::Stft<float> stft({.window = {.length = 2048}, .hop = 512});
//   AudioBuffer y(1, frames);
//   mask::griffin_lim<float>(magnitudes, mixture, stft, y.view(), {.iterations = 32}, run);
//
// Griffin and Lim (IEEE TASSP 32(2), 1984): replace the magnitude, go to the signal and back, keep the phase.
// With momentum α > 0 the fast form of Perraudin, Balazs, Søndergaard (WASPAA 2013, algorithm 2):
//   c_n = STFT(iSTFT(|V| · t_{n−1}/|t_{n−1}|)),   t_n = c_n + α (c_n − c_{n−1}).
// With α = 0 the distance between |STFT(y)| and |V| never grows from one iteration to the next.

#include <cstddef>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::mask {

struct GriffinLimOptions {
  std::size_t iterations = 32;  ///< 0: the magnitudes with the phase given
  double momentum = 0.99;       ///< α in [0, 1); 0 is the classic algorithm

  void validate() const;
};

/// phase: where to start, usually the mixture; a spectrogram of zeros starts from phase 0. Writes
/// out.frames() samples to every channel of out. Shapes must agree with stft.frames(out.frames()) (kInternal
/// otherwise). Can be cancelled between iterations.
template <class T>
void griffin_lim(const dsp::Magnitudes<T>& magnitudes, const dsp::Spectrogram<T>& phase, const dsp::Stft<T>& stft, PlanarView<T> out,
                 const GriffinLimOptions& options, RunContext& run);

/// ‖|STFT(y)| − |V|‖ / ‖V‖ in dB: how far the signal is from the magnitudes (spectral convergence).
template <class T>
double spectral_convergence_db(const dsp::Magnitudes<T>& magnitudes, const dsp::Stft<T>& stft, PlanarView<const T> signal,
                               ThreadPool& pool);

}  // namespace unbraid::mask
