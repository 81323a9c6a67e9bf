#include "io/ffmpeg/decoder.hpp"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace unbraid::io {

namespace {

/// Integers are divided by 2^(bits−1), exactly; unsigned bytes have their zero at 128.
template <class Sample>
float to_float(Sample x) {
  if constexpr (std::is_same_v<Sample, std::uint8_t>) return (static_cast<float>(x) - 128.0f) / 128.0f;
  else if constexpr (std::is_same_v<Sample, std::int16_t>) return static_cast<float>(x) / 32768.0f;
  else if constexpr (std::is_same_v<Sample, std::int32_t>) return static_cast<float>(x) / 2147483648.0f;
  else if constexpr (std::is_same_v<Sample, std::int64_t>) return static_cast<float>(x) / 9223372036854775808.0f;
  else return static_cast<float>(x);
}

template <class Sample>
void convert(const AVFrame& frame, std::size_t first, MutableAudioView target) {
  const std::size_t channels = target.channels();
  const bool planar = av_sample_fmt_is_planar(static_cast<AVSampleFormat>(frame.format));
  for (std::size_t c = 0; c < channels; ++c) {
    const auto samples = target.channel(c);
    const auto* const source = reinterpret_cast<const Sample*>(frame.extended_data[planar ? c : 0]);
    const std::size_t step = planar ? 1 : channels;
    const Sample* at = source + (planar ? first : first * channels + c);
    for (float& sample : samples) {
      sample = to_float(*at);
      at += step;
    }
  }
}

}  // namespace

Decoder::Decoder(const AVStream& stream, Trimming trimming, std::string name, OnDamage on_damage)
    : name_(std::move(name)),
      on_damage_(std::move(on_damage)),
      frame_(av_frame_alloc()),
      sample_rate_(stream.codecpar->sample_rate),
      channels_(stream.codecpar->ch_layout.nb_channels) {
  const AVCodec* const codec = avcodec_find_decoder(stream.codecpar->codec_id);
  if (!codec) throw Error{ErrorCode::kUnsupported, fmt::format("no decoder for {}", avcodec_get_name(stream.codecpar->codec_id)), name_};
  context_.reset(avcodec_alloc_context3(codec));
  avcodec_parameters_to_context(context_.get(), stream.codecpar);
  context_->thread_count = 1;
  if (trimming == Trimming::kAsStored) {
    context_->flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL;
    context_->pkt_timebase = {1, sample_rate_};
  } else {
    context_->pkt_timebase = stream.time_base;
  }
  if (const int status = avcodec_open2(context_.get(), codec, nullptr); status < 0)
    throw Error{ErrorCode::kUnsupported, fmt::format("cannot decode {}: {}", codec->name, describe(status)), name_};
}

void Decoder::send(const AVPacket* packet) {
  const int status = avcodec_send_packet(context_.get(), packet);
  if (status < 0 && status != AVERROR_EOF) fail(status);
}

bool Decoder::receive() {
  const int status = avcodec_receive_frame(context_.get(), frame_.get());
  if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) return false;
  if (status < 0) return fail(status), false;
  if (frame_->ch_layout.nb_channels != channels_ || frame_->sample_rate != sample_rate_)
    throw Error{ErrorCode::kFormat,
                fmt::format("changes from {} channels at {} Hz to {} at {} Hz in the middle", channels_, sample_rate_,
                            frame_->ch_layout.nb_channels, frame_->sample_rate),
                name_};
  return true;
}

void Decoder::fail(int status) const {
  const AVCodecDescriptor* const descriptor = avcodec_descriptor_get(context_->codec_id);
  const bool lossy = descriptor && !(descriptor->props & AV_CODEC_PROP_LOSSLESS);
  if (status != AVERROR_INVALIDDATA || !lossy)
    throw Error{ErrorCode::kFormat, fmt::format("damaged audio file: {}", describe(status)), name_};
  on_damage_();
}

std::optional<std::uint64_t> Decoder::timestamp() const {
  if (frame_->pts == AV_NOPTS_VALUE || frame_->pts < 0) return std::nullopt;
  return static_cast<std::uint64_t>(frame_->pts);
}

void Decoder::copy_to(std::size_t first, MutableAudioView target) const {
  switch (av_get_packed_sample_fmt(static_cast<AVSampleFormat>(frame_->format))) {
    case AV_SAMPLE_FMT_U8: return convert<std::uint8_t>(*frame_, first, target);
    case AV_SAMPLE_FMT_S16: return convert<std::int16_t>(*frame_, first, target);
    case AV_SAMPLE_FMT_S32: return convert<std::int32_t>(*frame_, first, target);
    case AV_SAMPLE_FMT_S64: return convert<std::int64_t>(*frame_, first, target);
    case AV_SAMPLE_FMT_FLT: return convert<float>(*frame_, first, target);
    case AV_SAMPLE_FMT_DBL: return convert<double>(*frame_, first, target);
    default: throw Error{ErrorCode::kUnsupported, "unknown sample format", name_};
  }
}

}  // namespace unbraid::io
