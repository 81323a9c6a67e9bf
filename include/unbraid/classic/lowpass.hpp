#pragma once
// The low end of a recording by a linear-phase low-pass filter without delay; the rest is the high part.
//
//   std::vector<float> taps = classic::lowpass_taps(200.0, 100.0, 44100);
//   AudioBuffer low = classic::filter_centred(song, taps, pool);
//
// Windowed-sinc design with Kaiser's window (Kaiser, "Nonrecursive digital filter design using the I0-sinh window
// function", ISCAS 1974): 60 dB of stop band, the transition band from cutoff − width/2 to cutoff + width/2, unit gain
// at 0 Hz. Filtering is by overlap-save FFT convolution: O(log taps) per sample.

#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid::classic {

/// An odd, symmetric number of taps whose sum is 1. 0 < cutoff_hz, 0 < transition_hz (kUsage otherwise). A cutoff at
/// or above half the rate gives the single tap 1: everything is low.
std::vector<float> lowpass_taps(double cutoff_hz, double transition_hz, double sample_rate);

/// y[n] = Σ_i taps[i]·x[n + half − i], half = (taps − 1)/2, zeros beyond both ends: no delay for symmetric taps. The
/// number of taps is odd.
AudioBuffer filter_centred(AudioView signal, std::span<const float> taps, ThreadPool& pool);

}  // namespace unbraid::classic
