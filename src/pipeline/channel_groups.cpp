#include "pipeline/channel_groups.hpp"

#include <algorithm>

namespace unbraid {

namespace {

bool stands_alone(std::size_t channel, std::size_t input) {
  const bool has_centre = input == 3 || input >= 5;
  const bool has_low_frequency = input >= 6;
  const bool has_single_back = input == 7;
  return (channel == 2 && has_centre) || (channel == 3 && has_low_frequency) || (channel == 4 && has_single_back);
}

}  // namespace

std::vector<std::vector<std::size_t>> channel_groups(std::size_t input, std::size_t wanted) {
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t first = 0; first < input; first += groups.back().size()) {
    const bool alone = wanted == 2 && input > 2 && stands_alone(first, input);
    const std::size_t count = alone ? 1 : std::min(wanted, input - first);
    groups.emplace_back();
    for (std::size_t c = 0; c < count; ++c) groups.back().push_back(first + c);
  }
  return groups;
}

}  // namespace unbraid
