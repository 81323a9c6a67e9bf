#pragma once
// Where the user's files lie, by the XDG base directory specification.

#include <filesystem>

namespace unbraid::catalog {

/// $XDG_CONFIG_HOME/unbraid or ~/.config/unbraid; empty without a home.
std::filesystem::path config_folder();

/// $XDG_CACHE_HOME/unbraid or ~/.cache/unbraid; kUsage without a home.
std::filesystem::path cache_folder();

}  // namespace unbraid::catalog
