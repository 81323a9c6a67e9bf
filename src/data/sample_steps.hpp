#pragma once
// The steps of a stored sample format, so that what is summed in memory is what will be read back.

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/io/audio_format.hpp"

namespace unbraid::data {

/// Rounds every sample to what an integer format can hold, as io's writers will; kFloat32 changes nothing.
void round_to_format(AudioBuffer& audio, io::SampleFormat format);

}  // namespace unbraid::data
