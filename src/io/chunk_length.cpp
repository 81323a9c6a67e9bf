#include "io/chunk_length.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace unbraid::io {

namespace {

std::uint64_t number(const unsigned char* bytes, int count, bool little) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[little ? count - 1 - i : i];
  return value;
}

/// Programs that write to a pipe put the largest number there, less the header.
bool means_unknown(std::uint64_t size) {
  return (size >= 0xFFFFF000u && size <= 0xFFFFFFFFu) || (size >= 0x7FFFF000u && size <= 0x7FFFFFFFu);
}

}  // namespace

void check_chunk_length(ByteFile& file) {
  unsigned char head[12];
  file.seek(0);
  if (file.read(head, 12) != 12) return file.seek(0);
  const std::string_view form(reinterpret_cast<const char*>(head), 4);
  const bool little = form == "RIFF" || form == "RF64";
  const std::uint64_t end = file.size();
  std::uint64_t data_size_64 = 0;  // RF64 keeps the true size in a chunk of its own (EBU Tech 3306)

  for (std::uint64_t offset = 12; offset + 8 <= end;) {
    unsigned char chunk[24];
    file.seek(offset);
    const std::size_t got = file.read(chunk, sizeof chunk);
    const std::string_view name(reinterpret_cast<const char*>(chunk), 4);
    std::uint64_t size = number(chunk + 4, 4, little);
    if (name == "ds64" && got == sizeof chunk) data_size_64 = number(chunk + 16, 8, true);
    if (name == "data" || name == "SSND") {
      if (form == "RF64" && size == 0xFFFFFFFFu)
        size = data_size_64;
      else if (means_unknown(size))
        break;
      const std::uint64_t there = end - offset - 8;
      if (size > there)
        throw Error{ErrorCode::kFormat,
                    fmt::format("the file is cut short: its header promises {} bytes of audio, {} are there",
                                size, there),
                    file.name()};
      break;
    }
    offset += 8 + size + size % 2;
  }
  file.seek(0);
}

}  // namespace unbraid::io
