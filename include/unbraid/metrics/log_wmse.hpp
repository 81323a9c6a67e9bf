#pragma once
// logWMSE: a mean squared error that hears like a human and has an answer for silent references.
//
//   double score = metrics::log_wmse(reference, estimate, mixture, pool);     // higher is better, 73.68 is perfect
//
// Definition (Nomono's log-wmse-audio-quality; torch-log-wmse as MSST calls it), with w the weighting filter, * the
// convolution and r_m the root mean square of w * mixture channel m:
//   d_mc = w * ((s_c − ŝ_c) / (r_m + 1e-8)), values below −68 dB (3.98e-4) set to zero
//   score = the mean over all pairs (m, c) of channels of −4·ln(mean d_mc² + 1e-8)
// In the reference every mixture channel meets every channel of the stem, a quirk of broadcasting that is kept here. So
// is its length: ⌊N/44100·44100⌋ samples in floating point, which is N or N − 1.
//
// The filter is zero-phase with 4000 taps at 44.1 kHz. Its magnitude is that of four analogue-style filters: a high
// shelf of 5 dB at 1500 Hz, a Butterworth high-pass of order 2 at 120 Hz, a peak of 2.5 dB at 500 Hz (Q 1.5/√2) and a
// Butterworth low-pass of order 1 at 10 kHz, applied twice (after Fenton and Lee, "A perceptual model of 'punch' based
// on weighted transient loudness", J. AES 67(6), 2019). The reference ships its taps as data, always for 44.1 kHz; here
// they are computed, to 2e-8, for the rate that is given.
//
// NaN where a signal has values that are not finite. kUsage when shapes differ, there are no samples, or the rate is not above 20 kHz.
// Memory: one double per sample.

#include <cstddef>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid::metrics {

double log_wmse(AudioView reference, AudioView estimate, AudioView mixture, ThreadPool& pool, double sample_rate = 44100);

/// The weighting filter's taps, symmetric around number kLogWmseCentre.
inline constexpr std::size_t kLogWmseTaps = 4000, kLogWmseCentre = 1999;
std::vector<double> log_wmse_filter(double sample_rate = 44100);

}  // namespace unbraid::metrics
