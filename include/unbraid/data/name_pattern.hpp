#pragma once
// Names of tracks by pattern, as recipes and configurations write them: "kumi_*", "*_003".

#include <string_view>

namespace unbraid::data {

/// Whether the whole name fits the pattern, in which * stands for any characters, also none.
bool fits_pattern(std::string_view name, std::string_view pattern);

}  // namespace unbraid::data
