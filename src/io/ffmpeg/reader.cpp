#include "io/ffmpeg/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "io/ffmpeg/decoder.hpp"
#include "io/ffmpeg/demuxer.hpp"
#include "io/ffmpeg/mp4_boxes.hpp"
#include "io/ffmpeg/timeline.hpp"

namespace unbraid::io {

namespace {

/// Frames decoded and thrown away after a jump, until the decoder's memory is as if it had come from the
/// start: the overlap of transforms, and MP3's bit reservoir, which reaches back 511 bytes: over 20 packets
/// at low rates.
constexpr std::uint64_t kPrerollFrames = 32 * 1152;

/// So large a share of damaged packets makes a file useless: one in so many.
constexpr std::uint64_t kMostDamaged = 10;
/// By so much a recording may be shorter than its container says without being cut.
constexpr double kShortS = 0.5;

constexpr const char* kMp4 = "mov,mp4,m4a,3gp,3g2,mj2";

SampleFormat format_of(const AVCodecContext& context) {
  const AVCodecDescriptor* const descriptor = avcodec_descriptor_get(context.codec_id);
  if (!descriptor || !(descriptor->props & AV_CODEC_PROP_LOSSLESS)) return SampleFormat::kLossy;
  switch (av_get_packed_sample_fmt(context.sample_fmt)) {
    case AV_SAMPLE_FMT_U8: return SampleFormat::kPcm8;
    case AV_SAMPLE_FMT_S16: return SampleFormat::kPcm16;
    case AV_SAMPLE_FMT_S32:
      return context.bits_per_raw_sample > 0 && context.bits_per_raw_sample <= 24 ? SampleFormat::kPcm24 : SampleFormat::kPcm32;
    case AV_SAMPLE_FMT_FLT: return SampleFormat::kFloat32;
    case AV_SAMPLE_FMT_DBL: return SampleFormat::kFloat64;
    default: return SampleFormat::kLossy;
  }
}

std::string mime_type(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_MJPEG: return "image/jpeg";
    case AV_CODEC_ID_PNG: return "image/png";
    case AV_CODEC_ID_BMP: return "image/bmp";
    case AV_CODEC_ID_GIF: return "image/gif";
    default: return "application/octet-stream";
  }
}

Tags read_tags(const Demuxer& demuxer) {
  Tags tags;
  add_tags(demuxer.format().metadata, tags.fields);
  if (demuxer.audio_streams().size() == 1) add_tags(demuxer.stream().metadata, tags.fields);
  for (unsigned i = 0; i < demuxer.format().nb_streams; ++i) {
    const AVStream& stream = *demuxer.format().streams[i];
    const AVPacket& picture = stream.attached_pic;
    if (stream.disposition & AV_DISPOSITION_ATTACHED_PIC && picture.size > 0)
      tags.pictures.push_back({mime_type(stream.codecpar->codec_id), {picture.data, picture.data + picture.size}});
  }
  return tags;
}

/// From the stem box where there is one, else from the tracks' own titles.
std::vector<std::string> read_stream_names(const Demuxer& demuxer, const ByteFile& file) {
  std::vector<std::string> names;
  bool any = false;
  for (const AVStream* stream : demuxer.audio_streams()) {
    const AVDictionaryEntry* const title = av_dict_get(stream->metadata, "title", nullptr, 0);
    names.emplace_back(title ? title->value : "");
    any = any || title;
  }
  if (names.size() > 1 && demuxer.format_is(kMp4)) {
    ByteFile boxes = file.duplicate();
    const std::vector<std::string> parts = read_stem_box(boxes);
    for (std::size_t i = 0; i < parts.size() && i + 1 < names.size(); ++i)
      if (!parts[i].empty()) names[i + 1] = parts[i];
    if (!parts.empty() && names[0].empty()) names[0] = "mixture";
    any = any || !parts.empty();
  }
  return any ? names : std::vector<std::string>{};
}

Container container_of(const Demuxer& demuxer, std::size_t streams) {
  if (demuxer.format_is("mp3")) return Container::kMp3;
  if (demuxer.format_is(kMp4)) return streams > 1 ? Container::kStemMp4 : Container::kM4a;
  if (demuxer.format_is("flac")) return Container::kFlac;
  if (demuxer.format_is("wav")) return Container::kWav;
  if (demuxer.format_is("aiff")) return Container::kAiff;
  if (demuxer.format_is("ogg")) return demuxer.stream().codecpar->codec_id == AV_CODEC_ID_OPUS ? Container::kOpus : Container::kOgg;
  return Container::kOther;
}

class FfmpegReader final : public Reader {
 public:
  FfmpegReader(ByteFile file, const ReaderOptions& options)
      : file_(std::move(file)), audio_stream_(options.stream), packet_(av_packet_alloc()) {
    demuxer_.emplace(file_, audio_stream_);
    const AVCodecParameters& codec = *demuxer_->stream().codecpar;
    if (codec.sample_rate < 1 || codec.ch_layout.nb_channels < 1)
      throw Error{ErrorCode::kFormat,
                  fmt::format("damaged audio file: {} channels at {} Hz", codec.ch_layout.nb_channels, codec.sample_rate), file_.name()};
    info_.streams = demuxer_->audio_streams().size();
    info_.container = container_of(*demuxer_, info_.streams);
    info_.codec = avcodec_get_name(codec.codec_id);
    info_.sample_rate = codec.sample_rate;
    info_.channels = static_cast<std::size_t>(codec.ch_layout.nb_channels);
    info_.tags = read_tags(*demuxer_);
    info_.stream_names = read_stream_names(*demuxer_, file_);
    info_.exact_length = true;

    timeline_ = measure_timeline(*demuxer_, file_, options);
    rewind();
    info_.format = format_of(decoder_->context());
    if (timeline_) {
      info_.frames = timeline_->frames;
    } else {
      std::uint64_t counted = 0;
      for (; decode(); counted += decoder_->frames()) {
      }
      info_.frames = counted;
      check_damage(packet_number_);
      rewind();
      warn_if_cut();
    }
  }

