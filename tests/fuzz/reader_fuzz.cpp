// Any bytes at all, taken for an audio file: the readers must return samples or throw Error, nothing else.
// With every returned block the promises of io/reader.hpp are checked too.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "unbraid/core/error.hpp"
#include "unbraid/io/reader.hpp"

namespace {

constexpr std::uint64_t kMaxFrames = 1 << 17;  // a few bytes can stand for hours of silence
constexpr std::size_t kBlockSamples = 1 << 14;

void promise(bool kept) {
  if (!kept) std::abort();
}

void read_stream(const std::string& path, std::size_t stream, std::uint64_t jump) {
  using namespace unbraid;
  const auto reader = io::open_reader(path, {.stream = stream});
  const io::AudioInfo& info = reader->info();
  promise(info.channels > 0 && info.sample_rate > 0 && info.streams > stream);
  AudioBuffer block(info.channels, std::max<std::size_t>(1, kBlockSamples / info.channels));
  const auto read_from = [&](std::uint64_t position) {
    const std::uint64_t limit = std::min(info.frames, position + kMaxFrames);
    while (position < limit) {
      const std::size_t got = reader->read(block);
      promise(got <= block.frames() && position + got <= info.frames);
      promise(got == block.frames() || position + got == info.frames);
      position += got;
    }
  };
  read_from(0);
  if (info.frames < kMaxFrames) promise(reader->read(block) == 0);
  const std::uint64_t target = jump % (info.frames + 1);
  if (target < kMaxFrames) {  // what cannot be jumped to is decoded from the start
    reader->seek(target);
    read_from(target);
  }
}

}  // namespace

/// libsndfile 1.2 forgets a few kilobytes of libvorbis' and libogg's where an Ogg header is damaged. Our own
/// leaks count.
extern "C" const char* __lsan_default_suppressions() { return "leak:libvorbis\nleak:libogg\n"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int memory = memfd_create("input", MFD_CLOEXEC);
  if (memory < 0 || write(memory, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(memory);
  const std::uint64_t jump = size > 64 ? data[60] << 8 | data[61] : 0;
  for (std::size_t stream = 0; stream < 2; ++stream) {
    try {
      read_stream(path, stream, jump);
    } catch (const unbraid::Error& error) {
      promise(error.code() != unbraid::ErrorCode::kInternal && !error.message().empty());
      break;
    }
  }
  close(memory);
  return 0;
}
