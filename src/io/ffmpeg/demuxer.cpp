#include "io/ffmpeg/demuxer.hpp"

#include <fmt/format.h>

#include <cstring>
#include <new>

namespace unbraid::io {

namespace {

/// Playlists and the like name further files. We read the one that we were given.
int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) { return AVERROR(EACCES); }

}  // namespace

Demuxer::Demuxer(const ByteFile& file, std::size_t audio_stream, EditLists edit_lists)
    : file_(file.duplicate()), io_(av_io(file_, AvDirection::kRead)) {
  AVFormatContext* context = avformat_alloc_context();
  if (!context) throw std::bad_alloc();
  context->pb = io_.get();
  context->io_open = refuse_to_open;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "none", 0);
  av_dict_set_int(&options, "advanced_editlist", edit_lists == EditLists::kApplied, 0);
  const int opened = avformat_open_input(&context, "", nullptr, &options);  // frees the context when it fails
  av_dict_free(&options);
  file_.throw_if_failed();
  if (opened < 0)
    throw Error{ErrorCode::kFormat, fmt::format("not an audio file that can be decoded ({})", describe(opened)), file_.name()};
  format_.reset(context);
  const int found = avformat_find_stream_info(context, nullptr);
  file_.throw_if_failed();
  const auto streams = audio_streams();
  if (found < 0 || streams.empty()) throw Error{ErrorCode::kFormat, "holds no audio", file_.name()};
  if (audio_stream >= streams.size())
    throw Error{ErrorCode::kNotFound, fmt::format("no audio stream {}: the file has {}", audio_stream, streams.size()), file_.name()};
  stream_ = streams[audio_stream];
  for (unsigned i = 0; i < context->nb_streams; ++i)
    if (context->streams[i] != stream_) context->streams[i]->discard = AVDISCARD_ALL;
}

std::vector<const AVStream*> Demuxer::audio_streams() const {
  std::vector<const AVStream*> found;
  for (unsigned i = 0; i < format_->nb_streams; ++i)
    if (format_->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO) found.push_back(format_->streams[i]);
  return found;
}

bool Demuxer::format_is(const char* name) const { return std::strcmp(format_->iformat->name, name) == 0; }

bool Demuxer::next(AVPacket& packet) {
  for (;;) {
    av_packet_unref(&packet);
    const int status = av_read_frame(format_.get(), &packet);
    file_.throw_if_failed();
    if (status == AVERROR_EOF) return false;
    if (status < 0) throw Error{ErrorCode::kFormat, fmt::format("damaged audio file: {}", describe(status)), file_.name()};
    if (packet.stream_index == stream_->index) return true;
  }
}

bool Demuxer::seek_byte(std::int64_t position) { return av_seek_frame(format_.get(), stream_->index, position, AVSEEK_FLAG_BYTE) >= 0; }

bool Demuxer::seek_time(std::int64_t timestamp) {
  return av_seek_frame(format_.get(), stream_->index, timestamp, AVSEEK_FLAG_BACKWARD) >= 0;
}

}  // namespace unbraid::io
