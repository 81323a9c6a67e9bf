#include "unbraid/io/writer.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "io/encoder.hpp"
#include "io/ffmpeg_backend.hpp"
#include "io/output_file.hpp"
#include "io/sndfile_backend.hpp"

namespace unbraid::io {

namespace {

class FileWriter final : public Writer {
 public:
  FileWriter(const std::filesystem::path& path, const WriterOptions& options)
      : channels_(options.channels), output_(path, options.overwrite) {
    const bool by_ffmpeg = options.container == Container::kMp3 || options.container == Container::kM4a;
    encoder_ = by_ffmpeg ? ffmpeg_backend().create_encoder(output_.bytes(), options, {""})
                         : encode_with_sndfile(output_.bytes(), options);
  }

  void write(AudioView block) override {
    if (block.channels() != channels_)
      throw Error{ErrorCode::kInternal,
                  fmt::format("a block of {} channels for {}", block.channels(), channels_),
                  output_.bytes().name()};
    if (block.empty()) return;
    encoder_->encode({&block, 1});
    summary_.frames += block.frames();
  }

  WriteSummary finish() override {
    encoder_->close();
    summary_.clipped_samples = encoder_->clipped_samples();
    encoder_.reset();
    output_.commit();
    return summary_;
  }

 private:
  std::size_t channels_;
  OutputFile output_;
  std::unique_ptr<Encoder> encoder_;
  WriteSummary summary_;
};

}  // namespace

void WriterOptions::validate() const {
  constexpr int kMaxRate = std::numeric_limits<int>::max();
  if (!(sample_rate >= 1 && sample_rate <= kMaxRate) || sample_rate != std::floor(sample_rate))
    throw Error{ErrorCode::kUsage, fmt::format("{} is not a whole number of hertz", sample_rate),
                "sample_rate"};
  if (channels < 1 || channels > 1024)
    throw Error{ErrorCode::kUsage, fmt::format("{} is not between 1 and 1024", channels), "channels"};
  if (bitrate_kbps < 0)
    throw Error{ErrorCode::kUsage, fmt::format("{} is below 0", bitrate_kbps), "bitrate_kbps"};
  if (container == Container::kOther)
    throw Error{ErrorCode::kUsage, "not a container that can be written", "container"};
}

std::unique_ptr<Writer> create_writer(const std::filesystem::path& path, const WriterOptions& options) {
  options.validate();
  if (options.container == Container::kStemMp4)
    throw Error{ErrorCode::kUsage, "a stem file holds several streams; use create_stem_writer()",
                path.string()};
  return std::make_unique<FileWriter>(path, options);
}

}  // namespace unbraid::io
