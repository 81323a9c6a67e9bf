#pragma once
// Files and folders on a command line to the recordings that are meant.
//
//   for (const Input& input : find_inputs({"song.mp3", "album/"})) separate_file(input.file, out /
//   input.name, …);
//
// A file is taken whatever its name; a folder gives every audio file below it, by its extension, in the order
// of names. Left out: the ._ files that macOS makes, hidden files and folders, and folders with an Unbraid
// manifest, which are results.

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace unbraid {

struct Input {
  std::filesystem::path file;  ///< "-" for standard input
  std::filesystem::path name;  ///< for the output: "song" of song.mp3; in folders with the path below: "disc 1/song"
};

/// The names differ: files of one folder that differ only in their extension keep it. kNotFound for a path that does
/// not exist or a folder without audio; kUsage for two files that would still share a name.
std::vector<Input> find_inputs(std::span<const std::filesystem::path> paths);

/// The file's name without its extension, ".stem.mp4" as a whole; "stdin" for "-".
std::filesystem::path track_name(const std::filesystem::path& file);

}  // namespace unbraid
