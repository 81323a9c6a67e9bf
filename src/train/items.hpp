#pragma once
// What training sees: item i, a pure function of the configuration and i.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "train/config.hpp"
#include "unbraid/core/audio_buffer.hpp"

namespace unbraid::train {

struct Item {
  AudioBuffer mix;                   ///< [channel][frame]
  std::vector<AudioBuffer> targets;  ///< in the order of the model's stems
};

/// Any thread may ask for any item, in any order.
class Items {
 public:
  virtual ~Items() = default;
  virtual Item make(std::uint64_t index) const = 0;
  /// How many there are in all; 0: they have no end.
  virtual std::uint64_t count() const { return 0; }
  /// Where the item comes from, for messages.
  virtual std::string describe(std::uint64_t index) const = 0;
};

/// Every target as a sum of stems, by index: a stem of that name, or what `targets` says. kUsage for a target that is neither,
/// or stems that are not there.
std::vector<std::vector<std::size_t>> resolve_targets(const std::vector<std::string>& wanted,
                                                      const std::map<std::string, std::vector<std::string>>& targets,
                                                      const std::vector<std::string>& stems);

/// Mixtures by the recipe, or excerpts of songs in blocks. tracks: what open_sources() gave.
std::unique_ptr<Items> make_items(const TrainConfig& config, data::DatasetPtr tracks);

}  // namespace unbraid::train
