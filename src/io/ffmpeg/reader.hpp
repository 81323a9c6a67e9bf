#pragma once
// Everything that FFmpeg can decode: MP3, M4A/AAC, stem files, WMA, the sound of videos, …

#include <memory>

#include "io/byte_file.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {

/// kFormat when there is no audio in it, kNotFound for a stream that is not there.
std::unique_ptr<Reader> open_with_ffmpeg(ByteFile file, const ReaderOptions& options);

}  // namespace unbraid::io
