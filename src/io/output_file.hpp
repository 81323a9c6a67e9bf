#pragma once
// Where an encoder's bytes go: a temporary file that commit() turns into the target, or into standard output.

#include <filesystem>
#include <memory>

#include "io/byte_file.hpp"
#include "unbraid/core/atomic_file.hpp"

namespace unbraid::io {

class OutputFile {
 public:
  OutputFile(const std::filesystem::path& path, bool overwrite)
      : file_(path == "-" ? nullptr : std::make_unique<AtomicFile>(path, overwrite)),
        bytes_(file_ ? ByteFile::open_to_write(file_->temporary(), path.string()) : ByteFile::unnamed("standard output")) {}

  ByteFile& bytes() noexcept { return bytes_; }

  void commit() {
    bytes_.throw_if_failed();
    if (file_) file_->commit();
    else bytes_.copy_to_standard_output();
  }

 private:
  std::unique_ptr<AtomicFile> file_;  ///< null for standard output
  ByteFile bytes_;
};

}  // namespace unbraid::io
