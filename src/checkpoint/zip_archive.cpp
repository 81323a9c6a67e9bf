#include "checkpoint/zip_archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "checkpoint/mapped_file.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

namespace {

// Signatures and field offsets: PKWARE's APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.
constexpr std::uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEndOfDirectory = 0x06054b50,
                        kEndOfDirectory64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint64_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;

[[noreturn]] void damaged(std::string_view what) { throw Error{ErrorCode::kFormat, fmt::format("damaged zip archive: {}", what)}; }

template <class T>
T field(const Storage& archive, std::uint64_t at) {
  T value;
  std::memcpy(&value, part(archive, at, sizeof value, "the zip directory").bytes.data(), sizeof value);
  return value;
}

std::uint64_t find_end(const Storage& archive) {
  const std::uint64_t size = archive.bytes.size();
  const std::uint64_t longest_comment = 0xFFFF;
  for (std::uint64_t back = kEndSize; back <= std::min(size, kEndSize + longest_comment); ++back)
    if (field<std::uint32_t>(archive, size - back) == kEndOfDirectory) return size - back;
  damaged("it has no directory; the file is probably truncated");
}

struct Directory {
  std::uint64_t entries, offset;
};

Directory find_directory(const Storage& archive) {
  const std::uint64_t end = find_end(archive);
  if (end >= kLocator64Size && field<std::uint32_t>(archive, end - kLocator64Size) == kLocator64) {
    const auto end64 = field<std::uint64_t>(archive, end - kLocator64Size + 8);
    part(archive, end64, kEnd64Size, "the zip directory");
    if (field<std::uint32_t>(archive, end64) != kEndOfDirectory64) damaged("no 64-bit directory where one is announced");
    return {field<std::uint64_t>(archive, end64 + 32), field<std::uint64_t>(archive, end64 + 48)};
  }
  return {field<std::uint16_t>(archive, end + 10), field<std::uint32_t>(archive, end + 16)};
}

struct Sizes {
  std::uint64_t stored, original, header_offset;
};

/// The three values, from the 64-bit extra field where the 32-bit ones say so.
Sizes read_sizes(const Storage& archive, std::uint64_t entry, std::uint64_t extra, std::uint64_t extra_size) {
  Sizes sizes{field<std::uint32_t>(archive, entry + 20), field<std::uint32_t>(archive, entry + 24),
              field<std::uint32_t>(archive, entry + 42)};
  for (std::uint64_t at = extra; at + 4 <= extra + extra_size;) {
    const auto id = field<std::uint16_t>(archive, at);
    std::uint64_t value = at + 4;
    at += 4 + field<std::uint16_t>(archive, at + 2);
    if (id != kZip64Extra) continue;
    for (std::uint64_t* size : {&sizes.original, &sizes.stored, &sizes.header_offset})
      if (*size == kIn64) {
        *size = field<std::uint64_t>(archive, value);
        value += 8;
      }
  }
  return sizes;
}

}  // namespace

std::map<std::string, Storage> stored_entries(const Storage& archive) {
  const Directory directory = find_directory(archive);
  std::map<std::string, Storage> entries;
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    part(archive, at, kCentralSize, "the zip directory");
    if (field<std::uint32_t>(archive, at) != kCentralHeader) damaged("its directory is broken");
    const auto flags = field<std::uint16_t>(archive, at + 8);
    const auto method = field<std::uint16_t>(archive, at + 10);
    const auto name_size = field<std::uint16_t>(archive, at + 28);
    const auto extra_size = field<std::uint16_t>(archive, at + 30);
    const auto comment_size = field<std::uint16_t>(archive, at + 32);
    const auto name_bytes = part(archive, at + kCentralSize, name_size, "a zip entry's name").bytes;
    const std::string name(reinterpret_cast<const char*>(name_bytes.data()), name_bytes.size());
    const Sizes sizes = read_sizes(archive, at, at + kCentralSize + name_size, extra_size);
    if (flags & 1) damaged(fmt::format("entry {} is encrypted", name));
    if (method != 0 || sizes.stored != sizes.original) damaged(fmt::format("entry {} is compressed", name));

    part(archive, sizes.header_offset, kLocalSize, "a zip entry");
    if (field<std::uint32_t>(archive, sizes.header_offset) != kLocalHeader) damaged("an entry without a header");
    const std::uint64_t data = sizes.header_offset + kLocalSize + field<std::uint16_t>(archive, sizes.header_offset + 26) +
                               field<std::uint16_t>(archive, sizes.header_offset + 28);
    entries.insert_or_assign(name, part(archive, data, sizes.stored, "a zip entry"));
    at += kCentralSize + name_size + extra_size + comment_size;
  }
  return entries;
}

}  // namespace unbraid::checkpoint
