#pragma once
// What every score of one estimate against one reference asks of its arguments.

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid::metrics {

/// kUsage unless both have the same channels and frames, and at least one of each.
void require_same_shape(AudioView reference, AudioView estimate);

}  // namespace unbraid::metrics
