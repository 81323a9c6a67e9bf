#pragma once
// WAV (RF64, W64), AIFF, FLAC, Ogg Vorbis, Ogg Opus, AU and CAF by libsndfile.

#include <memory>
#include <string>

#include "io/byte_file.hpp"
#include "io/encoder.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {

/// kUnsupported when libsndfile does not know the codec inside the container; then FFmpeg may.
std::unique_ptr<Reader> open_with_sndfile(ByteFile file, const ReaderOptions& options);

/// The file must outlive the encoder. kUnsupported for a combination that the container cannot hold.
std::unique_ptr<Encoder> encode_with_sndfile(ByteFile& file, const WriterOptions& options);

}  // namespace unbraid::io
