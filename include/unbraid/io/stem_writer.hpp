#pragma once
// Stem files: one .stem.mp4 with the mixture and its parts as audio streams, which DJ programs can mix live.
//
//   auto writer = io::create_stem_writer("song.stem.mp4", {"mixture", "drums", "bass", "other", "vocals"},
//                                        {.container = io::Container::kStemMp4, .sample_rate = 44100,
//                                        .channels = 2});
//   writer->write(std::array<AudioView, 5>{mixture, drums, bass, other, vocals});
//   writer->finish();
//
// Stream 0 is the mixture, the only one that ordinary players play. The streams are AAC; names stand as
// titles of the tracks and in the box that Native Instruments' format asks for (moov/udta/stem: JSON with
// names, colours and an idle compressor). Their players want exactly four parts; any number can be written
// and read back with ReaderOptions::stream. All-or-nothing like every Writer, with the same errors.

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "unbraid/io/writer.hpp"

namespace unbraid::io {

class StemWriter {
 public:
  virtual ~StemWriter() = default;
  /// One block per stream, all of the same shape.
  virtual void write(std::span<const AudioView> streams) = 0;
  /// Flushes, syncs and renames. Call once, last. Clipped samples are counted over all streams.
  virtual WriteSummary finish() = 0;
};

/// stream_names: the mixture's first. options.container must be kStemMp4; bitrate_kbps holds for each stream.
std::unique_ptr<StemWriter> create_stem_writer(const std::filesystem::path& path, const std::vector<std::string>& stream_names,
                                               const WriterOptions& options);

}  // namespace unbraid::io
