#pragma once
// What the shared library libunbraid_ffmpeg offers. FFmpeg's own libraries pull in about a hundred others, so
// they are opened when a file needs them and not before.

#include <memory>
#include <string>
#include <vector>

#include "io/byte_file.hpp"
#include "io/encoder.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {

struct FfmpegBackend {
  std::unique_ptr<Reader> (*open_reader)(ByteFile file, const ReaderOptions& options);
  /// One audio stream per name; a single unnamed one for plain files. The file must outlive the encoder.
  std::unique_ptr<Encoder> (*create_encoder)(ByteFile& file, const WriterOptions& options, const std::vector<std::string>& stream_names);
};

/// Opens the library on first use. kUnsupported when it is not installed.
const FfmpegBackend& ffmpeg_backend();

}  // namespace unbraid::io
