#include "io/sndfile_handle.hpp"

#include <cstdio>

namespace unbraid::io {

namespace {

ByteFile& file_of(void* user) { return *static_cast<ByteFile*>(user); }

sf_count_t file_size(void* user) { return static_cast<sf_count_t>(file_of(user).size()); }

sf_count_t file_seek(sf_count_t offset, int whence, void* user) {
  ByteFile& file = file_of(user);
  const auto from = whence == SEEK_SET ? 0 : static_cast<sf_count_t>(whence == SEEK_CUR ? file.tell() : file.size());
  if (from + offset < 0) return -1;
  file.seek(static_cast<std::uint64_t>(from + offset));
  return from + offset;
}

sf_count_t file_read(void* target, sf_count_t count, void* user) {
  return static_cast<sf_count_t>(file_of(user).read(target, static_cast<std::size_t>(count)));
}

sf_count_t file_write(const void* source, sf_count_t count, void* user) {
  return static_cast<sf_count_t>(file_of(user).write(source, static_cast<std::size_t>(count)));
}

sf_count_t file_tell(void* user) { return static_cast<sf_count_t>(file_of(user).tell()); }

}  // namespace

SndfileHandle open_sndfile(ByteFile& file, int mode, SF_INFO& info) {
  SF_VIRTUAL_IO calls{file_size, file_seek, file_read, file_write, file_tell};
  return SndfileHandle(sf_open_virtual(&calls, mode, &info, &file));
}

}  // namespace unbraid::io
