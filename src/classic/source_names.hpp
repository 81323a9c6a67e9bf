#pragma once
// Names for sources that have none: "source1", "source2", …

#include <cstddef>
#include <string>
#include <vector>

namespace unbraid::classic {

inline std::vector<std::string> source_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= count; ++i) names.push_back("source" + std::to_string(i));
  return names;
}

}  // namespace unbraid::classic
