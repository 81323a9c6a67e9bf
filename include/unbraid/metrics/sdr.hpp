#pragma once
// The plain SDR of the Music Demixing challenges, of MSST and of splifft, and MSST's variant of SI-SDR.
//
//   double db = metrics::sdr(reference, estimate);
//
// With all channels as one long signal and ε = 1e-8, as in Music-Source-Separation-Training (utils/metrics.py):
//   sdr     10·log₁₀((Σ s² + ε) / (Σ (s − ŝ)² + ε))       (Mitsufuji et al., "Music Demixing Challenge 2021", 2022, eq. 1)
//   k_sdr   100·ln(1 + clamp(sdr) + K) / ln(1 + 2K), clamp to [−K + 1e-6, K]: a score from 0 to 100
//   si_sdr  α = Σ (ŝ·s + ε) / Σ (s² + ε),  10·log₁₀(Σ (α·s)² / (Σ (α·s − ŝ)² + ε) + ε), ε counted once per sample in α
// The ε make silent references come out as some number (0 dB when the estimate is silent too): such a number is no
// measurement, and evaluations leave it out. scale_scores() has the SI-SDR without ε.
//
// kUsage when shapes differ or there are no samples.

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid::metrics {

double sdr(AudioView reference, AudioView estimate);
double k_sdr(double sdr_db, double k = 10);
double si_sdr_msst(AudioView reference, AudioView estimate);

}  // namespace unbraid::metrics
