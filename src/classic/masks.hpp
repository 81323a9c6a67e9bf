#pragma once
// From spectrograms to magnitudes, and from masks back to spectrograms.
//
//   const dsp::Mask<float> mask = hpss_masks(joint_magnitudes(mix, pool), {}, pool).harmonic;   // one for all channels
//   apply_mask(mix, mask, harmonic, pool);

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

/// |X| of every bin.
dsp::Magnitudes<float> magnitudes(const dsp::Spectrogram<float>& spectrogram, ThreadPool& pool);

/// One channel: √Σ|X_c|² over the channels. Masks made from it keep the stereo image.
dsp::Magnitudes<float> joint_magnitudes(const dsp::Spectrogram<float>& spectrogram, ThreadPool& pool);

/// target = source · mask. The mask has the channels of the source, or one for all of them. target has the shape of
/// the source, and may be the source.
void apply_mask(const dsp::Spectrogram<float>& source, const dsp::Mask<float>& mask, dsp::Spectrogram<float>& target, ThreadPool& pool);

}  // namespace unbraid::classic
