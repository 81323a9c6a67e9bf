#include "unbraid/data/dataset.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/listing.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/fnv1a.hpp"

namespace unbraid::data {

namespace fs = std::filesystem;

namespace {

/// Folder names that hold the tracks of one split.
bool names_a_split(const fs::path& folder) {
  static constexpr std::array kSplits{"train", "training", "val", "valid", "validation", "dev", "eval", "evaluation", "test", "omitted"};
  std::string name = folder.filename().string();
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kSplits, name) != kSplits.end();
}

/// The songs of MUSDB18's training set that are customarily kept for validation: those that the musdb package names.
bool is_musdb_validation(const std::string& track) {
  static constexpr std::array<std::string_view, 14> kTracks{"ANiMAL - Rockshow",
                                                            "Actions - One Minute Smile",
                                                            "Alexander Ross - Goodbye Bolero",
                                                            "Clara Berry And Wooldog - Waltz For My Victims",
                                                            "Fergessen - Nos Palpitants",
                                                            "James May - On The Line",
                                                            "Johnny Lokke - Promises & Lies",
                                                            "Leaf - Summerghost",
                                                            "Meaxic - Take A Step",
                                                            "Patrick Talbot - A Reason To Leave",
                                                            "Skelpolu - Human Mistakes",
                                                            "Traffic Experiment - Sirens",
                                                            "Triviul - Angelsaint",
                                                            "Young Griffo - Pennies"};
  return std::ranges::find(kTracks, track) != kTracks.end();
}

struct Reader {
  const char* format;
  Listing (*list)(const fs::path&);
};

/// In the order of asking: the more a layout demands, the earlier it is asked for. Whatever pools of stems could be is
/// also a set of track folders: the last reader must be asked for by name.
constexpr std::array kReaders{Reader{"slakh", list_slakh},
                              Reader{"dsd100", list_dsd100},
                              Reader{"musdb18", list_musdb18},
                              Reader{"musdb18_stempeg", list_musdb18_stempeg},  // only when asked for
                              Reader{"manifest", list_manifest},
                              Reader{"label_folders", list_label_folders},
                              Reader{"track_folders", list_track_folders},
                              Reader{"stem_pools", list_stem_pools}};

/// Some readers are one for two formats: MUSDB18-HQ is a set of track folders.
bool reads(const Reader& reader, const std::string& format) {
  const std::string name = reader.format;
  if (name == "label_folders") return format == "mixture_sources";
  if (name == "track_folders") return format == "track_folders" || format == "musdb18hq";
  return name == format;
}

Listing recognise(const fs::path& path, const std::string& format) {
  for (const Reader& reader : kReaders) {
    if (format != "auto" && !reads(reader, format)) continue;
    Listing listing = reader.list(path);
    if (!listing.entries.empty()) return listing;
  }
  return {};
}

/// The tracks of folders of which one has the name of a split and is one: the others are splits, too, songs beside them have
/// none and come first.
Listing list_splits(const fs::path& path, const std::string& format) {
  const std::vector<fs::path> folders = folders_in(path);
  const auto is_split = [](const Listing& listing) { return !listing.entries.empty() && !listing.is_track; };
  const auto known =
      std::ranges::find_if(folders, [&](const fs::path& folder) { return names_a_split(folder) && is_split(recognise(folder, format)); });
  if (known == folders.end()) return {};

  Listing all{recognise(*known, format).format, {}};
  std::vector<Entry> songs;
  for (const fs::path& folder : folders) {
    Listing part = recognise(folder, format);
    if (part.entries.empty()) continue;
    const std::string name = folder.filename().string();
    if (part.format != all.format) {
      throw Error{ErrorCode::kFormat,
                  fmt::format("{} holds {}, {} {}: splits have one layout", name, part.format, known->filename().string(), all.format),
                  path.string()};
    }
    if (part.is_track) {
      songs.push_back(std::move(part.entries[0]));
      continue;
    }
    const bool musdb = part.format.starts_with("musdb18");
    for (Entry& entry : part.entries) {
      entry.split = musdb && name == "train" && is_musdb_validation(entry.name) ? "validation" : name;
      all.entries.push_back(std::move(entry));
    }
  }
  all.entries.insert(all.entries.begin(), std::make_move_iterator(songs.begin()), std::make_move_iterator(songs.end()));
  return all;
}

/// A folder of any layout, or split folders that each hold one.
Listing list_any(const fs::path& path, const std::string& format) {
  Listing listing;
  if (fs::is_directory(path)) listing = list_splits(path, format);
  return listing.entries.empty() ? recognise(path, format) : listing;
}

void apply_split_file(Listing& listing, const fs::path& path) {
  const std::string file = path.string();
  std::ifstream stream(path);
  if (!stream) throw Error{ErrorCode::kNotFound, "no such split file", file};
  const nlohmann::json splits = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!splits.is_object()) throw Error{ErrorCode::kFormat, "a split file is a JSON object of tracks", file};
  std::erase_if(listing.entries, [&](Entry& entry) {
    const auto found = splits.find(entry.name);
    if (found == splits.end()) return false;
    if (!found->is_object()) throw Error{ErrorCode::kFormat, entry.name + ": not an object", file};
    const auto action = found->find("action");
    if (action == found->end() || action->is_null()) return false;
    if (*action == "omit") return true;
    const auto destination = found->find("destination_split");
    if (*action != "move" || destination == found->end() || !destination->is_string()) {
      throw Error{ErrorCode::kFormat, entry.name + ": action is not null, omit, or move with a destination_split", file};
    }
    entry.split = destination->get<std::string>();
    return entry.split == "omitted";
  });
}

}  // namespace

