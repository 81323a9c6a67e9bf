#pragma once
// MP3, M4A and stem files by FFmpeg.

#include <memory>
#include <string>
#include <vector>

#include "io/encoder.hpp"

namespace unbraid::io {

/// See FfmpegBackend::create_encoder.
std::unique_ptr<Encoder> encode_with_ffmpeg(ByteFile& file, const WriterOptions& options, const std::vector<std::string>& stream_names);

}  // namespace unbraid::io
