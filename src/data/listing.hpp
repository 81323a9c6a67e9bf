#pragma once
// How readers describe what they found: entries that know how to load one track each. A reader is a function
// from a folder to entries, empty when the folder is not of its kind.

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/data/dataset.hpp"

namespace unbraid::data {

struct Entry {
  std::string name;
  std::string split;
  std::function<Track()> load;  ///< name and split are filled in afterwards
};

struct Listing {
  std::string format;
  std::vector<Entry> entries;
  bool is_track = false;  ///< the folder itself is the one entry
};

DatasetPtr listed(Listing listing);

// Readers. Each takes a folder (or the file that is the track) and lists it, or nothing.
Listing list_slakh(const std::filesystem::path& path);
Listing list_dsd100(const std::filesystem::path& path);
Listing list_musdb18(const std::filesystem::path& path);
Listing list_musdb18_stempeg(const std::filesystem::path& path);
Listing list_label_folders(const std::filesystem::path& path);
Listing list_stem_pools(const std::filesystem::path& path);
Listing list_track_folders(const std::filesystem::path& path);
Listing list_manifest(const std::filesystem::path& csv);

// What they share.

/// Sub-folders by name, bytewise; hidden ones are left out.
std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder);
/// Files with an audio extension by name, bytewise; hidden ones (macOS "._x.wav") are left out.
std::vector<std::filesystem::path> audio_in(const std::filesystem::path& folder);
/// The name of a file or folder as a track or stem is called after it.
std::string title_of(const std::filesystem::path& path);
/// "mix" or "mixture", in any case.
bool names_a_mixture(const std::string& name);

/// A track of one file per stem. An empty mixture path means: the sum of the stems.
Track track_of_files(const std::filesystem::path& mixture, const std::vector<std::pair<std::string, std::filesystem::path>>& stems);
/// Makes the sum of the stems the mixture; kNotFound where there is no stem either.
void sum_stems_as_mixture(Track& track, const std::string& context);

}  // namespace unbraid::data
