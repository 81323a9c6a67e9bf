#pragma once
// Does a WAV or AIFF file hold as much audio as its header says?

#include "io/byte_file.hpp"

namespace unbraid::io {

/// kFormat when the audio chunk promises more bytes than the file has: libsndfile would quietly play what is
/// there. Headers of streams, which say that the length was not known when they were written, pass. Leaves
/// the offset at 0.
void check_chunk_length(ByteFile& file);

}  // namespace unbraid::io
