#pragma once
// Files that exist whole or not at all.
//
//   AtomicFile file("out/vocals.flac");
//   write_samples_to(file.temporary());       // any writer, by name
//   file.commit();                            // fsync, rename, fsync of the folder
//
// Until commit() the content stands under a temporary name in the same folder; an AtomicFile destroyed before that
// removes it. Folders that are missing are made, and unmade again if nothing was committed into them.

#include <filesystem>
#include <string_view>
#include <vector>

namespace unbraid {

class AtomicFile {
 public:
  /// kIo when the folder cannot be made or written to, when the target exists and overwrite is false, and when it is
  /// something other than a regular file: folders, pipes and devices are not replaced.
  explicit AtomicFile(std::filesystem::path target, bool overwrite = true);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::filesystem::path& target() const noexcept { return target_; }
  /// The name to write to. An empty file stands there already, so that it is nobody else's.
  const std::filesystem::path& temporary() const noexcept { return temporary_; }

  /// Makes the content durable and gives it its name. kIo when that fails; the temporary file is then removed.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;                  ///< empty once committed
  std::vector<std::filesystem::path> made_folders_;  ///< innermost last
};

/// Writes a small file whole: temporary name, fsync, rename.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes, bool overwrite = true);

}  // namespace unbraid
