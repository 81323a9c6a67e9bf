#include "unbraid/core/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* what, const fs::path& path) {
  throw Error{ErrorCode::kIo, fmt::format("{}: {}", what, std::strerror(errno)), path.string()};
}

void sync(const fs::path& path, int flags) {
  const int descriptor = open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) fail("cannot open to sync", path);
  int status = 0;
  do status = fsync(descriptor);
  while (status != 0 && errno == EINTR);
  const int error = errno;
  close(descriptor);
  errno = error;
  if (status != 0 && error != EINVAL) fail("cannot sync", path);  // EINVAL: this file system has nothing to sync
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

/// Creates the file exclusively, with the permissions that a plain new file would get.
bool create_exclusively(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0) return false;
  close(descriptor);
  return true;
}

}  // namespace

AtomicFile::AtomicFile(fs::path target, bool overwrite) : target_(std::move(target)) {
  std::error_code problem;
  const fs::file_type type = fs::status(target_, problem).type();
  if (type == fs::file_type::none) {  // a name that is too long, a folder that may not be searched
    errno = problem.value();
    fail("cannot write", target_);
  }
  if (type == fs::file_type::directory) throw Error{ErrorCode::kIo, "is a directory", target_.string()};
  if (type != fs::file_type::not_found && type != fs::file_type::regular)  // a pipe, a device
    throw Error{ErrorCode::kIo, "is not a regular file", target_.string()};
  if (!overwrite && type == fs::file_type::regular)
    throw Error{ErrorCode::kIo, "exists already (use --overwrite to replace it)", target_.string()};

  const fs::path folder = folder_of(target_);
  for (fs::path missing = folder; !missing.empty() && !fs::exists(missing); missing = missing.parent_path())
    made_folders_.insert(made_folders_.begin(), missing);
  for (const fs::path& made : made_folders_)
    if (mkdir(made.c_str(), 0777) != 0 && errno != EEXIST) fail("cannot create the folder", made);

  // A fixed short name, so that it fits wherever the target's own name fits; the extension is kept, since some
  // encoders choose their format by it.
  for (int attempt = 0;; ++attempt) {
    temporary_ = folder / fmt::format(".unbraid-{}-{}{}", getpid(), attempt, target_.extension().string());
    if (create_exclusively(temporary_)) return;
    if (errno != EEXIST) {
      const int error = errno;
      for (auto made = made_folders_.rbegin(); made != made_folders_.rend(); ++made) rmdir(made->c_str());
      errno = error;
      fail("cannot write", target_);
    }
  }
}

AtomicFile::~AtomicFile() {
  if (temporary_.empty()) return;
  unlink(temporary_.c_str());
  for (auto made = made_folders_.rbegin(); made != made_folders_.rend(); ++made) rmdir(made->c_str());
}

void AtomicFile::commit() {
  sync(temporary_, O_RDONLY);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot rename the finished file", target_);
  temporary_.clear();
  sync(folder_of(target_), O_RDONLY | O_DIRECTORY);
}

void write_file_atomically(const fs::path& path, std::string_view bytes, bool overwrite) {
  AtomicFile file(path, overwrite);
  const int descriptor = open(file.temporary().c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail("cannot write", path);
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      close(descriptor);
      errno = error;
      fail("cannot write", path);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (close(descriptor) != 0 && errno != EINTR) fail("cannot write", path);  // interrupted, it is closed all the same
  file.commit();
}

}  // namespace unbraid
