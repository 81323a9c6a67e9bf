#include "unbraid/io/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string_view>

#include "io/byte_file.hpp"
#include "io/ffmpeg_backend.hpp"
#include "io/sndfile_backend.hpp"

namespace unbraid::io {

namespace {

/// Goes by the first bytes, never by the name.
bool is_for_sndfile(ByteFile& file) {
  char head[40] = {};
  const std::size_t got = file.read(head, sizeof head);
  file.seek(0);
  const std::string_view bytes(head, got);
  const auto at = [&](std::size_t offset, std::string_view magic) {
    return offset < bytes.size() && bytes.substr(offset, magic.size()) == magic;
  };
  if (at(0, "RIFF") || at(0, "RIFX") || at(0, "RF64")) return at(8, "WAVE");
  if (at(0, "FORM")) return at(8, "AIFF") || at(8, "AIFC");
  if (at(0, "OggS"))
    return at(28, "\x01vorbis") || at(28, "OpusHead") ||
           at(28,
              "\x7f"
              "FLAC");
  return at(0, "fLaC") || at(0, ".snd") || at(0, "caff") || at(0, "riff\x2e\x91\xcf\x11");
}

}  // namespace

std::unique_ptr<Reader> open_reader(const std::filesystem::path& path, const ReaderOptions& options) {
  ByteFile file = ByteFile::open_to_read(path, options.cancel);
  if (!is_for_sndfile(file)) return ffmpeg_backend().open_reader(std::move(file), options);
  ByteFile again = file.duplicate();
  try {
    return open_with_sndfile(std::move(file), options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
  }
  return ffmpeg_backend().open_reader(std::move(again), options);  // a codec that libsndfile does not have
}

AudioInfo probe(const std::filesystem::path& path) { return open_reader(path)->info(); }

Audio read_audio(const std::filesystem::path& path, const ReaderOptions& options, std::uint64_t first, std::uint64_t count) {
  const auto reader = open_reader(path, options);
  const AudioInfo& info = reader->info();
  const std::uint64_t start = std::min(first, info.frames);
  const std::uint64_t frames = std::min(count, info.frames - start);
  if (start > 0) reader->seek(start);
  try {
    Audio audio{AudioBuffer(info.channels, static_cast<std::size_t>(frames)), info.sample_rate};
    reader->read(audio.samples);
    return audio;
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  throw Error{ErrorCode::kResource, fmt::format("{} frames do not fit into memory", frames), path.string()};
}

}  // namespace unbraid::io
