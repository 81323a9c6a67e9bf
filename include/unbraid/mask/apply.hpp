#pragma once
// From masks and magnitudes to spectrograms.
//
//   dsp::Spectrogram<float> vocals = mask::apply(vocal_mask, mixture, pool);       // M · X
//   dsp::Spectrogram<float> drums = mask::with_phase_of(drum_magnitudes, mixture, pool);   // V · X / |X|
//
// Shapes must agree; a mask or magnitude with one channel serves all channels of the mixture (kInternal
// otherwise). Thread-safe. T is float or double.

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::mask {

/// mask · mixture, bin by bin.
template <class T>
dsp::Spectrogram<T> apply(const dsp::Mask<T>& mask, const dsp::Spectrogram<T>& mixture, ThreadPool& pool);

/// A complex mask times the mixture.
template <class T>
dsp::Spectrogram<T> apply(const dsp::Spectrogram<T>& mask, const dsp::Spectrogram<T>& mixture, ThreadPool& pool);

/// The magnitudes with the mixture's phase; phase 0 where the mixture is 0.
template <class T>
dsp::Spectrogram<T> with_phase_of(const dsp::Magnitudes<T>& magnitudes, const dsp::Spectrogram<T>& mixture, ThreadPool& pool);

/// |X|^power.
template <class T>
dsp::Magnitudes<T> magnitudes(const dsp::Spectrogram<T>& spectrogram, double power, ThreadPool& pool);

}  // namespace unbraid::mask
