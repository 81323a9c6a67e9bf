#pragma once
// Datasets made of datasets. Views compose and copy no audio.
//
//   auto train = data::with_split(data::open_dataset("musdb18hq"), "train");
//   auto items = data::cached(data::shuffled(data::excerpts(train, {.length_s = 7, .hop_s = 7}), seed),
//                             {.budget_bytes = 4ull << 30});

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "unbraid/data/dataset.hpp"

namespace unbraid::data {

/// The tracks at these indices, in this order; an index may repeat. kUsage when one is out of range.
DatasetPtr subset(DatasetPtr dataset, std::vector<std::size_t> indices);

/// The tracks of one split; kNotFound lists the splits there are.
DatasetPtr with_split(DatasetPtr dataset, std::string_view split);

/// A random order, the same for the same seed everywhere.
DatasetPtr shuffled(DatasetPtr dataset, std::uint64_t seed);

/// One dataset after the other.
DatasetPtr concatenated(std::vector<DatasetPtr> datasets);

struct ExcerptOptions {
  double start_s = 0;   ///< where the first excerpt of a track begins, ≥ 0
  double length_s = 0;  ///< > 0
  double hop_s = 0;     ///< from one excerpt to the next; 0: one excerpt per track
  /// Of several excerpts per track, whether the last one may be shorter than length_s. A track's only excerpt
  /// may.
  bool keep_short_tail = false;

  void validate() const;
};

/// Every track cut into excerpts; with hop_s > 0 the items are named "<track>@<start in seconds>". Opens
/// every track once to learn its length when hop_s > 0.
DatasetPtr excerpts(DatasetPtr dataset, const ExcerptOptions& options);

/// Only these stems, in this order; a track without one of them is kNotFound when it is asked for.
DatasetPtr with_stems(DatasetPtr dataset, std::vector<std::string> names);

/// Stems under other names: {"vocals_extra", "vocals"}. A name that another stem of the track has is kFormat when
/// the track is asked for.
DatasetPtr renamed(DatasetPtr dataset, std::map<std::string, std::string> names);

/// The tracks whose names fit one of the patterns (none given: all) and none of those to leave out.
DatasetPtr with_names(DatasetPtr dataset, const std::vector<std::string>& patterns, const std::vector<std::string>& left_out = {});

/// All audio at one sample rate (whole hertz). A source of another rate is converted whole when any of it is read:
/// put a cache behind it.
DatasetPtr at_rate(DatasetPtr dataset, double sample_rate);

/// How stems are summed to fewer ones, as the submix definition files of the Slakh utilities write it:
///   Mixing key: inst_class          (or any field of the stem's metadata, such as program_num)
///   Recipes: {Bass: [Bass], Drums: [Drums], …}
struct SubmixRecipe {
  static constexpr std::string_view kResiduals = "residuals";
  std::string key = "inst_class";
  struct Part {
    std::string name;
    std::vector<std::string> values;  ///< of the key, as text
  };
  std::vector<Part> parts;

  /// kFormat for a damaged file, a value used twice or the reserved name "residuals".
  static SubmixRecipe load(const std::filesystem::path& yaml);
  /// Bass, Drums, Guitar, Piano by inst_class; everything else becomes residuals.
  static SubmixRecipe four_stems();
};

/// Stems summed by a recipe. Every part exists in every track, silent where nothing plays it, then
/// "residuals" with what no part asked for.
DatasetPtr submixed(DatasetPtr dataset, SubmixRecipe recipe);

struct CacheOptions {
  std::uint64_t budget_bytes = 1ull << 30;  ///< of decoded audio; the least recently used goes first
  bool sixteen_bit = false;                 ///< keep 16 bits per sample, of each source's peak: half the memory, −98 dB of noise
};

/// Keeps decoded audio in memory. A source larger than the budget is read through. Thread-safe.
DatasetPtr cached(DatasetPtr dataset, const CacheOptions& options = {});

}  // namespace unbraid::data
