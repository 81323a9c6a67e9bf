#pragma once
// Where the packets of a stream stand in time, to the sample.
//
// Encoders put silence before the music (MP3 and AAC look ahead) and fill the last packet up. Containers say
// by how much: the LAME tag of MP3, edit lists and iTunes' gapless tag of MP4. All packets are looked at
// once, without decoding, and from then on everything counts in raw frames: frame 0 is the first that the
// decoder returns.

#include <cstdint>
#include <optional>
#include <vector>

#include "io/ffmpeg/demuxer.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::io {

constexpr std::uint64_t kPacketsPerMark = 8;

struct Timeline {
  struct Mark {
    std::int64_t position;   ///< of the packet in the file, bytes
    std::int64_t timestamp;  ///< in the stream's time base
    std::uint64_t raw_frame;
  };

  std::uint64_t delay = 0;    ///< raw frames before the music
  std::uint64_t frames = 0;   ///< of music
  std::uint64_t packets = 0;  ///< of music
  /// Every kPacketsPerMark packets, by position; empty where packets cannot be told apart by it.
  std::vector<Mark> marks;
};

/// Frames of sound in a packet; empty where the container's clock is too coarse to tell.
std::optional<std::uint64_t> packet_frames(const AVStream& stream, const AVPacket& packet);

/// Reads the demuxer to its end. Empty where the packets do not tell their lengths: then somebody has to
/// decode and count. kFormat when packets that the header promises are missing.
std::optional<Timeline> measure_timeline(Demuxer& demuxer, const ByteFile& file, const ReaderOptions& options);

}  // namespace unbraid::io
