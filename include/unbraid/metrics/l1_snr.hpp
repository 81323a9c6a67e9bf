#pragma once
// L1-SNR: a signal-to-noise ratio of absolute values, in time and in three STFT resolutions, with a penalty for a wrong
// level (Bralios, Casebeer, Smaragdis and others, arXiv:2501.16171; torch-l1-snr's MultiL1SNRDBLoss as MSST calls it).
//
//   double score = metrics::l1_snr(reference, estimate, pool);            // higher is better
//
// With all channels as one long signal, D(e, y) = 10·log₁₀((mean|e| + 1e-3) / (mean|y| + 1e-3)),
// L(y) = 20·log₁₀(√(mean y² + 1e-8) + 1e-8) and R = |L(ŝ) − L(s)|:
//   time      D(ŝ − s, s) + λ·R;  λ = 0.1, plus 0.9·clamp(R / (L(s) + 60), 0, 1) where L(s) > max(L(ŝ), −60)
//   spectra   mean over n_fft = 512, 1024, 2048 (hop n_fft/4, Hann, centred, reflected, divided by √Σw²) of
//             D(Re Ŝ − Re S, Re S) + D(Im Ŝ − Im S, Im S)
//   score     −(time + spectra) / 2
// Under 512 samples the spectra give way to D in time; a resolution whose half is not shorter than the signal is left
// out, as in the reference. kUsage when shapes differ or there are no samples.

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid::metrics {

double l1_snr(AudioView reference, AudioView estimate, ThreadPool& pool);

}  // namespace unbraid::metrics
