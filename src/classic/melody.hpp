#pragma once
// The pitch of the melody, frame by frame: which fundamental explains most of a spectrum, followed through time.
//
//   const MelodyOptions options{.sample_rate = 44100};
//   std::vector<double> hz = track_melody(magnitudes, options, run);      // 0 where there is no melody
//
// Salience: the magnitude's square root, summed over the harmonics of every candidate with weights 0.8^(h−1) (Salamon,
// Gómez, "Melody extraction from polyphonic music signals using pitch contour characteristics", IEEE TASLP 20(6), 2012,
// section II-B; the root stands for their compression by peaks' levels), less the mean over the candidates, so that noise
// and drums favour none. Candidates lie on a grid of a fifth of a semitone. Tracking: the path of greatest total salience
// with a cost per semitone of movement (Viterbi), and a state for "no melody" whose salience is a share of the usual one.
//
// Cost per frame: candidates · (harmonics + twice the reach of a step) operations.

#include <cstddef>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct MelodyOptions {
  double sample_rate = 44100;  ///< Hz
  double low_hz = 110;         ///< the lowest fundamental
  double high_hz = 1000;       ///< the highest
  std::size_t harmonics = 10;
  double jump_cost = 0.1;  ///< per semitone from frame to frame, as a share of the usual greatest salience
  double voicing = 0.6;    ///< frames whose salience lies below this share of the usual one have no melody

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// The fundamental of every frame of a one-channel magnitude spectrogram, Hz; 0 where there is none.
std::vector<double> track_melody(const dsp::Magnitudes<float>& magnitudes, const MelodyOptions& options, RunContext& run);

}  // namespace unbraid::classic
