#pragma once
// Streaming encoders with all-or-nothing files.
//
//   auto writer = io::create_writer("out/vocals.flac", {.container = io::Container::kFlac,
//                                   .format = io::SampleFormat::kPcm24, .sample_rate = 44100, .channels = 2});
//   writer->write(block);
//   io::WriteSummary summary = writer->finish();     // only now does out/vocals.flac exist
//
// Samples go to a temporary name (core/atomic_file.hpp), which finish() renames; a writer destroyed before finish()
// removes it. Going to integers, values are scaled by 2^(bits−1), rounded to nearest and clipped; clipped samples
// are counted, never rescaled. Dither (TPDF, ±1 LSB, seeded) is applied only when asked for. WAV files that pass
// 4 GiB become RF64. Errors: kIo (permissions, full disk), kUnsupported (a format that the container cannot hold).

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/io/audio_format.hpp"

namespace unbraid::io {

struct WriterOptions {
  Container container = Container::kWav;
  SampleFormat format = SampleFormat::kFloat32;  ///< ignored by lossy containers
  double sample_rate = 44100;                    ///< Hz
  std::size_t channels = 2;
  bool dither = false;
  std::uint64_t dither_seed = 0;
  int bitrate_kbps = 0;  ///< lossy containers; 0: a transparent default
  Tags tags = {};
  bool overwrite = false;  ///< else kIo when the target exists
};

struct WriteSummary {
  std::uint64_t frames = 0;
  std::uint64_t clipped_samples = 0;  ///< over all channels
};

class Writer {
 public:
  virtual ~Writer() = default;
  virtual void write(AudioView block) = 0;
  /// Flushes, syncs and renames. Call once, last.
  virtual WriteSummary finish() = 0;
};

/// path "-" writes to standard output (WAV, FLAC or Ogg; no temporary file).
std::unique_ptr<Writer> create_writer(const std::filesystem::path& path, const WriterOptions& options);

/// The container that a name's extension stands for; kUsage when there is none that can be written.
Container container_for(const std::filesystem::path& path);
/// ".wav", ".flac", …
std::string extension(Container container);

}  // namespace unbraid::io
