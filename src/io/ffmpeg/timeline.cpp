#include "io/ffmpeg/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "io/ffmpeg/mp4_boxes.hpp"

namespace unbraid::io {

namespace {

constexpr const char* kMp4 = "mov,mp4,m4a,3gp,3g2,mj2";
/// Whose packets' durations and trimming marks add up. (In Ogg the last packet is shortened twice, in
/// Matroska the clock counts milliseconds.)
constexpr std::array kTrusted{kMp4, "mp3", "aac", "flac", "wav", "aiff"};
constexpr std::uint64_t kMaxPacketFrames = 1 << 16;  // FLAC's longest; more is a damaged table
constexpr std::uint64_t kTolerance = 2 * 1152;       // some MP3 encoders count their header as a frame

/// A time of the stream in samples.
std::uint64_t to_frames(const AVStream& stream, std::int64_t time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, av_rescale_q(time, stream.time_base, {1, stream.codecpar->sample_rate})));
}

/// What a packet asks to drop, at its start and at its end.
struct Skips {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};
Skips skips_of(const AVPacket& packet) {
  std::size_t size = 0;
  const std::uint8_t* const data = av_packet_get_side_data(&packet, AV_PKT_DATA_SKIP_SAMPLES, &size);
  if (!data || size < 8) return {};
  const auto number = [&](int at) {
    return std::uint64_t{data[at]} | std::uint64_t{data[at + 1]} << 8 | std::uint64_t{data[at + 2]} << 16 |
           std::uint64_t{data[at + 3]} << 24;
  };
  return {number(0), number(4)};
}

/// Whether a packet of MP3 begins with a frame, perhaps behind zeros. FFmpeg makes packets of what else lies in the file, too:
/// tags, zeros, pages of HTML.
bool is_mp3_frame(const AVPacket& packet) {
  int at = 0;
  while (at < packet.size && packet.data[at] == 0) ++at;
  return at + 1 < packet.size && packet.data[at] == 0xFF && packet.data[at + 1] >= 0xE0;
}

/// iTunes' gapless tag: " 00000000 00000840 000001CA 00000000003F31F6 …", delay, padding, frames.
struct Gapless {
  std::uint64_t delay, frames;
};
std::optional<Gapless> gapless_tag(const AVFormatContext& format) {
  const AVDictionaryEntry* const entry = av_dict_get(format.metadata, "iTunSMPB", nullptr, 0);
  unsigned long long delay = 0;
  unsigned long long padding = 0;
  unsigned long long frames = 0;
  if (!entry || std::sscanf(entry->value, "%*x %llx %llx %llx", &delay, &padding, &frames) != 3) return std::nullopt;
  if (frames == 0) return std::nullopt;
  return Gapless{delay, frames};
}

}  // namespace

std::optional<std::uint64_t> packet_frames(const AVStream& stream, const AVPacket& packet) {
  const AVRational base = stream.time_base;
  const bool exact = base.num == 1 && base.den % stream.codecpar->sample_rate == 0;
  // HE-AAC in MP4 may count at half the rate that it is played at; every packet is then still whole.
  const bool half = base.num == 1 && 2 * std::int64_t{base.den} == stream.codecpar->sample_rate;
  if ((!exact && !half) || packet.duration <= 0) return std::nullopt;
  const std::uint64_t frames = to_frames(stream, packet.duration);
  if (frames > kMaxPacketFrames) return std::nullopt;
  return frames;
}

