#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "io/flac_metadata.hpp"
#include "io/quantise.hpp"
#include "io/riff_chunks.hpp"
#include "io/sndfile_backend.hpp"
#include "io/sndfile_handle.hpp"

namespace unbraid::io {

namespace {

constexpr std::size_t kScratchSamples = 1 << 14;

/// Opus needs a while after a jump until its filters have settled.
constexpr std::uint64_t kPrerollFrames = 16384;

/// Whether the last page of an Ogg file is whole and says that the stream ends with it (RFC 3533, section 6).
bool ends_as_it_should(ByteFile file) {
  constexpr std::size_t kHeader = 27, kLongestPage = kHeader + 255 + 255 * 255, kTagsBehind = 1 << 16;
  constexpr char kEndOfStream = 4;
  std::string tail(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), kLongestPage + kTagsBehind)), '\0');
  file.seek(file.size() - tail.size());
  tail.resize(file.read(tail.data(), tail.size()));
  const std::size_t page = tail.rfind("OggS");
  if (page == std::string::npos || tail.size() - page < kHeader) return false;
  const std::size_t segments = static_cast<unsigned char>(tail[page + kHeader - 1]);
  std::size_t end = page + kHeader + segments;
  for (std::size_t i = 0; i < segments && page + kHeader + i < tail.size(); ++i)
    end += static_cast<unsigned char>(tail[page + kHeader + i]);
  return (tail[page + 5] & kEndOfStream) != 0 && end <= tail.size();
}

Container container_of(const SF_INFO& info) {
  switch (info.format & SF_FORMAT_TYPEMASK) {
    case SF_FORMAT_WAV:
    case SF_FORMAT_WAVEX:
    case SF_FORMAT_RF64: return Container::kWav;
    case SF_FORMAT_AIFF: return Container::kAiff;
    case SF_FORMAT_FLAC: return Container::kFlac;
    case SF_FORMAT_OGG: return (info.format & SF_FORMAT_SUBMASK) == SF_FORMAT_OPUS ? Container::kOpus : Container::kOgg;
    default: return Container::kOther;
  }
}

SampleFormat format_of(const SF_INFO& info) {
  switch (info.format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_U8: return SampleFormat::kPcm8;
    case SF_FORMAT_ALAC_16:
    case SF_FORMAT_PCM_16: return SampleFormat::kPcm16;
    case SF_FORMAT_ALAC_20:
    case SF_FORMAT_ALAC_24:
    case SF_FORMAT_PCM_24: return SampleFormat::kPcm24;
    case SF_FORMAT_ALAC_32:
    case SF_FORMAT_PCM_32: return SampleFormat::kPcm32;
    case SF_FORMAT_FLOAT: return SampleFormat::kFloat32;
    case SF_FORMAT_DOUBLE: return SampleFormat::kFloat64;
    default: return SampleFormat::kLossy;
  }
}

