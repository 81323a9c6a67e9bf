#include "unbraid/core/plugin.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

std::filesystem::path file_of(const std::string& name) { return library_folder() / fmt::format("libunbraid_{}.so", name); }

[[noreturn]] void fail(const std::string& file, std::string reason) {
  if (reason.starts_with(file + ": ")) reason.erase(0, file.size() + 2);  // the loader names it, the error does too
  throw Error{ErrorCode::kUnsupported, "cannot open this part of Unbraid (install it beside libunbraid): " + reason, file};
}

}  // namespace

std::filesystem::path library_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&library_folder), &info) == 0 || !info.dli_fname) return {};
  return std::filesystem::absolute(info.dli_fname).parent_path();
}

bool plugin_exists(const std::string& name) { return std::filesystem::exists(file_of(name)); }

void* plugin_address(const std::string& name, const char* function) {
  const std::string file = file_of(name).string();
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) fail(file, dlerror());
  using VersionFunction = const char*();
  const auto built_as = reinterpret_cast<VersionFunction*>(dlsym(library, "unbraid_plugin_version"));
  if (!built_as) fail(file, "it is not a plugin");
  if (version() != built_as()) fail(file, fmt::format("version {}, where {} is needed", built_as(), version()));
  void* const address = dlsym(library, function);
  if (!address) fail(file, fmt::format("it lacks {}", function));
  return address;
}

}  // namespace unbraid
