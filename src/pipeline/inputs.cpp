#include "unbraid/pipeline/inputs.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "pipeline/manifest.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 26> kAudioExtensions{".wav",  ".wave", ".w64", ".rf64", ".aif",  ".aiff", ".aifc", ".caf", ".au",
                                                            ".flac", ".ogg",  ".oga", ".opus", ".mp3",  ".m4a",  ".m4b",  ".mp4", ".aac",
                                                            ".alac", ".wma",  ".ape", ".mka",  ".webm", ".wv",   ".mpc",  ".tta"};

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool has_audio_extension(const fs::path& path) {
  return std::ranges::find(kAudioExtensions, lower_case(path.extension().string())) != kAudioExtensions.end();
}

/// Adds what lies in and below a folder; `below` is its path from the folder that was given.
void add_audio(const fs::path& folder, const fs::path& below, std::vector<Input>& found, std::vector<fs::path>& unreadable) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    std::error_code none;
    if (is_hidden(path)) continue;
    if (entry->is_directory(none)) {
      if (!entry->is_symlink(none) && !is_result_folder(path)) add_audio(path, below / path.filename(), found, unreadable);
    } else if (entry->is_regular_file(none) && has_audio_extension(path)) {
      found.push_back({.file = path, .name = below / track_name(path)});
    }
  }
  if (error && below.empty()) throw Error{ErrorCode::kIo, error.message(), folder.string()};
  if (error) unreadable.push_back(folder);
}

/// Makes names differ: song.flac and song.mp3 of one folder become "song.flac" and "song.mp3".
void tell_apart(std::vector<Input>& inputs) {
  const auto by_name = [&] {
    std::map<fs::path, std::vector<Input*>> groups;
    for (Input& input : inputs) groups[input.name].push_back(&input);
    return groups;
  };
  for (const auto& [name, group] : by_name())
    for (Input* input : group)
      if (group.size() > 1) input->name = name.parent_path() / input->file.filename();
  for (const auto& [name, group] : by_name())
    if (group.size() > 1)
      throw Error{ErrorCode::kUsage, "would be written to the same folder as " + group[0]->file.string() + "; separate them in two runs",
                  group[1]->file.string()};
}

}  // namespace

fs::path track_name(const fs::path& file) {
  if (file == "-") return "stdin";
  const std::string name = file.filename().string();
  constexpr std::string_view kStemFile = ".stem.mp4";
  if (name.size() > kStemFile.size() && lower_case(name).ends_with(kStemFile)) return name.substr(0, name.size() - kStemFile.size());
  const fs::path stem = file.stem();
  return stem == "." || stem == ".." ? fs::path(name) : stem;  // "...wav" must not lead out of the folder
}

FoundInputs find_inputs(std::span<const fs::path> paths) {
  FoundInputs all;
  std::vector<Input>& inputs = all.inputs;
  for (const fs::path& path : paths) {
    if (path != "-" && !fs::exists(path)) throw Error{ErrorCode::kNotFound, "no such file or folder", path.string()};
    if (path == "-" || !fs::is_directory(path)) {
      inputs.push_back({.file = path, .name = track_name(path)});
      continue;
    }
    std::vector<Input> found;
    add_audio(path, {}, found, all.unreadable);
    std::ranges::sort(found, {}, &Input::file);
    if (found.empty()) throw Error{ErrorCode::kNotFound, "no audio files in this folder", path.string()};
    inputs.insert(inputs.end(), found.begin(), found.end());
  }
  tell_apart(inputs);
  return all;
}

}  // namespace unbraid
