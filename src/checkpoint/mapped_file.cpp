#include "checkpoint/mapped_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

Storage map_file(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw Error{errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, std::strerror(errno), path.string()};
  struct stat status {};
  const bool regular = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = regular && size > 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
  close(descriptor);
  if (!regular) throw Error{ErrorCode::kFormat, "is not a file", path.string()};
  if (size == 0) throw Error{ErrorCode::kFormat, "the file is empty", path.string()};
  if (address == MAP_FAILED) throw Error{ErrorCode::kIo, "cannot map the file", path.string()};
  return {std::shared_ptr<const void>(address, [size](const void* p) { munmap(const_cast<void*>(p), size); }),
          {static_cast<const std::byte*>(address), size}};
}

Storage part(const Storage& whole, std::uint64_t first, std::uint64_t count, std::string_view what) {
  if (first > whole.bytes.size() || count > whole.bytes.size() - first)
    throw Error{ErrorCode::kFormat, fmt::format("{} lies outside the file: it is truncated or damaged", what)};
  return {whole.owner, whole.bytes.subspan(first, count)};
}

}  // namespace unbraid::checkpoint
