#include "io/ffmpeg_backend.hpp"

#include "unbraid/core/plugin.hpp"

namespace unbraid::io {

const FfmpegBackend& ffmpeg_backend() {
  static const FfmpegBackend* const backend = plugin_function<const FfmpegBackend*()>("ffmpeg", "unbraid_ffmpeg")();
  return *backend;
}

}  // namespace unbraid::io
