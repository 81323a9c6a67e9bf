// The folder layouts of published datasets, as listings.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "data/listing.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/slakh.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::data {

namespace fs = std::filesystem;

namespace {

using StemFiles = std::vector<std::pair<std::string, fs::path>>;

/// <track>/{mixture, any stems}.wav
Entry folder_entry(const fs::path& folder) {
  fs::path mixture;
  StemFiles stems;
  for (const fs::path& file : audio_in(folder)) {
    if (mixture.empty() && names_a_mixture(title_of(file))) mixture = file;
    else stems.emplace_back(title_of(file), file);
  }
  return {title_of(folder), {}, [mixture, stems] { return track_of_files(mixture, stems); }};
}

bool has_extension(const fs::path& path, const char* suffix) { return path.filename().string().ends_with(suffix); }

/// Native Instruments' stem file: one audio stream per stem behind the mixture. As stempeg read it when the field's scores
/// were published, with 16 bits and what encoders fill the last packet up with: filters of BSS Eval notice.
Track stem_mp4_track(const fs::path& path, bool as_stempeg) {
  const io::AudioInfo info = io::probe(path);
  if (info.streams < 2) {
    throw Error{ErrorCode::kFormat, "one audio stream only: a .stem.mp4 holds the mixture and its stems", path.string()};
  }
  const auto source = [&](std::size_t stream) {
    const SourcePtr audio = file_source(path, {.stream = stream, .whole_packets = as_stempeg});
    return as_stempeg ? rounded_source(audio, 16) : audio;
  };
  // The order of MUSDB18, whose files name no stream.
  static constexpr std::array kMusdb{"mixture", "drums", "bass", "other", "vocals"};
  Track track{.sample_rate = info.sample_rate, .mixture = source(0)};
  std::set<std::string> used;
  for (std::size_t stream = 1; stream < info.streams; ++stream) {
    std::string name = stream < info.stream_names.size() ? info.stream_names[stream] : "";
    if (name.empty() || used.contains(name)) {
      name = info.streams == kMusdb.size() ? kMusdb[stream] : fmt::format("stem{}", stream);
    }
    used.insert(name);
    track.stems.push_back({.name = name, .instrument = {}, .audio = source(stream)});
  }
  return track;
}

/// The folders that are named after what plays in them.
std::vector<fs::path> label_folders(const fs::path& path) {
  std::vector<fs::path> folders;
  for (const fs::path& folder : folders_in(path)) {
    if (folder.filename() == "foreground") {
      for (const fs::path& inner : folders_in(folder)) folders.push_back(inner);
    } else {
      folders.push_back(folder);
    }
  }
  return folders;
}

}  // namespace

Listing list_slakh(const fs::path& path) {
  Listing listing{"slakh", {}};
  const auto add = [&](const fs::path& folder) {
    if (!fs::exists(folder / "metadata.yaml")) return;
    listing.entries.push_back({title_of(folder), {}, [folder] { return slakh_track(folder); }});
  };
  if (!fs::is_directory(path)) return {};
  add(path);
  listing.is_track = !listing.entries.empty();
  if (listing.is_track) return listing;
  for (const fs::path& folder : folders_in(path)) add(folder);
  // A track that lost its metadata must not vanish from a set of numbered tracks: loading it says what is
  // wrong.
  if (!listing.entries.empty()) {
    for (const fs::path& folder : folders_in(path)) {
      if (!fs::exists(folder / "metadata.yaml") && folder.filename().string().starts_with("Track")) {
        listing.entries.push_back({title_of(folder), {}, [folder] { return slakh_track(folder); }});
      }
    }
    std::ranges::sort(listing.entries, {}, &Entry::name);
  }
  return listing;
}

/// DSD100/{Mixtures,Sources}/{Dev,Test}/<NNN - Artist - Title>/*.wav
Listing list_dsd100(const fs::path& path) {
  const fs::path mixtures = path / "Mixtures", sources = path / "Sources";
  if (!fs::is_directory(mixtures) || !fs::is_directory(sources)) return {};
  Listing listing{"dsd100", {}};
  for (const fs::path& split : folders_in(mixtures)) {
    for (const fs::path& folder : folders_in(split)) {
      const fs::path stems_folder = sources / split.filename() / folder.filename();
      const auto load = [mixture = folder / "mixture.wav", stems_folder] {
        if (!fs::is_directory(stems_folder)) throw Error{ErrorCode::kNotFound, "no folder of sources", stems_folder.string()};
        StemFiles stems;
        for (const fs::path& file : audio_in(stems_folder)) stems.emplace_back(title_of(file), file);
        return track_of_files(mixture, stems);
      };
      listing.entries.push_back({title_of(folder), split.filename().string(), load});
    }
  }
  return listing;
}

