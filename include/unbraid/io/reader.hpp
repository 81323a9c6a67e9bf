#pragma once
// Streaming decoders: any audio file as planar float32, block by block.
//
//   auto reader = io::open_reader("song.mp3");
//   AudioBuffer block(reader->info().channels, 65536);
//   while (std::size_t got = reader->read(block)) use(block.view().slice(0, got));
//
// WAV, AIFF, FLAC, Ogg Vorbis and Opus are read by libsndfile; everything else by the FFmpeg libraries, which
// are loaded on first use. Encoder delay and padding are removed, so that frame 0 is the first frame that was
// encoded. Integer samples are divided by 2^(bits−1). Errors: kNotFound, kFormat (damaged, empty or not
// audio), kIo. A reader belongs to one thread at a time.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/io/audio_format.hpp"

namespace unbraid::io {

class Reader {
 public:
  virtual ~Reader() = default;
  virtual const AudioInfo& info() const = 0;
  /// Fills up to out.frames() frames and says how many; fewer than asked only at the end, 0 from then on.
  /// kFormat when the stream is damaged or ends before the length that its header promises.
  virtual std::size_t read(MutableAudioView out) = 0;
  /// Goes to a frame; frame ≤ info().frames. Sample-exact for every format. kUnsupported on a pipe.
  virtual void seek(std::uint64_t frame) = 0;
};

struct ReaderOptions {
  std::size_t stream = 0;  ///< which audio stream: 0 is the mixture of a .stem.mp4
};

/// path "-" reads standard input.
std::unique_ptr<Reader> open_reader(const std::filesystem::path& path, const ReaderOptions& options = {});

/// The facts without the samples. For lossy files without a reliable length the stream is scanned once.
AudioInfo probe(const std::filesystem::path& path);

/// A whole file, or the excerpt [first, first + count), in memory. count beyond the end gives what is there.
struct Audio {
  AudioBuffer samples;
  double sample_rate = 0;  ///< Hz
};
Audio read_audio(const std::filesystem::path& path, const ReaderOptions& options = {},
                 std::uint64_t first = 0, std::uint64_t count = UINT64_MAX);

}  // namespace unbraid::io
