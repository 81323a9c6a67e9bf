#pragma once
// Streaming decoders: any audio file as planar float32, block by block.
//
//   auto reader = io::open_reader("song.mp3");
//   AudioBuffer block(reader->info().channels, 65536);
//   while (std::size_t got = reader->read(block)) use(block.view().slice(0, got));
//
// WAV (RF64, W64), AIFF, FLAC, Ogg Vorbis, Opus, AU and CAF are read by libsndfile; everything else (MP3, M4A, stem
// files, WMA, the sound of videos, …) by the FFmpeg libraries, which are opened on first use. The first bytes decide,
// not the name. Integer samples are divided by 2^(bits−1): exact up to 24 bits; 32-bit integers and 64-bit floats are
// rounded to float32. NaN and infinities pass as they are.
//
// Time: encoder delay and padding are removed wherever the file tells them (LAME tag, edit list, iTunSMPB, pre-skip),
// so that frame 0 is the first frame that was encoded and the length is that of the original.
//
// Errors: kNotFound; kFormat: damaged, cut short (found when opening, before any work is done), empty, not audio;
// kUnsupported: no decoder; kIo. Playlists are not followed, addresses not opened. A reader belongs to one thread at a
// time; different readers, also of the same file, may work in parallel.
//
// Of what FFmpeg reads, a damaged packet of a lossy format is silence, up to a tenth of all; bytes behind the last packet
// of an MP3, such as tags and zeros, are no music. An end that is missing without a header that promises it (Ogg, Opus,
// Matroska) is no error either. AudioInfo::warnings tells of all but the tags.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/cancel.hpp"
#include "unbraid/io/audio_format.hpp"

namespace unbraid::io {

class Reader {
 public:
  virtual ~Reader() = default;
  /// Warnings may be added while it is read.
  virtual const AudioInfo& info() const = 0;
  /// Fills up to out.frames() frames and says how many; fewer than asked only at the end, 0 from then on.
  /// kFormat when the stream is damaged or ends before the length that its header promises.
  virtual std::size_t read(MutableAudioView out) = 0;
  /// Goes to a frame; frame ≤ info().frames, else kUsage. Sample-exact for every format. Vorbis and the formats behind
  /// FFmpeg other than MP3, AAC and MP4 get there by decoding from the start.
  virtual void seek(std::uint64_t frame) = 0;
};

struct ReaderOptions {
  std::size_t stream = 0;      ///< which audio stream: 0 is the mixture of a .stem.mp4
  bool whole_packets = false;  ///< of an MP4, also what its tables cut off at the end, where encoders fill the last packet
  CancelToken cancel = {};     ///< ends open_reader's waiting for a pipe with kCancelled, when a signal interrupts it
};

/// path "-" reads standard input. A pipe is first copied to an unnamed temporary file, so that it can be sought in.
std::unique_ptr<Reader> open_reader(const std::filesystem::path& path, const ReaderOptions& options = {});

/// The facts without the samples: headers are read; of MP3 and MP4 all packets are looked at without decoding; only
/// what does not tell its length otherwise (WMA, Matroska, streamed FLAC) is decoded once.
AudioInfo probe(const std::filesystem::path& path);

/// A whole file, or the excerpt [first, first + count), in memory. count beyond the end gives what is there.
struct Audio {
  AudioBuffer samples;
  double sample_rate = 0;  ///< Hz
};
Audio read_audio(const std::filesystem::path& path, const ReaderOptions& options = {}, std::uint64_t first = 0,
                 std::uint64_t count = UINT64_MAX);

}  // namespace unbraid::io
