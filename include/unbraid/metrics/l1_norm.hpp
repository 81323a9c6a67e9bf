#pragma once
// Mean absolute differences, of waveforms and of magnitude spectra.
//
//   double d = metrics::l1_frequency(reference, estimate, pool);
//   double score = metrics::l1_score(d);                              // MSST's l1_freq, 0 … 100
//
//   l1_time       mean |s[n] − ŝ[n]| over samples and channels
//   l1_frequency  mean ||S(m, k)| − |Ŝ(m, k)|| over frames, bins and channels; an STFT without window (a boxcar) of 2048
//                 samples, hop 1024, centred, reflected at the ends, unscaled
//   l1_score      100 / (1 + 10·d)
// as in splifft and Music-Source-Separation-Training. kUsage when shapes differ or there are no samples.

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid::metrics {

double l1_time(AudioView reference, AudioView estimate);
double l1_frequency(AudioView reference, AudioView estimate, ThreadPool& pool);
double l1_score(double l1);

}  // namespace unbraid::metrics
