#pragma once
// What methods share whose sources have no names, only numbers: "source1", "source2", …
//
//   .stems = source_names(2), .parameters = {sources_parameter(2), …}
//   SeparatorInfo info = info_of_sources(format, number_of_sources(values));

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "unbraid/separator/separator.hpp"

namespace unbraid::classic {

inline std::vector<std::string> source_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= count; ++i) names.push_back("source" + std::to_string(i));
  return names;
}

inline Parameter sources_parameter(std::int64_t usual) {
  return {.name = "sources", .help = "how many sources to look for", .value = usual, .minimum = 2, .maximum = 16};
}

inline std::size_t number_of_sources(const ParameterValues& values) { return static_cast<std::size_t>(values.integer("sources")); }

/// Of a separator that needs the whole track.
inline SeparatorInfo info_of_sources(const StreamFormat& format, std::size_t sources) {
  return {.stems = source_names(sources), .sample_rate = format.sample_rate, .channels = format.channels, .blocks = WholeTrack{}};
}

}  // namespace unbraid::classic
