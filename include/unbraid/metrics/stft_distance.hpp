#pragma once
// Distances of magnitude spectrograms, at one resolution or several.
//
//   const auto d = metrics::stft_distance(reference, estimate, pool);
//   double score = metrics::stft_score(d.loss());                        // MSST's aura_stft, 0 … 100
//   double multi = metrics::stft_score(metrics::multi_resolution_stft_distance(reference, estimate, pool));
//
// With |X| = √max(|X|², 1e-8) over all channels, frames and bins, Hann windows, centred, reflected at the ends:
//   spectral convergence  ‖|Ŝ| − |S|‖ / ‖|Ŝ|‖                   (Arik, Jun, Diamos, IEEE SPL 26(1), 2019, eq. 2)
//   log magnitude         mean |ln|S| − ln|Ŝ||                   (ibid., eq. 3)
//   loss                  their sum                              (Yamamoto, Song, Kim, ICASSP 2020, eq. 3–5)
// The convergence is relative to the estimate: MSST hands auraloss the two signals in that order. stft_distance uses
// n_fft 1024, hop 256. multi_resolution_stft_distance is the mean loss over n_fft 1024, 2048 and 4096 (hop n_fft/4) of
// 128 Slaney mel bands after A-weighting with 101 taps. Bands that contain no bin count as equal.
//
// kUsage when shapes differ or there are no samples.

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid::metrics {

struct StftDistance {
  double spectral_convergence = 0;
  double log_magnitude = 0;  ///< nepers
  double loss() const { return spectral_convergence + log_magnitude; }
};

StftDistance stft_distance(AudioView reference, AudioView estimate, ThreadPool& pool);
double multi_resolution_stft_distance(AudioView reference, AudioView estimate, ThreadPool& pool, double sample_rate = 44100);

/// 100 / (1 + 10·loss)
double stft_score(double loss);

}  // namespace unbraid::metrics
