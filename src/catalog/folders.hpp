#pragma once
// Where the user's files lie, by the XDG base directory specification.

#include <filesystem>

namespace unbraid::catalog {

/// $XDG_CONFIG_HOME/unbraid or ~/.config/unbraid; empty without a home.
std::filesystem::path config_folder();

/// $XDG_CACHE_HOME/unbraid or ~/.cache/unbraid; empty without a home.
std::filesystem::path cache_folder();

/// The models that come with Unbraid: share/unbraid/models under the prefix that libunbraid is installed in, or, not
/// installed, beside its folder; empty when there are none.
std::filesystem::path bundled_folder();

}  // namespace unbraid::catalog