  const AudioInfo& info() const override { return info_; }

  std::size_t read(MutableAudioView out) override {
    if (out.channels() != info_.channels)
      throw Error{ErrorCode::kInternal, fmt::format("a block of {} channels for {}", out.channels(), info_.channels), file_.name()};
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(out.frames(), info_.frames - position_));
    for (std::size_t done = 0; done < wanted;) {
      const std::size_t got = take(out.slice(done, wanted - done));
      if (got == 0) {
        done += fill_end(out.slice(done, wanted - done));
        break;
      }
      done += got;
      position_ += got;
    }
    return wanted;
  }

  void seek(std::uint64_t frame) override {
    if (frame > info_.frames)
      throw Error{ErrorCode::kUsage, fmt::format("frame {} is beyond the end, {}", frame, info_.frames), file_.name()};
    const std::uint64_t raw = frame + delay();
    if (raw < kPrerollFrames || !jump(raw - kPrerollFrames)) rewind();
    position_ = frame;
  }

 private:
  std::uint64_t delay() const { return timeline_ ? timeline_->delay : 0; }

  /// To the first packet, with a fresh decoder.
  void rewind() {
    demuxer_.emplace(file_, audio_stream_);
    decoder_.emplace(demuxer_->stream(), timeline_ ? Decoder::Trimming::kAsStored : Decoder::Trimming::kTrimmed, file_.name(),
                     [this] { note_damage(); });
    packet_raw_ = packet_number_ = 0;
    restart();
  }

  void restart() {
    frame_begin_ = frame_end_ = packet_raw_;
    drained_ = false;
    pending_ = false;
    position_ = 0;
  }

  /// To the last marked packet that begins at or before a raw frame; false when that cannot be done safely.
  bool jump(std::uint64_t raw) {
    if (!timeline_ || timeline_->marks.empty()) return false;
    const auto& marks = timeline_->marks;
    const auto after =
        std::upper_bound(marks.begin(), marks.end(), raw, [](std::uint64_t value, const auto& mark) { return value < mark.raw_frame; });
    const Timeline::Mark& mark = *std::prev(after);  // the first mark is at 0
    const bool by_bytes = demuxer_->format_is("mp3") || demuxer_->format_is("aac");
    if (!by_bytes && !demuxer_->format_is(kMp4)) return false;
    if (!(by_bytes ? demuxer_->seek_byte(mark.position) : demuxer_->seek_time(mark.timestamp))) return false;
    // Where we came out is known only when the marked packet itself appears.
    do {
      if (!demuxer_->next(*packet_) || packet_->pos > mark.position) return false;
    } while (packet_->pos != mark.position);
    decoder_->flush();
    packet_raw_ = mark.raw_frame;
    packet_number_ = static_cast<std::uint64_t>(&mark - marks.data()) * kPacketsPerMark;
    restart();
    pending_ = true;
    return true;
  }

