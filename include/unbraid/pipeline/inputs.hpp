#pragma once
// Files and folders on a command line to the recordings that are meant.
//
//   const FoundInputs found = find_inputs({"song.mp3", "album/"});
//   for (const Input& input : found.inputs) separate_file(input.file, out / input.name, …);
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

struct FoundInputs {
  std::vector<Input> inputs;
  std::vector<std::filesystem::path> unreadable;  ///< folders below those given, which were left out
};

/// The names differ: files of one folder that differ only in their extension keep it. kNotFound for a path that does
/// not exist or a folder without audio; kIo for one that cannot be read; kUsage for two files that would still share a name.
FoundInputs find_inputs(std::span<const std::filesystem::path> paths);

/// The file's name without its extension, ".stem.mp4" as a whole, and all of it where that would leave "." or ".."; "stdin" for
/// "-".
std::filesystem::path track_name(const std::filesystem::path& file);

}  // namespace unbraid