std::optional<Timeline> measure_timeline(Demuxer& demuxer, const ByteFile& file, const ReaderOptions& options) {
  if (std::ranges::none_of(kTrusted, [&](const char* name) { return demuxer.format_is(name); })) return std::nullopt;
  const AVStream& stream = demuxer.stream();
  const auto rate = static_cast<std::uint64_t>(stream.codecpar->sample_rate);
  const AvPacket packet(av_packet_alloc());
  Timeline timeline;
  std::uint64_t raw = 0;
  std::uint64_t before_last = 0;  ///< raw frames without the last packet
  std::uint64_t packets = 0;
  std::uint64_t music_end = 0;  ///< raw frames up to the last packet of music
  std::uint64_t padding = 0;
  std::int64_t first_time = 0;
  bool marked = true;
  const bool mp3 = demuxer.format_is("mp3");
  for (std::int64_t last_position = -1; demuxer.next(*packet); ++packets) {
    auto frames = packet_frames(stream, *packet);
    if (!frames) return std::nullopt;
    if (options.whole_packets && stream.codecpar->frame_size > 0) frames = static_cast<std::uint64_t>(stream.codecpar->frame_size);
    const Skips skips = skips_of(*packet);
    if (packets == 0) {
      timeline.delay = skips.start;
      first_time = packet->pts == AV_NOPTS_VALUE ? 0 : packet->pts;
    }
    padding += skips.end;
    marked = marked && packet->pos > last_position;
    last_position = packet->pos;
    if (packets % kPacketsPerMark == 0) timeline.marks.push_back({packet->pos, packet->pts, raw});
    before_last = raw;
    raw += *frames;
    if (mp3 && !is_mp3_frame(*packet)) continue;
    music_end = raw;
    timeline.packets = packets + 1;
  }
  raw = music_end;
  if (timeline.packets == 0) throw Error{ErrorCode::kFormat, "holds no audio", file.name()};

  const auto missing = [&](std::uint64_t promised, std::uint64_t there, const char* unit) {
    throw Error{ErrorCode::kFormat, fmt::format("the file is cut short: its header promises {} {}, {} are there", promised, unit, there),
                file.name()};
  };
  if (demuxer.format_is(kMp4)) {
    const auto promised = static_cast<std::uint64_t>(std::max<std::int64_t>(0, stream.nb_frames));
    // The table of PCM counts samples, each of which lasts a tick; packets hold many.
    const bool counts_samples = stream.nb_frames == stream.duration;
    if (counts_samples && raw < to_frames(stream, stream.duration)) missing(to_frames(stream, stream.duration), raw, "frames");
    if (!counts_samples && packets < promised) missing(promised, packets, "packets");
    if (first_time < 0) timeline.delay = to_frames(stream, -first_time);
    // The table of durations knows the last packet better than the demuxer does.
    const std::uint64_t tabled = to_frames(stream, stream.duration);
    if (!options.whole_packets && packets == promised && tabled > before_last && tabled - before_last <= kMaxPacketFrames) raw = tabled;
  } else if (mp3 && demuxer.format().duration_estimation_method == AVFMT_DURATION_FROM_STREAM) {
    const std::uint64_t promised = to_frames(stream, stream.duration);
    if (raw + kTolerance < promised) missing(promised, raw, "frames");
  }
  const std::uint64_t cut = timeline.delay + padding;
  timeline.frames = raw > cut ? raw - cut : 0;

  if (demuxer.format_is(kMp4)) {
    if (const auto gapless = gapless_tag(demuxer.format()); gapless && gapless->frames <= raw && gapless->delay <= raw - gapless->frames) {
      timeline.delay = gapless->delay;
      timeline.frames = gapless->frames;
    } else if (!options.whole_packets) {
      // The edit list may end before the last packet does. Where it only differs by its own rounding, the
      // packets are right.
      ByteFile boxes = file.duplicate();
      const std::uint64_t ticks = movie_timescale(boxes);
      const std::uint64_t rounding = ticks == 0 ? timeline.frames : ticks >= rate ? 0 : rate / ticks + 1;
      const Demuxer edited(file, options.stream, EditLists::kApplied);
      const std::uint64_t kept = to_frames(edited.stream(), edited.stream().duration);
      if (kept > 0 && kept + rounding < timeline.frames) timeline.frames = kept;
    }
  }
  if (!marked) timeline.marks.clear();
  return timeline;
}

}  // namespace unbraid::io
