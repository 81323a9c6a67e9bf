#include "catalog/folders.hpp"

#include <cstdlib>

#include "unbraid/core/plugin.hpp"

namespace unbraid::catalog {

namespace {

std::filesystem::path folder(const char* variable, const char* below_home) {
  const char* const given = std::getenv(variable);
  if (given && *given == '/') return std::filesystem::path(given) / "unbraid";  // the specification: absolute or ignored
  const char* const home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / below_home / "unbraid" : std::filesystem::path();
}

}  // namespace

std::filesystem::path config_folder() { return folder("XDG_CONFIG_HOME", ".config"); }

std::filesystem::path cache_folder() { return folder("XDG_CACHE_HOME", ".cache"); }

std::filesystem::path bundled_folder() {
  // lib or lib/<architecture>, or the build's lib
  const std::filesystem::path library = library_folder();
  for (const auto& prefix : {library.parent_path(), library.parent_path().parent_path()})
    if (const auto folder = prefix / "share/unbraid/models"; std::filesystem::is_directory(folder)) return folder;
  return {};
}

}  // namespace unbraid::catalog