Listing list_stem_mp4(const fs::path& path, const char* format, bool as_stempeg) {
  Listing listing{format, {}};
  const auto add = [&](const fs::path& file) {
    listing.entries.push_back({title_of(file), {}, [=] { return stem_mp4_track(file, as_stempeg); }});
  };
  const auto add_those_in = [&](const fs::path& folder) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const bool hidden = entry.path().filename().string().front() == '.';
      if (!hidden && entry.is_regular_file() && has_extension(entry.path(), ".stem.mp4")) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const fs::path& file : files) add(file);
  };
  if (fs::is_directory(path)) {
    add_those_in(path);
    if (listing.entries.empty())
      for (const fs::path& folder : folders_in(path)) add_those_in(folder);  // as `separate` writes them
  } else if (has_extension(path, ".stem.mp4")) {
    add(path);
  }
  return listing;
}

/// <Artist - Title>.stem.mp4
Listing list_musdb18(const fs::path& path) { return list_stem_mp4(path, "musdb18", false); }
Listing list_musdb18_stempeg(const fs::path& path) { return list_stem_mp4(path, "musdb18_stempeg", true); }

/// mix/<title>.wav beside <label>/<title>.wav, where equal titles are one track; or
/// foreground/<label>/<title>.wav. Folders that share no title are pools of single stems.
Listing list_label_folders(const fs::path& path) {
  static const std::set<std::string> kLabels{"vocals",       "drums",         "bass",   "other", "guitar",  "piano",
                                             "instrumental", "accompaniment", "speech", "music", "effects", "background"};
  if (!fs::is_directory(path)) return {};
  const std::vector<fs::path> folders = label_folders(path);
  const bool has_mixtures = std::ranges::any_of(folders, [](const fs::path& f) { return names_a_mixture(f.filename().string()); });
  const bool has_labels = std::ranges::any_of(folders, [](const fs::path& f) { return kLabels.contains(f.filename().string()); });
  if (!has_mixtures && !has_labels) return {};

  struct Files {
    fs::path mixture;
    StemFiles stems;
  };
  std::map<std::string, Files> tracks;
  bool aligned = has_mixtures;
  for (const fs::path& folder : folders) {
    const std::string label = folder.filename().string();
    for (const fs::path& file : audio_in(folder)) {
      Files& files = tracks[title_of(file)];
      if (names_a_mixture(label)) files.mixture = file;
      else files.stems.emplace_back(label, file);
      aligned = aligned || files.stems.size() > 1;
    }
  }
  if (!aligned) return list_stem_pools(path);
  Listing listing{"mixture_sources", {}};
  for (const auto& [title, files] : tracks) {
    listing.entries.push_back({title, {}, [files = files] { return track_of_files(files.mixture, files.stems); }});
  }
  return listing;
}

/// <label>/<any>.wav: every file is a track of one stem. A title that several labels have is told apart by its label.
Listing list_stem_pools(const fs::path& path) {
  if (!fs::is_directory(path)) return {};
  std::map<std::string, std::size_t> uses;
  for (const fs::path& folder : label_folders(path))
    for (const fs::path& file : audio_in(folder)) ++uses[title_of(file)];
  Listing listing{"stem_pools", {}};
  for (const fs::path& folder : label_folders(path)) {
    const std::string label = folder.filename().string();
    for (const fs::path& file : audio_in(folder)) {
      const std::string title = title_of(file);
      listing.entries.push_back({uses[title] > 1 ? label + "/" + title : title, {}, [label, file] {
                                   return track_of_files({}, {{label, file}});
                                 }});
    }
  }
  std::ranges::sort(listing.entries, {}, &Entry::name);
  return listing;
}

Listing list_track_folders(const fs::path& path) {
  if (!fs::is_directory(path)) return {};
  Listing listing{"track_folders", {}};
  const std::vector<fs::path> here = audio_in(path);
  const bool alone = here.size() == 1 && !names_a_mixture(title_of(here[0])) &&
                     std::ranges::all_of(folders_in(path), [](const fs::path& f) { return audio_in(f).empty(); });
  if (here.size() > 1 || alone) {  // the folder is itself a track
    listing.entries.push_back(folder_entry(path));
    listing.is_track = true;
    return listing;
  }
  bool hq = true;
  for (const fs::path& folder : folders_in(path)) {
    const std::vector<fs::path> files = audio_in(folder);
    if (files.empty()) continue;
    for (const char* name : {"mixture.wav", "drums.wav", "bass.wav", "other.wav", "vocals.wav"}) {
      hq = hq && fs::exists(folder / name);
    }
    listing.entries.push_back(folder_entry(folder));
  }
  if (hq) listing.format = "musdb18hq";
  return listing;
}

}  // namespace unbraid::data
