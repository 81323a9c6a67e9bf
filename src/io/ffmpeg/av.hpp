#pragma once
// FFmpeg's objects with owners, FFmpeg's errors as ours, and its input and output on a ByteFile.

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
}

#include <map>
#include <memory>
#include <string>

#include "io/byte_file.hpp"

namespace unbraid::io {

struct AvDeleter {
  void operator()(AVPacket* packet) const noexcept { av_packet_free(&packet); }
  void operator()(AVFrame* frame) const noexcept { av_frame_free(&frame); }
  void operator()(AVCodecContext* context) const noexcept { avcodec_free_context(&context); }
  void operator()(AVIOContext* context) const noexcept {
    av_freep(&context->buffer);
    avio_context_free(&context);
  }
};
using AvPacket = std::unique_ptr<AVPacket, AvDeleter>;
using AvFrame = std::unique_ptr<AVFrame, AvDeleter>;
using AvCodec = std::unique_ptr<AVCodecContext, AvDeleter>;
using AvIo = std::unique_ptr<AVIOContext, AvDeleter>;

struct AvInputDeleter {
  void operator()(AVFormatContext* context) const noexcept { avformat_close_input(&context); }
};
struct AvOutputDeleter {
  void operator()(AVFormatContext* context) const noexcept { avformat_free_context(context); }
};
using AvInput = std::unique_ptr<AVFormatContext, AvInputDeleter>;
using AvOutput = std::unique_ptr<AVFormatContext, AvOutputDeleter>;

/// What FFmpeg calls this error.
std::string describe(int averror);

/// FFmpeg's buffered input or output on the file, which must stay where it is while the result lives.
enum class AvDirection { kRead, kWrite };
AvIo av_io(ByteFile& file, AvDirection direction);

/// The texts of a file under our names for them, without those that describe the file rather than the music.
void add_tags(const AVDictionary* metadata, std::map<std::string, std::string>& fields);
/// Our name of a text as FFmpeg calls it.
std::string av_tag_name(const std::string& key);

}  // namespace unbraid::io
