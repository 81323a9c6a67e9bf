#include "evaluate/track_pairs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "unbraid/core/error.hpp"

namespace unbraid::evaluate {

namespace {

/// The tracks behind every key, in their order.
template <class KeyOf>
auto indexed(std::span<const TrackId> tracks, const KeyOf& key_of) {
  std::map<decltype(key_of(tracks[0])), std::vector<std::size_t>> index;
  for (std::size_t i = 0; i < tracks.size(); ++i) index[key_of(tracks[i])].push_back(i);
  return index;
}

}  // namespace

TrackPairs pair_tracks(std::span<const TrackId> first, std::span<const TrackId> second) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> partner(first.size(), kNone);
  std::vector<bool> taken(second.size());
  const auto pair_by = [&](const auto& key_of) {
    const auto in_first = indexed(first, key_of), in_second = indexed(second, key_of);
    for (const auto& [key, mine] : in_first) {
      const auto found = in_second.find(key);
      if (found == in_second.end()) continue;
      const std::vector<std::size_t>& others = found->second;
      if (mine.size() == 1 && others.size() == 1) {
        if (partner[mine[0]] != kNone || taken[others[0]]) continue;
        partner[mine[0]] = others[0];
        taken[others[0]] = true;
        continue;
      }
      const auto free_mine = std::ranges::find_if(mine, [&](std::size_t i) { return partner[i] == kNone; });
      const auto free_other = std::ranges::find_if(others, [&](std::size_t i) { return !taken[i]; });
      if (free_mine == mine.end() || free_other == others.end()) continue;
      throw Error{ErrorCode::kFormat,
                  fmt::format("several tracks have this name ({} and {} of them), and it cannot be told which belong together: "
                              "give both sides the same split folders",
                              mine.size(), others.size()),
                  first[*free_mine].name};
    }
  };
  pair_by([](const TrackId& id) { return std::pair(id.split, id.name); });
  pair_by([](const TrackId& id) { return id.name; });

  TrackPairs pairs;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (partner[i] == kNone) pairs.only_first.push_back(i);
    else pairs.both.emplace_back(i, partner[i]);
  }
  for (std::size_t i = 0; i < second.size(); ++i)
    if (!taken[i]) pairs.only_second.push_back(i);
  return pairs;
}

}  // namespace unbraid::evaluate
