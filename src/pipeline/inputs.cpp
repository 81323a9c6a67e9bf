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

std::vector<Input> audio_below(const fs::path& folder) {
  std::vector<Input> found;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error), end;
  if (error) throw Error{ErrorCode::kIo, error.message(), folder.string()};
  while (entry != end) {
    if (entry->is_directory(error)) {
      if (is_hidden(entry->path()) || is_result_folder(entry->path())) entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error) && !is_hidden(entry->path()) && has_audio_extension(entry->path())) {
      const fs::path below = entry->path().lexically_relative(folder).parent_path();
      found.push_back({.file = entry->path(), .name = below / track_name(entry->path())});
    }
    entry.increment(error);
    if (error) throw Error{ErrorCode::kIo, error.message(), folder.string()};
  }
  std::ranges::sort(found, {}, &Input::file);
  return found;
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
  return file.stem();
}

std::vector<Input> find_inputs(std::span<const fs::path> paths) {
  std::vector<Input> inputs;
  for (const fs::path& path : paths) {
    if (path != "-" && !fs::exists(path)) throw Error{ErrorCode::kNotFound, "no such file or folder", path.string()};
    if (path == "-" || !fs::is_directory(path)) {
      inputs.push_back({.file = path, .name = track_name(path)});
      continue;
    }
    const std::vector<Input> found = audio_below(path);
    if (found.empty()) throw Error{ErrorCode::kNotFound, "no audio files in this folder", path.string()};
    inputs.insert(inputs.end(), found.begin(), found.end());
  }
  tell_apart(inputs);
  return inputs;
}

}  // namespace unbraid
