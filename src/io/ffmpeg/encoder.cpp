#include "io/ffmpeg/encoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "io/ffmpeg/av.hpp"
#include "io/ffmpeg/mp4_boxes.hpp"
#include "io/quantise.hpp"

namespace unbraid::io {

namespace {

constexpr int kMp3KbpsPerChannel = 160;
constexpr int kAacKbpsPerChannel = 128;

const char* muxer_of(Container container) {
  switch (container) {
    case Container::kMp3: return "mp3";
    case Container::kM4a: return "ipod";
    default: return "mp4";
  }
}

AVCodecID image_codec(const std::string& mime_type) {
  if (mime_type == "image/png") return AV_CODEC_ID_PNG;
  if (mime_type == "image/jpeg" || mime_type == "image/jpg") return AV_CODEC_ID_MJPEG;
  if (mime_type == "image/bmp") return AV_CODEC_ID_BMP;
  return AV_CODEC_ID_NONE;
}

class FfmpegEncoder final : public Encoder {
 public:
  FfmpegEncoder(ByteFile& file, const WriterOptions& options, const std::vector<std::string>& stream_names)
      : file_(file), options_(options), stream_names_(stream_names), io_(av_io(file, AvDirection::kWrite)) {
    AVFormatContext* context = nullptr;
    check(avformat_alloc_output_context2(&context, nullptr, muxer_of(options.container), nullptr));
    format_.reset(context);
    format_->pb = io_.get();
    format_->flags |= AVFMT_FLAG_BITEXACT;  // the same samples make the same bytes
    for (const std::string& name : stream_names) add_stream(name);
    for (const Picture& picture : options.tags.pictures) add_picture(picture);
    for (const auto& [key, value] : options.tags.fields) av_dict_set(&format_->metadata, av_tag_name(key).c_str(), value.c_str(), 0);
    AVDictionary* muxer_options = nullptr;  // edit lists in samples, so that the length is exact
    av_dict_set_int(&muxer_options, "movie_timescale", static_cast<int>(options.sample_rate), 0);
    const int status = avformat_write_header(format_.get(), &muxer_options);
    av_dict_free(&muxer_options);
    check(status);
    write_pictures();
  }

  void encode(std::span<const AudioView> streams) override {
    for (std::size_t s = 0; s < streams.size(); ++s) {
      const AudioView block = streams[s];
      for (std::size_t done = 0; done < block.frames();) done += fill(streams_[s], block, done);
    }
  }

  void close() override {
    for (Stream& stream : streams_) {
      if (stream.filled > 0) send(stream);
      check(avcodec_send_frame(stream.codec.get(), nullptr));
      write_packets(stream);
    }
    check(av_write_trailer(format_.get()));
    avio_flush(io_.get());
    file_.throw_if_failed();
    if (options_.container == Container::kStemMp4) append_stem_box(file_, stream_names_);
  }

  std::uint64_t clipped_samples() const override { return clipped_; }

 private:
  struct Stream {
    AvCodec codec;
    AVStream* track = nullptr;
    AvFrame frame;
    int filled = 0;             ///< frames of `frame` that hold samples
    std::int64_t position = 0;  ///< frames sent to the encoder
    std::int64_t encoded = 0;   ///< frames in the packets that came back, delay and filling included
  };

  void check(int status) const {
    file_.throw_if_failed();
    if (status < 0) throw Error{ErrorCode::kIo, fmt::format("cannot encode: {}", describe(status)), file_.name()};
  }

  void add_stream(const std::string& name) {
    const bool mp3 = options_.container == Container::kMp3;
    const AVCodec* const codec = avcodec_find_encoder(mp3 ? AV_CODEC_ID_MP3 : AV_CODEC_ID_AAC);
    if (!codec)
      throw Error{ErrorCode::kUnsupported, fmt::format("this FFmpeg cannot write {}", to_string(options_.container)), file_.name()};
    const int channels = static_cast<int>(options_.channels);
    Stream stream;
    stream.codec.reset(avcodec_alloc_context3(codec));
    AVCodecContext& context = *stream.codec;
    context.sample_fmt = AV_SAMPLE_FMT_FLTP;
    context.sample_rate = static_cast<int>(options_.sample_rate);
    av_channel_layout_default(&context.ch_layout, channels);
    const int per_channel = mp3 ? kMp3KbpsPerChannel : kAacKbpsPerChannel;
    context.bit_rate = 1000LL * (options_.bitrate_kbps > 0 ? options_.bitrate_kbps : per_channel * channels);
    context.time_base = {1, context.sample_rate};
    context.flags |= AV_CODEC_FLAG_BITEXACT;
    if (format_->oformat->flags & AVFMT_GLOBALHEADER) context.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (const int status = avcodec_open2(&context, codec, nullptr); status < 0)
      throw Error{ErrorCode::kUnsupported,
                  fmt::format("{} cannot hold {} channels at {} Hz ({})", to_string(options_.container), channels, options_.sample_rate,
                              describe(status)),
                  file_.name()};

    stream.frame.reset(av_frame_alloc());
    stream.frame->format = AV_SAMPLE_FMT_FLTP;
    stream.frame->nb_samples = context.frame_size;
    stream.frame->sample_rate = context.sample_rate;
    check(av_channel_layout_copy(&stream.frame->ch_layout, &context.ch_layout));
    check(av_frame_get_buffer(stream.frame.get(), 0));

    stream.track = avformat_new_stream(format_.get(), nullptr);
    stream.track->time_base = context.time_base;
    // Players take the first track, the mixture, unless somebody chooses another.
    if (streams_.empty()) stream.track->disposition = AV_DISPOSITION_DEFAULT;
    check(avcodec_parameters_from_context(stream.track->codecpar, &context));
    if (!name.empty()) {
      av_dict_set(&stream.track->metadata, "title", name.c_str(), 0);
      av_dict_set(&stream.track->metadata, "handler_name", name.c_str(), 0);
    }
    streams_.push_back(std::move(stream));
  }

