#include "unbraid/io/writer.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "io/encoder.hpp"
#include "io/ffmpeg_backend.hpp"
#include "io/output_file.hpp"
#include "io/sndfile_backend.hpp"
#include "unbraid/io/stem_writer.hpp"

namespace unbraid::io {

namespace {

bool is_for_ffmpeg(Container container) {
  return container == Container::kMp3 || container == Container::kM4a || container == Container::kStemMp4;
}

/// Both kinds of writer: a file of any number of streams, on its way to its name.
class FileWriter final : public Writer, public StemWriter {
 public:
  FileWriter(const std::filesystem::path& path, const std::vector<std::string>& stream_names, const WriterOptions& options)
      : container_(options.container), streams_(stream_names.size()), channels_(options.channels), output_(path, options.overwrite) {
    encoder_ = is_for_ffmpeg(options.container) ? ffmpeg_backend().create_encoder(output_.bytes(), options, stream_names)
                                                : encode_with_sndfile(output_.bytes(), options);
  }

  void write(AudioView block) override { write({&block, 1}); }

  void write(std::span<const AudioView> blocks) override {
    if (!encoder_) throw Error{ErrorCode::kInternal, "written to after finish()", name()};
    if (blocks.size() != streams_)
      throw Error{ErrorCode::kInternal, fmt::format("{} blocks for {} streams", blocks.size(), streams_), name()};
    for (const AudioView& block : blocks)
      if (block.channels() != channels_ || block.frames() != blocks.front().frames())
        throw Error{ErrorCode::kInternal,
                    fmt::format("a block of {} channels and {} frames, where {} and {} are expected", block.channels(), block.frames(),
                                channels_, blocks.front().frames()),
                    name()};
    if (blocks.front().empty()) return;
    encoder_->encode(blocks);
    summary_.frames += blocks.front().frames();
  }

  WriteSummary finish() override {
    if (!encoder_) throw Error{ErrorCode::kInternal, "finished twice", name()};
    if (summary_.frames == 0 && is_lossy(container_))
      throw Error{ErrorCode::kUnsupported, fmt::format("{} cannot hold 0 frames", to_string(container_)), name()};
    encoder_->close();
    summary_.clipped_samples = encoder_->clipped_samples();
    encoder_.reset();
    output_.commit();
    return summary_;
  }

 private:
  const std::string& name() { return output_.bytes().name(); }

  Container container_;
  std::size_t streams_;
  std::size_t channels_;
  OutputFile output_;
  std::unique_ptr<Encoder> encoder_;  ///< null once finished
  WriteSummary summary_;
};

}  // namespace

void WriterOptions::validate() const {
  constexpr int kMaxRate = std::numeric_limits<int>::max();
  if (!(sample_rate >= 1 && sample_rate <= kMaxRate) || sample_rate != std::floor(sample_rate))
    throw Error{ErrorCode::kUsage, fmt::format("{} is not a whole number of hertz", sample_rate), "sample_rate"};
  if (channels < 1 || channels > 1024) throw Error{ErrorCode::kUsage, fmt::format("{} is not between 1 and 1024", channels), "channels"};
  if (bitrate_kbps < 0) throw Error{ErrorCode::kUsage, fmt::format("{} is below 0", bitrate_kbps), "bitrate_kbps"};
  if (container == Container::kOther) throw Error{ErrorCode::kUsage, "not a container that can be written", "container"};
}

std::unique_ptr<Writer> create_writer(const std::filesystem::path& path, const WriterOptions& options) {
  options.validate();
  if (options.container == Container::kStemMp4)
    throw Error{ErrorCode::kUsage, "a stem file holds several streams; use create_stem_writer()", path.string()};
  return std::make_unique<FileWriter>(path, std::vector<std::string>{""}, options);
}

std::unique_ptr<StemWriter> create_stem_writer(const std::filesystem::path& path, const std::vector<std::string>& stream_names,
                                               const WriterOptions& options) {
  options.validate();
  if (options.container != Container::kStemMp4) throw Error{ErrorCode::kUsage, "only a .stem.mp4 holds several streams", path.string()};
  if (stream_names.empty()) throw Error{ErrorCode::kUsage, "a stem file without streams", path.string()};
  return std::make_unique<FileWriter>(path, stream_names, options);
}

}  // namespace unbraid::io
