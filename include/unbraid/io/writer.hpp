#pragma once
// Streaming encoders with all-or-nothing files.
//
//   auto writer = io::create_writer("out/vocals.flac", {.container = io::Container::kFlac,
//                                   .format = io::SampleFormat::kPcm24, .sample_rate = 44100, .channels =
//                                   2});
//   writer->write(block);
//   io::WriteSummary summary = writer->finish();     // only now does out/vocals.flac exist
//
// Samples go to a temporary name (core/atomic_file.hpp), which finish() renames; a writer destroyed before
// finish() removes it. Going to integers, values are scaled by 2^(bits−1), rounded to nearest and clipped;
// clipped samples are counted, never rescaled. Dither (TPDF, ±1 LSB, seeded) is applied only when asked for.
// WAV files that pass 4 GiB become RF64. NaN and infinities pass into float formats as they are; integer and
// lossy formats hold 0 for NaN and full scale for an infinity, and count them as clipped. Errors: kIo
// (permissions, full disk, target exists), kUnsupported (a combination that the container cannot hold),
// kUsage (values out of range).
//
// | container | sample formats | channels | sample rates | tags |
// |---|---|---|---|---|
// | wav | pcm8 … float64 | any | any | title artist album date track genre comment copyright |
// | aiff | pcm8 … float64, up to 4 GiB | any | any | title artist comment copyright |
// | flac | pcm8, pcm16, pcm24 | 1–8 | up to 655350 Hz | all, pictures |
// | ogg | Vorbis | 1–255 | up to 200 kHz | the texts of wav |
// | opus | Opus | 1–255 | 8, 12, 16, 24, 48 kHz | the texts of wav |
// | mp3 | MP3 | 1–2 | 8–12, 16–24, 32–48 kHz, the usual ones | all, pictures |
// | m4a | AAC-LC | 1–8 | the usual ones from 8 to 96 kHz | all, pictures |

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
  int bitrate_kbps = 0;  ///< lossy containers, all channels together; 0: a transparent default
  Tags tags = {};
  bool overwrite = false;  ///< else kIo when the target exists; only regular files are ever replaced

  /// kUsage for a sample rate that is not a positive whole number of hertz, no channels, a negative bit rate.
  void validate() const;
};

struct WriteSummary {
  std::uint64_t frames = 0;
  /// Over all channels: samples that an integer format had to clip; for lossy formats, samples beyond full
  /// scale, which most players will clip. NaN and infinities count.
  std::uint64_t clipped_samples = 0;
};

class Writer {
 public:
  virtual ~Writer() = default;
  /// Any number of frames, of as many channels as the options say.
  virtual void write(AudioView block) = 0;
  /// Flushes, syncs and renames. Call once, last.
  virtual WriteSummary finish() = 0;
};

/// path "-" writes to standard output, at finish(): headers need the length, so the bytes first go to an
/// unnamed temporary file.
std::unique_ptr<Writer> create_writer(const std::filesystem::path& path, const WriterOptions& options);

/// The container that a name's extension stands for; kUsage when there is none that can be written.
Container container_for(const std::filesystem::path& path);
/// ".wav", ".flac", …
std::string extension(Container container);

/// The format nearest to `wanted` that the container can hold without losing bits where that is possible:
/// FLAC has 24 bits at most; what was lossy before becomes float32, in FLAC pcm24. kLossy for lossy
/// containers.
SampleFormat closest_format(Container container, SampleFormat wanted);
/// The sample rate to resample to so that the container can hold it: `wanted` itself, or the next higher one
/// there is, or the highest.
double closest_sample_rate(Container container, double wanted);

}  // namespace unbraid::io
