#pragma once
// Which tracks of two collections are the same.

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/evaluate/evaluate_track.hpp"

namespace unbraid::evaluate {

struct TrackPairs {
  std::vector<std::pair<std::size_t, std::size_t>> both;  ///< indices into the two, in the order of the first
  std::vector<std::size_t> only_first, only_second;
};

/// Tracks of the same split and name belong together; of those that are left, tracks of the same name where each
/// collection has only one of it. kFormat where it cannot be told which belong together.
TrackPairs pair_tracks(std::span<const TrackId> first, std::span<const TrackId> second);

}  // namespace unbraid::evaluate
