#pragma once
// Collections of tracks with their stems, whatever their layout on disk.
//
//   data::DatasetPtr songs = data::open_dataset("babyslakh_16k");          // the format is recognised
//   for (std::size_t i = 0; i < songs->size(); ++i) {
//     const data::Track track = songs->track(i);                            // metadata; no audio yet
//     AudioBuffer mix = track.mixture->read(0, 160000);                     // ten seconds of it at 16 kHz
//     for (const data::TrackStem& stem : track.stems) use(stem.name, stem.audio->read(0, 160000));
//   }
//
// Opening lists folders and reads nothing else; track(i) reads the track's metadata; audio is read by its
// sources. Tracks come in the order of their names (bytewise, split after split, those without one first), so that an index means the
// same on every machine. Datasets are immutable: any number of threads may ask for tracks at once.

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "unbraid/data/audio_source.hpp"

namespace unbraid::data {

struct TrackStem {
  std::string name;        ///< unique within the track: "vocals", "S03"
  std::string instrument;  ///< what plays, where the dataset says more than the name: "Synth Pad"; else empty
  SourcePtr audio;
  std::map<std::string, std::string> metadata = {};  ///< the dataset's other fields of the stem, as text
};

struct Track {
  std::string name;
  std::string split = {};  ///< "train", "validation", "test", …; empty where the dataset has none
  double sample_rate = 0;  ///< Hz, of the mixture (of the first stem where there is none)
  SourcePtr mixture;       ///< the sum of the stems where the dataset has no file for it
  bool has_mixture_file = true;
  std::vector<TrackStem> stems;
  std::map<std::string, std::string> metadata = {};  ///< the dataset's other fields of the track, as text
  std::vector<std::string> warnings = {};            ///< what is wrong but survivable, such as a listed stem without a file
  /// Stems that the metadata lists and that have no file, by name, with the reason.
  std::map<std::string, std::string> missing = {};

  const TrackStem* find(std::string_view stem) const;
  /// The stem of that name; kNotFound lists the names there are.
  const TrackStem& stem(std::string_view name) const;
  std::vector<std::string> stem_names() const;
  /// 16 digits that say whether the mixture and the stems, their names and instruments are the same as another time, by
  /// AudioSource::fingerprint().
  std::string fingerprint() const;
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::size_t size() const = 0;
  /// index < size(). kFormat and kNotFound name the file that is damaged or missing.
  virtual Track track(std::size_t index) const = 0;
  /// Without reading anything.
  virtual std::string track_name(std::size_t index) const = 0;
  virtual std::string split(std::size_t index) const = 0;
  /// "slakh", "dsd100", "musdb18" (or "musdb18_stempeg": the same as stempeg read it for published scores: 16 bits, the
  /// encoder's padding at the end kept), "musdb18hq", "mixture_sources", "track_folders", "stem_pools", "manifest";
  /// the format of the underlying dataset for views.
  virtual std::string format() const = 0;
};

using DatasetPtr = std::shared_ptr<const Dataset>;

struct OpenOptions {
  std::string format = "auto";  ///< one of the names above; "auto" recognises it
  /// A JSON file that reassigns tracks to splits, as Slakh's split2 and redux are published: for every track
  /// {"action": null | "move" | "omit", "destination_split": …}. Omitted tracks are left out.
  std::filesystem::path split_file = {};
};

/// A folder of any known layout, a single track of one, or a CSV manifest. kNotFound when there is no such
/// path, kFormat when it is nothing that a reader knows, and when a split file leaves no track of it.
DatasetPtr open_dataset(const std::filesystem::path& path, const OpenOptions& options = {});

/// The index of a track by name; kNotFound with a hint.
std::size_t find_track(const Dataset& dataset, std::string_view name);

}  // namespace unbraid::data
