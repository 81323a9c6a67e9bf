// The door of libunbraid_ffmpeg.

#include "unbraid/core/plugin.hpp"

#include "io/ffmpeg/av.hpp"
#include "io/ffmpeg/encoder.hpp"
#include "io/ffmpeg/reader.hpp"
#include "io/ffmpeg_backend.hpp"

UNBRAID_PLUGIN()

extern "C" const unbraid::io::FfmpegBackend* unbraid_ffmpeg() {
  static const unbraid::io::FfmpegBackend backend{unbraid::io::open_with_ffmpeg, unbraid::io::encode_with_ffmpeg};
  av_log_set_level(AV_LOG_QUIET);  // a library does not print; what matters comes back as an Error
  return &backend;
}
