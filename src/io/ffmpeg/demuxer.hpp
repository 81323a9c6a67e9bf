#pragma once
// The packets of one audio stream of a file.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/ffmpeg/av.hpp"

namespace unbraid::io {

/// How MP4 edit lists, which cut a track, are treated: kRaw shows every packet, kApplied what is left.
enum class EditLists { kRaw, kApplied };

class Demuxer {
 public:
  /// `audio_stream` counts audio streams only. kFormat when there is none, kNotFound when there are fewer.
  Demuxer(const ByteFile& file, std::size_t audio_stream, EditLists edit_lists = EditLists::kRaw);

  Demuxer(const Demuxer&) = delete;  // FFmpeg holds the address of file_
  Demuxer& operator=(const Demuxer&) = delete;

  const AVFormatContext& format() const noexcept { return *format_; }
  const AVStream& stream() const noexcept { return *stream_; }
  /// All audio streams, in the file's order.
  std::vector<const AVStream*> audio_streams() const;
  bool format_is(const char* name) const;

  /// The next packet of the stream; false at the end. kFormat, kIo.
  bool next(AVPacket& packet);

  /// Goes near a packet; the caller finds out where by the packets' positions. False when it cannot.
  bool seek_byte(std::int64_t position);
  bool seek_time(std::int64_t timestamp);

 private:
  ByteFile file_;
  AvIo io_;
  AvInput format_;
  const AVStream* stream_ = nullptr;
};

}  // namespace unbraid::io