  /// Decodes the next frame, which then covers the raw frames [frame_begin_, frame_end_). False at the end.
  bool decode() {
    while (!decoder_->receive()) {
      if (drained_) return false;
      if (!pending_ && !demuxer_->next(*packet_)) {
        decoder_->send(nullptr);
        drained_ = true;
        continue;
      }
      pending_ = false;
      ++packet_number_;
      if (timeline_) {
        // Our own clock, which the frame inherits: then nothing shifts when a decoder swallows a packet.
        const std::uint64_t frames = packet_frames(demuxer_->stream(), *packet_).value_or(0);
        packet_->pts = packet_->dts = static_cast<std::int64_t>(packet_raw_);
        packet_raw_ += frames;
      }
      decoder_->send(packet_.get());
    }
    const auto stamp = timeline_ ? decoder_->timestamp() : std::nullopt;
    frame_begin_ = stamp.value_or(frame_end_);
    frame_end_ = frame_begin_ + decoder_->frames();
    return true;
  }

  /// Samples at position_, at least one unless the stream has ended.
  std::size_t take(MutableAudioView out) {
    const std::uint64_t raw = position_ + delay();
    while (raw >= frame_end_)
      if (!decode()) return 0;
    if (raw < frame_begin_) {  // the decoder left a hole
      const auto hole = static_cast<std::size_t>(std::min<std::uint64_t>(out.frames(), frame_begin_ - raw));
      silence(out.slice(0, hole));
      return hole;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.frames(), frame_end_ - raw));
    decoder_->copy_to(static_cast<std::size_t>(raw - frame_begin_), out.slice(0, count));
    return count;
  }

  /// A packet that cannot be decoded is a hole. Counted once, however often it is come by.
  void note_damage() {
    if (!damaged_.insert(packet_number_).second) return;
    if (timeline_) check_damage(timeline_->packets);
    if (damaged_.size() == 1) info_.warnings.emplace_back();
    info_.warnings.back() = fmt::format("{} damaged packet{} left out", damaged_.size(), damaged_.size() == 1 ? "" : "s");
  }

  void check_damage(std::uint64_t packets) const {
    if (damaged_.size() * kMostDamaged > packets)
      throw Error{ErrorCode::kFormat, fmt::format("damaged audio file: {} of its {} packets cannot be decoded", damaged_.size(), packets),
                  file_.name()};
  }

  /// Where no table of packets tells, the container's duration may; with pictures it is theirs as well.
  void warn_if_cut() {
    const AVFormatContext& format = demuxer_->format();
    const bool says = format.duration_estimation_method == AVFMT_DURATION_FROM_STREAM && format.duration > 0;
    if (!says || format.nb_streams > 1) return;
    const double promised_s = static_cast<double>(format.duration) / AV_TIME_BASE;
    if (info_.seconds() + kShortS < promised_s)
      info_.warnings.insert(info_.warnings.begin(),
                            fmt::format("cut short: says that it lasts {:.1f} s, {:.1f} s are there", promised_s, info_.seconds()));
  }

  static void silence(MutableAudioView out) {
    for (std::size_t c = 0; c < out.channels(); ++c) std::ranges::fill(out.channel(c), 0.0f);
  }

  /// The decoder ended first. Its own delay may cost it the last frames; more than that is missing data.
  std::size_t fill_end(MutableAudioView out) {
    constexpr std::size_t kMaxDecoderDelay = 2048;
    const std::uint64_t missing = info_.frames - position_;
    const std::size_t packet_frames = static_cast<std::size_t>(std::max(0, decoder_->context().frame_size));
    if (missing > kMaxDecoderDelay + damaged_.size() * packet_frames)
      throw Error{ErrorCode::kFormat, fmt::format("damaged audio file: {} frames promised, {} could be read", info_.frames, position_),
                  file_.name()};
    silence(out);
    position_ += out.frames();
    return out.frames();
  }

  ByteFile file_;
  std::size_t audio_stream_;
  AudioInfo info_;
  std::optional<Timeline> timeline_;  ///< empty: packets do not tell their lengths, so everything is counted
  std::optional<Demuxer> demuxer_;
  std::optional<Decoder> decoder_;
  AvPacket packet_;
  bool pending_ = false;             ///< packet_ has not been decoded yet
  bool drained_ = false;             ///< the decoder was told that there are no more packets
  std::uint64_t packet_raw_ = 0;     ///< the raw frame at which the next packet begins
  std::uint64_t packet_number_ = 0;  ///< of packets handed to the decoder, from the start of the file
  std::set<std::uint64_t> damaged_;  ///< their numbers
  std::uint64_t frame_begin_ = 0;    ///< the raw frames that the decoder holds
  std::uint64_t frame_end_ = 0;
  std::uint64_t position_ = 0;  ///< the next frame of music to return
};

}  // namespace

std::unique_ptr<Reader> open_with_ffmpeg(ByteFile file, const ReaderOptions& options) {
  return std::make_unique<FfmpegReader>(std::move(file), options);
}

}  // namespace unbraid::io
