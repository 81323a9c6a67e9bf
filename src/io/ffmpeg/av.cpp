#include "io/ffmpeg/av.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <new>
#include <string_view>
#include <utility>

namespace unbraid::io {

namespace {

constexpr int kBufferBytes = 1 << 16;

ByteFile& file_of(void* user) { return *static_cast<ByteFile*>(user); }

int read_bytes(void* user, std::uint8_t* target, int size) {
  const std::size_t got = file_of(user).read(target, static_cast<std::size_t>(size));
  return got == 0 ? AVERROR_EOF : static_cast<int>(got);
}

// FFmpeg 7 made the source const.
#if LIBAVFORMAT_VERSION_MAJOR >= 61
using WriteSource = const std::uint8_t*;
#else
using WriteSource = std::uint8_t*;
#endif

int write_bytes(void* user, WriteSource source, int size) {
  return file_of(user).write(source, static_cast<std::size_t>(size)) == static_cast<std::size_t>(size) ? size : AVERROR(EIO);
}

std::int64_t seek_bytes(void* user, std::int64_t offset, int whence) {
  ByteFile& file = file_of(user);
  const auto size = static_cast<std::int64_t>(file.size());
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE: return size;
    case SEEK_SET: break;
    case SEEK_CUR: offset += static_cast<std::int64_t>(file.tell()); break;
    case SEEK_END: offset += size; break;
    default: return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  file.seek(static_cast<std::uint64_t>(offset));
  return offset;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kOtherNames{
    {{"album_artist", "albumartist"}, {"disc", "discnumber"}}};

constexpr std::array<std::string_view, 10> kNotMusic{"encoder",      "major_brand", "minor_version", "compatible_brands", "creation_time",
                                                     "handler_name", "vendor_id",   "itunsmpb",      "itunes_cddb_id",    "language"};

}  // namespace

std::string describe(int averror) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(averror, text, sizeof text);
  return text;
}

AvIo av_io(ByteFile& file, AvDirection direction) {
  const bool writes = direction == AvDirection::kWrite;
  auto* const buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  if (!buffer) throw std::bad_alloc();
  AVIOContext* const context =
      avio_alloc_context(buffer, kBufferBytes, writes ? 1 : 0, &file, read_bytes, writes ? write_bytes : nullptr, seek_bytes);
  if (!context) {
    av_free(buffer);
    throw std::bad_alloc();
  }
  return AvIo(context);
}

void add_tags(const AVDictionary* metadata, std::map<std::string, std::string>& fields) {
  const AVDictionaryEntry* entry = nullptr;
  while ((entry = av_dict_get(metadata, "", entry, AV_DICT_IGNORE_SUFFIX))) {
    std::string key = entry->key;
    std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
    if (std::find(kNotMusic.begin(), kNotMusic.end(), key) != kNotMusic.end()) continue;
    for (const auto& [theirs, ours] : kOtherNames)
      if (key == theirs) key = ours;
    fields.emplace(std::move(key), entry->value);
  }
}

std::string av_tag_name(const std::string& key) {
  for (const auto& [theirs, ours] : kOtherNames)
    if (key == ours) return std::string(theirs);
  return key;
}

}  // namespace unbraid::io
