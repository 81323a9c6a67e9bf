#pragma once
// A mel spectrogram small enough for a picture.

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/evaluate/evaluate_track.hpp"

namespace unbraid::evaluate {

/// Up to 480 frames of 4096 samples evenly over the signal, 96 mel bands, power averaged over the channels, dB.
LevelGrid level_grid(AudioView audio, double sample_rate);

}  // namespace unbraid::evaluate
