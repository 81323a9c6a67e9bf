#include "unbraid/core/plugin.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

/// The folder that this very code was loaded from.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || !info.dli_fname) return {};
  return std::filesystem::path(info.dli_fname).parent_path();
}

[[noreturn]] void fail(const std::string& file, std::string reason) {
  if (reason.starts_with(file + ": ")) reason.erase(0, file.size() + 2);  // the loader names it, the error does too
  throw Error{ErrorCode::kUnsupported,
              "cannot open this part of Unbraid (install it beside libunbraid): " + reason, file};
}

}  // namespace

void* plugin_address(const std::string& name, const char* function) {
  const std::string file = (own_folder() / fmt::format("libunbraid_{}.so", name)).string();
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) fail(file, dlerror());
  using VersionFunction = const char*();
  const auto built_as = reinterpret_cast<VersionFunction*>(dlsym(library, "unbraid_plugin_version"));
  if (!built_as) fail(file, "it is not a plugin");
  if (version() != built_as())
    fail(file, fmt::format("version {}, where {} is needed", built_as(), version()));
  void* const address = dlsym(library, function);
  if (!address) fail(file, fmt::format("it lacks {}", function));
  return address;
}

}  // namespace unbraid