const TrackStem* Track::find(std::string_view stem) const {
  const auto found = std::ranges::find(stems, stem, &TrackStem::name);
  return found == stems.end() ? nullptr : &*found;
}

const TrackStem& Track::stem(std::string_view stem_name) const {
  if (const TrackStem* found = find(stem_name)) return *found;
  throw Error{ErrorCode::kNotFound, fmt::format("no stem {}; there are {}", stem_name, fmt::join(stem_names(), ", ")), name};
}

std::vector<std::string> Track::stem_names() const {
  std::vector<std::string> names;
  for (const TrackStem& stem : stems) names.push_back(stem.name);
  return names;
}

std::string Track::fingerprint() const {
  std::string text = fmt::format("{}\n{}", has_mixture_file, mixture->fingerprint());
  for (const TrackStem& stem : stems) text += fmt::format("\n{}\n{}\n{}", stem.name, stem.instrument, stem.audio->fingerprint());
  return fmt::format("{:016x}", fnv1a(std::as_bytes(std::span(text))));
}

DatasetPtr open_dataset(const fs::path& path, const OpenOptions& options) {
  if (!fs::exists(path)) throw Error{ErrorCode::kNotFound, "no such file or folder", path.string()};
  if (options.format != "auto" && std::ranges::none_of(kReaders, [&](const Reader& reader) { return reads(reader, options.format); })) {
    throw Error{ErrorCode::kUsage,
                "unknown dataset format (auto, slakh, dsd100, musdb18, musdb18_stempeg, musdb18hq, mixture_sources, "
                "stem_pools, track_folders, manifest)",
                options.format};
  }
  Listing listing = list_any(path, options.format);
  if (listing.entries.empty()) {
    throw Error{ErrorCode::kFormat,
                options.format == "auto" ? "not a dataset: neither Slakh, DSD100 nor MUSDB18, no folders of stems, no CSV manifest"
                                         : "holds no " + options.format + " dataset",
                path.string()};
  }
  if (!options.split_file.empty()) {
    apply_split_file(listing, options.split_file);
    if (listing.entries.empty()) throw Error{ErrorCode::kFormat, "leaves no track of " + path.string(), options.split_file.string()};
  }
  return listed(std::move(listing));
}

std::size_t find_track(const Dataset& dataset, std::string_view name) {
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    if (dataset.track_name(i) == name) return i;
  }
  throw Error{ErrorCode::kNotFound, fmt::format("no such track among the {} (unbraid dataset ls shows them)", dataset.size()),
              std::string(name)};
}

}  // namespace unbraid::data