/// libsndfile's own name of the codec, "Signed 16 bit PCM", since it has no shorter one.
std::string codec_of(const SF_INFO& info) {
  if ((info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_FLAC) return "flac";
  SF_FORMAT_INFO name{};
  name.format = info.format & SF_FORMAT_SUBMASK;
  return sf_command(nullptr, SFC_GET_FORMAT_INFO, &name, sizeof name) == 0 && name.name ? name.name : "unknown";
}

class SndfileReader final : public Reader {
 public:
  explicit SndfileReader(ByteFile file) : file_(std::move(file)) {
    char magic[4] = {};
    file_.read(magic, 4);
    file_.seek(0);
    if (std::memcmp(magic, "fLaC", 4) == 0) {
      info_.tags = read_flac_tags(file_);
    } else if (std::memcmp(magic, "OggS", 4) != 0) {
      check_chunk_length(file_);
    } else if (!ends_as_it_should(file_.duplicate())) {
      info_.warnings.emplace_back("may be cut short: its last page does not say that it is the last");
    }

    SF_INFO raw{};
    handle_ = open_sndfile(file_, SFM_READ, raw);
    file_.throw_if_failed();
    if (!handle_) {
      const int reason = sf_error(nullptr);
      const bool unknown = reason == SF_ERR_UNRECOGNISED_FORMAT || reason == SF_ERR_UNSUPPORTED_ENCODING;
      throw Error{unknown ? ErrorCode::kUnsupported : ErrorCode::kFormat, fmt::format("damaged audio file: {}", sf_strerror(nullptr)),
                  file_.name()};
    }
    if (raw.channels < 1 || raw.samplerate < 1)
      throw Error{ErrorCode::kFormat, fmt::format("damaged audio file: {} channels at {} Hz", raw.channels, raw.samplerate), file_.name()};
    info_.container = container_of(raw);
    info_.codec = codec_of(raw);
    info_.format = format_of(raw);
    info_.sample_rate = raw.samplerate;
    info_.channels = static_cast<std::size_t>(raw.channels);
    info_.exact_length = true;
    info_.frames = static_cast<std::uint64_t>(raw.frames);
    for (const auto& [text, key] : kSndfileTexts)
      if (const char* value = sf_get_string(handle_.get(), text)) info_.tags.fields.emplace(key, value);
    scratch_.resize(std::max(kScratchSamples, info_.channels));
    if (raw.frames < 0 || raw.frames == SF_COUNT_MAX) count_frames();
    else check_last_frame();
  }

  const AudioInfo& info() const override { return info_; }

  std::size_t read(MutableAudioView out) override {
    if (out.channels() != info_.channels)
      throw Error{ErrorCode::kInternal, fmt::format("a block of {} channels for {}", out.channels(), info_.channels), file_.name()};
    const std::size_t at_once = scratch_.size() / info_.channels;
    std::size_t done = 0;
    while (done < out.frames()) {
      const std::size_t wanted = std::min(at_once, out.frames() - done);
      const sf_count_t got = sf_readf_float(handle_.get(), scratch_.data(), static_cast<sf_count_t>(wanted));
      if (got > 0) {
        deinterleave(scratch_.data(), out.slice(done, static_cast<std::size_t>(got)));
        done += static_cast<std::size_t>(got);
      }
      if (got < static_cast<sf_count_t>(wanted)) break;
    }
    position_ += done;
    if (done < out.frames()) check_end();
    return done;
  }

  void seek(std::uint64_t frame) override {
    if (frame > info_.frames)
      throw Error{ErrorCode::kUsage, fmt::format("frame {} is beyond the end, {}", frame, info_.frames), file_.name()};
    const std::uint64_t start = safe_start(frame);
    bool there = start == position_ || sf_seek(handle_.get(), static_cast<sf_count_t>(start), SEEK_SET) == static_cast<sf_count_t>(start);
    for (std::uint64_t skip = frame - start; there && skip > 0;) {
      const std::uint64_t piece = std::min<std::uint64_t>(skip, scratch_.size() / info_.channels);
      const sf_count_t got = sf_readf_float(handle_.get(), scratch_.data(), static_cast<sf_count_t>(piece));
      there = got > 0;
      skip -= static_cast<std::uint64_t>(there ? got : 0);
    }
    position_ = frame;
    file_.throw_if_failed();
    if (there) return;
    throw Error{ErrorCode::kFormat, fmt::format("cannot go to frame {}: {}", frame, sf_strerror(handle_.get())), file_.name()};
  }

 private:
  /// Where to jump to, so that decoding from there on arrives at the frame with the right samples.
  /// libsndfile 1.2 comes out hundreds of frames beside the goal in Vorbis, unless it is the start.
  std::uint64_t safe_start(std::uint64_t frame) const {
    if (info_.container == Container::kOgg) return frame >= position_ ? position_ : 0;
    if (info_.container == Container::kOpus) return frame - std::min(frame, kPrerollFrames);
    return frame;
  }

  /// Called where the samples ended before the block was full.
  void check_end() {
    file_.throw_if_failed();
    if (position_ < info_.frames)
      throw Error{ErrorCode::kFormat, fmt::format("damaged audio file: {} frames promised, {} could be read", info_.frames, position_),
                  file_.name()};
  }

  /// A header that does not know the length, as FLAC encoders write to a pipe.
  void count_frames() {
    const sf_count_t at_once = static_cast<sf_count_t>(scratch_.size() / info_.channels);
    info_.frames = 0;
    while (const sf_count_t got = sf_readf_float(handle_.get(), scratch_.data(), at_once)) info_.frames += static_cast<std::uint64_t>(got);
    position_ = info_.frames;
    if (info_.frames > 0) seek(0);
  }

  /// Finds out now, not after minutes of work, whether a compressed file was cut short.
  void check_last_frame() {
    const bool lengths_are_counted = info_.container == Container::kOgg || info_.container == Container::kOpus;
    if (lengths_are_counted || info_.frames == 0) return;
    const sf_count_t last = static_cast<sf_count_t>(info_.frames) - 1;
    const bool there = sf_seek(handle_.get(), last, SEEK_SET) == last && sf_readf_float(handle_.get(), scratch_.data(), 1) == 1;
    file_.throw_if_failed();
    if (!there)
      throw Error{ErrorCode::kFormat, fmt::format("the file is cut short: its header promises {} frames", info_.frames), file_.name()};
    position_ = info_.frames;
    seek(0);
  }

  ByteFile file_;
  SndfileHandle handle_;
  AudioInfo info_;
  std::uint64_t position_ = 0;
  std::vector<float> scratch_;
};

}  // namespace

std::unique_ptr<Reader> open_with_sndfile(ByteFile file, const ReaderOptions& options) {
  if (options.stream != 0)
    throw Error{ErrorCode::kNotFound, fmt::format("no audio stream {}: the file has one", options.stream), file.name()};
  return std::make_unique<SndfileReader>(std::move(file));
}

}  // namespace unbraid::io
