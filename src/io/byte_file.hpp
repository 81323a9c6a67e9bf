#pragma once
// An open file as the codec libraries want it: bytes, an offset, and an error that is remembered.
//
//   ByteFile file = ByteFile::open_to_read("song.wav");   // "-": standard input
//   std::size_t got = file.read(buffer, size);
//   file.throw_if_failed();
//
// The codecs are given this object instead of a name. So neither of them interprets names (FFmpeg would take
// "http:…" for an address), unicode needs no care, and an error of the disk stays known even where a codec
// swallows it.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "unbraid/core/cancel.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::io {

class ByteFile {
 public:
  /// kNotFound, kFormat (a folder, an empty file), kIo. A pipe is first copied to an unnamed temporary file,
  /// so that every input can be sought in; kCancelled when `cancel` fires meanwhile, which a signal has to tell if
  /// nothing comes.
  static ByteFile open_to_read(const std::filesystem::path& path, const CancelToken& cancel = {});
  /// Opens an existing file for reading and writing and cuts it to nothing. `name` stands in error messages.
  static ByteFile open_to_write(const std::filesystem::path& path, std::string name);
  /// A temporary file without a name, gone when it is closed. `name` stands in error messages.
  static ByteFile unnamed(std::string name);

  /// The same file with an offset of its own.
  ByteFile duplicate() const;

  ~ByteFile();
  ByteFile(ByteFile&& other) noexcept;
  ByteFile& operator=(ByteFile&&) = delete;

  /// What error messages call it: the path, or "standard input".
  const std::string& name() const noexcept { return name_; }

  /// Reads up to `size` bytes; fewer only at the end or after an error.
  std::size_t read(void* target, std::size_t size);
  /// Writes `size` bytes; fewer only after an error.
  std::size_t write(const void* source, std::size_t size);
  void seek(std::uint64_t offset) noexcept { offset_ = offset; }
  std::uint64_t tell() const noexcept { return offset_; }
  /// Bytes in the file.
  std::uint64_t size() const;

  /// Moves all bytes from `offset` on by `distance` towards the end; the gap keeps what it held.
  void shift_tail(std::uint64_t offset, std::uint64_t distance);
  /// Copies the whole content to standard output.
  void copy_to_standard_output();

  /// kIo when any read or write so far failed.
  void throw_if_failed() const;

 private:
  ByteFile(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

  int descriptor_ = -1;
  std::string name_;
  std::uint64_t offset_ = 0;
  int error_ = 0;  ///< errno of the first failure
};

}  // namespace unbraid::io
