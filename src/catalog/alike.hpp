#pragma once
// Names that a mistyped one may have meant.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unbraid::catalog {

/// Those that begin with it, if it has three letters or more, or are two edits away from it at most: the nearest
/// eight, the nearest first.
std::vector<std::string> names_alike(std::string_view name, std::span<const std::string> known);

}  // namespace unbraid::catalog
