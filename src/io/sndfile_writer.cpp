#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "io/flac_metadata.hpp"
#include "io/quantise.hpp"
#include "io/riff_chunks.hpp"
#include "io/sndfile_backend.hpp"
#include "io/sndfile_handle.hpp"

namespace unbraid::io {

namespace {

constexpr std::size_t kScratchSamples = 1 << 14;
constexpr std::uint64_t kAiffMaxBytes = 0xFFFFFFFFu - 65536;  // sizes have 32 bits; leave room for the header

int subformat_of(const WriterOptions& options) {
  switch (options.container) {
    case Container::kOgg: return SF_FORMAT_VORBIS;
    case Container::kOpus: return SF_FORMAT_OPUS;
    default: break;
  }
  switch (options.format) {
    case SampleFormat::kPcm8: return options.container == Container::kWav ? SF_FORMAT_PCM_U8 : SF_FORMAT_PCM_S8;
    case SampleFormat::kPcm16: return SF_FORMAT_PCM_16;
    case SampleFormat::kPcm24: return SF_FORMAT_PCM_24;
    case SampleFormat::kPcm32: return SF_FORMAT_PCM_32;
    case SampleFormat::kFloat32: return SF_FORMAT_FLOAT;
    case SampleFormat::kFloat64: return SF_FORMAT_DOUBLE;
    case SampleFormat::kLossy: return 0;
  }
  return 0;
}

int type_of(Container container) {
  switch (container) {
    case Container::kWav: return SF_FORMAT_RF64;  // becomes a plain WAV at the end where 32 bits suffice
    case Container::kAiff: return SF_FORMAT_AIFF;
    case Container::kFlac: return SF_FORMAT_FLAC;
    default: return SF_FORMAT_OGG;
  }
}

/// libvorbis is steered by a quality from 0 to 1; these are its nominal rates for 44.1 kHz stereo.
double vorbis_quality(int kbps_per_channel) {
  constexpr double kKbps[] = {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 250};
  const double wanted = std::clamp<double>(kbps_per_channel, kKbps[0], kKbps[10]);
  int step = 0;
  while (step < 9 && wanted > kKbps[step + 1]) ++step;
  return (step + (wanted - kKbps[step]) / (kKbps[step + 1] - kKbps[step])) / 10.0;
}

/// libsndfile maps a level from 1 to 0 linearly to 6 … 256 kbit/s per channel.
double opus_level(double kbps_per_channel) { return 1.0 - (std::clamp(kbps_per_channel, 6.0, 256.0) - 6.0) / 250.0; }

class SndfileEncoder final : public Encoder {
 public:
  SndfileEncoder(ByteFile& file, const WriterOptions& options)
      : file_(file),
        container_(options.container),
        channels_(options.channels),
        sample_rate_(static_cast<unsigned>(options.sample_rate)),
        bits_(bits(options.format)),
        tags_(options.tags) {
    SF_INFO raw{};
    raw.samplerate = static_cast<int>(options.sample_rate);
    raw.channels = static_cast<int>(options.channels);
    raw.format = type_of(options.container) | subformat_of(options);
    handle_ = subformat_of(options) ? open_sndfile(file_, SFM_WRITE, raw) : nullptr;
    file_.throw_if_failed();
    if (!handle_)
      throw Error{ErrorCode::kUnsupported,
                  fmt::format("{} cannot hold {} channels at {} Hz with {}", to_string(options.container), options.channels,
                              options.sample_rate, to_string(options.format)),
                  file_.name()};
    lossy_ = is_lossy(container_);
    if (is_integer(options.format) && !lossy_)
      quantiser_.emplace(bits(options.format), channels_, DitherOptions{options.dither, options.dither_seed});

    sf_command(handle_.get(), SFC_RF64_AUTO_DOWNGRADE, nullptr, SF_TRUE);
    sf_command(handle_.get(), SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);  // it holds the time of day
    set_bitrate(options.bitrate_kbps);
    if (container_ != Container::kFlac)
      for (const auto& [text, key] : kSndfileTexts)
        if (const auto found = tags_.fields.find(std::string(key)); found != tags_.fields.end())
          sf_set_string(handle_.get(), text, found->second.c_str());
    scratch_.resize(std::max(kScratchSamples, channels_));
    if (quantiser_) integers_.resize(scratch_.size());
  }

  void encode(std::span<const AudioView> streams) override {
    const AudioView block = streams.front();
    const std::size_t at_once = scratch_.size() / channels_;
    for (std::size_t first = 0; first < block.frames(); first += at_once)
      encode_piece(block.slice(first, std::min(at_once, block.frames() - first)));
  }

  void close() override {
    sf_write_sync(handle_.get());
    handle_.reset();
    file_.throw_if_failed();
    if (container_ == Container::kWav) clear_peak_time(file_);
    if (container_ == Container::kFlac && bytes_ == 0)
      write_empty_flac(file_, sample_rate_, static_cast<unsigned>(channels_), static_cast<unsigned>(bits_));
    if (container_ == Container::kFlac && !(tags_.fields.empty() && tags_.pictures.empty())) write_flac_tags(file_, tags_);
  }

  std::uint64_t clipped_samples() const override { return clipped_ + (quantiser_ ? quantiser_->clipped_samples() : 0); }

 private:
  void set_bitrate(int kbps) {
    const int per_channel = kbps > 0 ? std::max(1, kbps / static_cast<int>(channels_)) : 128;
    double quality = vorbis_quality(per_channel);
    double level = opus_level(per_channel);
    if (container_ == Container::kOgg) sf_command(handle_.get(), SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof quality);
    if (container_ == Container::kOpus) sf_command(handle_.get(), SFC_SET_COMPRESSION_LEVEL, &level, sizeof level);
  }

  void encode_piece(AudioView piece) {
    const auto frames = static_cast<sf_count_t>(piece.frames());
    bytes_ += piece.frames() * channels_ * static_cast<std::size_t>(bits_) / 8;
    if (container_ == Container::kAiff && bytes_ > kAiffMaxBytes)
      throw Error{ErrorCode::kUnsupported, "an AIFF file cannot pass 4 GiB; write WAV or FLAC", file_.name()};
    sf_count_t written = 0;
    if (quantiser_) {
      quantiser_->interleave(piece, integers_.data());
      written = sf_writef_int(handle_.get(), integers_.data(), frames);
    } else {
      interleave(piece, scratch_.data());
      const std::size_t samples = piece.frames() * channels_;
      if (lossy_) clipped_ += make_finite(scratch_.data(), samples, 1, scratch_.data());
      written = sf_writef_float(handle_.get(), scratch_.data(), frames);
    }
    file_.throw_if_failed();
    if (written != frames) throw Error{ErrorCode::kIo, fmt::format("cannot encode: {}", sf_strerror(handle_.get())), file_.name()};
  }

  ByteFile& file_;
  Container container_;
  std::size_t channels_;
  unsigned sample_rate_;  ///< Hz
  int bits_;              ///< of a stored sample
  Tags tags_;
  SndfileHandle handle_;
  std::optional<Quantiser> quantiser_;  ///< for integer formats
  bool lossy_ = false;
  std::uint64_t clipped_ = 0;
  std::uint64_t bytes_ = 0;
  std::vector<float> scratch_;
  std::vector<std::int32_t> integers_;
};

}  // namespace

std::unique_ptr<Encoder> encode_with_sndfile(ByteFile& file, const WriterOptions& options) {
  return std::make_unique<SndfileEncoder>(file, options);
}

}  // namespace unbraid::io
