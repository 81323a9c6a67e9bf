#pragma once
// What is too much and what is missing in the mel spectrogram of an estimate: bleedless and fullness.
//
//   const auto d = metrics::db_difference_mel(reference, estimate, pool);
//   const auto m = metrics::mel_scores(d);
//   m.bleedless, m.fullness                              // 0 … 100, higher is better
//
// D = dB(mel|Ŝ|) − dB(mel|S|), dB(v) = 20·log₁₀ max(v, 1e-10), nothing further than 80 dB below the loudest value of all
// channels of its own signal. STFT: n_fft 4096, hop 1024, Hann, centred, zeros beyond the ends; 512 Slaney mel bands.
//   bleed = mean of D where D > 0      bleedless = 100 / (1 + bleed)
//   lost = mean of −D where D < 0      fullness = 100 / (1 + lost)
// with means of nothing being 0: as in Music-Source-Separation-Training (utils/metrics.py, bleed_full). splifft's page
// names the two plain means "higher is better"; the scores are meant.
//
// kUsage when shapes differ or there are no samples. Memory: 4 kB per hop and channel.

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::metrics {

/// D in dB, [channel][frame][band]: above zero where the estimate is the louder one.
dsp::TimeFrequency<float> db_difference_mel(AudioView reference, AudioView estimate, ThreadPool& pool, double sample_rate = 44100);

struct MelScores {
  double bleed_db = 0;
  double lost_db = 0;
  double bleedless = 100;
  double fullness = 100;
};

MelScores mel_scores(const dsp::TimeFrequency<float>& db_difference);

}  // namespace unbraid::metrics