  void add_picture(const Picture& picture) {
    const AVCodecID codec = image_codec(picture.mime_type);
    if (codec == AV_CODEC_ID_NONE || picture.bytes.empty()) return;
    AVStream* const track = avformat_new_stream(format_.get(), nullptr);
    track->disposition = AV_DISPOSITION_ATTACHED_PIC;
    track->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    track->codecpar->codec_id = codec;
    track->codecpar->width = track->codecpar->height = 1;  // the muxer asks for a size, but does not store it
    pictures_.push_back({track, &picture});
  }

  void write_pictures() {
    const AvPacket packet(av_packet_alloc());
    for (const auto& [track, picture] : pictures_) {
      check(av_new_packet(packet.get(), static_cast<int>(picture->bytes.size())));
      std::memcpy(packet->data, picture->bytes.data(), picture->bytes.size());
      packet->stream_index = track->index;
      packet->pts = packet->dts = 0;
      packet->flags |= AV_PKT_FLAG_KEY;
      check(av_interleaved_write_frame(format_.get(), packet.get()));
    }
    pictures_.clear();
  }

  /// Takes samples from the block until the stream's frame is full; returns how many.
  std::size_t fill(Stream& stream, AudioView block, std::size_t first) {
    const int frame_size = stream.codec->frame_size;
    const std::size_t count = std::min<std::size_t>(block.frames() - first, static_cast<std::size_t>(frame_size - stream.filled));
    if (stream.filled == 0) check(av_frame_make_writable(stream.frame.get()));  // the encoder may still hold it
    for (std::size_t c = 0; c < block.channels(); ++c) {
      auto* const target = reinterpret_cast<float*>(stream.frame->extended_data[c]) + stream.filled;
      clipped_ += make_finite(block.channel(c).data() + first, count, 1, target);
    }
    stream.filled += static_cast<int>(count);
    if (stream.filled == frame_size) send(stream);
    return count;
  }

  void send(Stream& stream) {
    stream.frame->nb_samples = stream.filled;
    stream.frame->pts = stream.position;
    check(avcodec_send_frame(stream.codec.get(), stream.frame.get()));
    stream.position += stream.filled;
    stream.filled = 0;
    write_packets(stream);
  }

  void write_packets(Stream& stream) {
    const AvPacket packet(av_packet_alloc());
    for (;;) {
      const int status = avcodec_receive_packet(stream.codec.get(), packet.get());
      if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) return;
      check(status);
      if (options_.container == Container::kMp3) mark_ends(stream, *packet);
      packet->stream_index = stream.track->index;
      av_packet_rescale_ts(packet.get(), stream.codec->time_base, stream.track->time_base);
      check(av_interleaved_write_frame(format_.get(), packet.get()));
    }
  }

  /// The delay before the music and how far this packet reaches beyond the end, for the LAME tag. FFmpeg's
  /// own figures assume that this is less than a packet, but the encoder may put out a whole packet more than
  /// is needed.
  static void mark_ends(Stream& stream, AVPacket& packet) {
    const std::int64_t delay = stream.codec->initial_padding;
    stream.encoded += stream.codec->frame_size;
    const std::int64_t beyond = std::max<std::int64_t>(0, stream.encoded - delay - stream.position);
    constexpr std::size_t kBytes = 10;
    std::uint8_t* const skip = av_packet_new_side_data(&packet, AV_PKT_DATA_SKIP_SAMPLES, kBytes);
    if (!skip) throw std::bad_alloc();
    std::memset(skip, 0, kBytes);
    for (int i = 0; i < 4; ++i) {
      skip[i] = static_cast<std::uint8_t>(delay >> 8 * i);
      skip[4 + i] = static_cast<std::uint8_t>(beyond >> 8 * i);
    }
  }

  ByteFile& file_;
  WriterOptions options_;
  std::vector<std::string> stream_names_;
  AvIo io_;
  AvOutput format_;
  std::vector<Stream> streams_;
  std::vector<std::pair<AVStream*, const Picture*>> pictures_;
  std::uint64_t clipped_ = 0;
};

}  // namespace

std::unique_ptr<Encoder> encode_with_ffmpeg(ByteFile& file, const WriterOptions& options, const std::vector<std::string>& stream_names) {
  return std::make_unique<FfmpegEncoder>(file, options, stream_names);
}

}  // namespace unbraid::io
