#pragma once
// What libsndfile leaves to be done in WAV and AIFF files.

#include "io/byte_file.hpp"

namespace unbraid::io {

/// kFormat when the audio chunk promises more bytes than the file has: libsndfile would quietly play what is
/// there. Headers of streams, which say that the length was not known when they were written, pass. Leaves
/// the offset at 0.
void check_chunk_length(ByteFile& file);

/// Sets the time of day in a WAV file's PEAK chunk to 0, so that the same samples make the same bytes:
/// libsndfile 1.2 does not leave the chunk out when asked to.
void clear_peak_time(ByteFile& file);

}  // namespace unbraid::io
