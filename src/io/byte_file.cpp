#include "io/byte_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace unbraid::io {

namespace {

constexpr std::size_t kCopyBytes = 1 << 20;

std::string describe(int error) { return std::generic_category().message(error); }

[[noreturn]] void fail(const char* what, const std::string& name, int error) {
  throw Error{ErrorCode::kIo, fmt::format("{}: {}", what, describe(error)), name};
}

/// Writes everything; returns 0 or errno.
int write_fully(int descriptor, const std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return 0;
}

struct stat status_of(int descriptor, const std::string& name) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) fail("cannot examine", name, errno);
  return status;
}

}  // namespace

ByteFile ByteFile::open_to_read(const std::filesystem::path& path, const CancelToken& cancel) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path.string();
  int descriptor = -1;
  do {
    cancel.check();
    descriptor = standard_input ? dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw Error{ErrorCode::kNotFound, "no such file", name};
    fail("cannot open", name, errno);
  }
  ByteFile file(descriptor, name);
  const struct stat status = status_of(descriptor, name);
  if (S_ISDIR(status.st_mode)) throw Error{ErrorCode::kFormat, "is a folder, not an audio file", name};
  if (S_ISREG(status.st_mode)) {
    if (status.st_size == 0) throw Error{ErrorCode::kFormat, "the file is empty", name};
    return file;
  }

  ByteFile copy = unnamed(name);
  std::vector<std::byte> buffer(kCopyBytes);
  for (;;) {
    cancel.check();
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot read", name, errno);
    if (got == 0) break;
    copy.write(buffer.data(), static_cast<std::size_t>(got));
    copy.throw_if_failed();
  }
  if (copy.tell() == 0) throw Error{ErrorCode::kFormat, "no data", name};
  copy.seek(0);
  return copy;
}

ByteFile ByteFile::open_to_write(const std::filesystem::path& path, std::string name) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_TRUNC | O_CLOEXEC);
  if (descriptor < 0) fail("cannot write", name, errno);
  return ByteFile(descriptor, std::move(name));
}

ByteFile ByteFile::unnamed(std::string name) {
  std::string pattern = (std::filesystem::temp_directory_path() / "unbraid-XXXXXX").string();
  const int descriptor = mkostemp(pattern.data(), O_CLOEXEC);
  if (descriptor < 0) fail("cannot make a temporary file", pattern, errno);
  unlink(pattern.c_str());
  return ByteFile(descriptor, std::move(name));
}

ByteFile ByteFile::duplicate() const {
  const int descriptor = dup(descriptor_);
  if (descriptor < 0) fail("cannot open", name_, errno);
  return ByteFile(descriptor, name_);
}

ByteFile::~ByteFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

ByteFile::ByteFile(ByteFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), name_(std::move(other.name_)), offset_(other.offset_), error_(other.error_) {}

std::size_t ByteFile::read(void* target, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(descriptor_, static_cast<std::byte*>(target) + done, size - done, static_cast<off_t>(offset_ + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && error_ == 0) error_ = errno;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  offset_ += done;
  return done;
}

std::size_t ByteFile::write(const void* source, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t put = pwrite(descriptor_, static_cast<const std::byte*>(source) + done, size - done, static_cast<off_t>(offset_ + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      if (error_ == 0) error_ = errno;
      break;
    }
    done += static_cast<std::size_t>(put);
  }
  offset_ += done;
  return done;
}

std::uint64_t ByteFile::size() const { return static_cast<std::uint64_t>(status_of(descriptor_, name_).st_size); }

void ByteFile::shift_tail(std::uint64_t offset, std::uint64_t distance) {
  const std::uint64_t end = size();
  std::vector<std::byte> buffer(kCopyBytes);
  for (std::uint64_t left = end - std::min(offset, end); left > 0;) {  // backwards: source and target overlap
    const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    left -= piece;
    seek(offset + left);
    read(buffer.data(), piece);
    seek(offset + left + distance);
    write(buffer.data(), piece);
  }
  throw_if_failed();
}

void ByteFile::copy_to_standard_output() {
  std::vector<std::byte> buffer(kCopyBytes);
  seek(0);
  while (const std::size_t got = read(buffer.data(), buffer.size()))
    if (const int error = write_fully(STDOUT_FILENO, buffer.data(), got)) fail("cannot write", "standard output", error);
  throw_if_failed();
}

void ByteFile::throw_if_failed() const {
  if (error_ != 0) fail("input or output failed", name_, error_);
}

}  // namespace unbraid::io
