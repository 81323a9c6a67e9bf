#include "io/riff_chunks.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <string>

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

struct Chunk {
  std::string name;
  std::uint64_t offset = 0;  ///< of its body
  std::uint64_t size = 0;    ///< of its body, as the file says
};

/// Calls visit for each chunk up to the audio.
template <class Visit>
void for_each_chunk(ByteFile& file, Visit visit) {
  unsigned char head[12];
  file.seek(0);
  if (file.read(head, sizeof head) == sizeof head) {
    const bool little = std::memcmp(head, "RIFF", 4) == 0 || std::memcmp(head, "RF64", 4) == 0;
    const std::uint64_t end = file.size();
    for (std::uint64_t offset = 12; offset + 8 <= end;) {
      file.seek(offset);
      file.read(head, 8);
      const Chunk chunk{std::string(reinterpret_cast<char*>(head), 4), offset + 8, number(head + 4, 4, little)};
      visit(chunk);
      if (chunk.name == "data" || chunk.name == "SSND") break;
      offset = chunk.offset + chunk.size + chunk.size % 2;
    }
  }
  file.seek(0);
}

}  // namespace

void check_chunk_length(ByteFile& file) {
  std::uint64_t data_size_64 = 0;  // RF64 keeps the true size in a chunk of its own (EBU Tech 3306)
  for_each_chunk(file, [&](const Chunk& chunk) {
    if (chunk.name == "ds64") {
      unsigned char sizes[16] = {};  // of the file, of the audio
      file.seek(chunk.offset);
      file.read(sizes, sizeof sizes);
      data_size_64 = number(sizes + 8, 8, true);
    }
    if (chunk.name != "data" && chunk.name != "SSND") return;
    const bool elsewhere = data_size_64 > 0 && chunk.size == 0xFFFFFFFFu;
    if (!elsewhere && means_unknown(chunk.size)) return;
    const std::uint64_t promised = elsewhere ? data_size_64 : chunk.size;
    const std::uint64_t there = file.size() - chunk.offset;
    if (promised > there)
      throw Error{ErrorCode::kFormat,
                  fmt::format("the file is cut short: its header promises {} bytes of audio, {} are there", promised, there), file.name()};
  });
}

void clear_peak_time(ByteFile& file) {
  for_each_chunk(file, [&](const Chunk& chunk) {
    if (chunk.name != "PEAK") return;
    file.seek(chunk.offset + 4);  // behind the version
    const unsigned char zero[4] = {};
    file.write(zero, sizeof zero);
  });
  file.throw_if_failed();
}

}  // namespace unbraid::io
