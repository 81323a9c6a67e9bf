#include "unbraid/core/shared_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid {

SharedLibrary::SharedLibrary(std::string file, const std::string& advice)
    : file_(std::move(file)), handle_(dlopen(file_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) throw Error{ErrorCode::kUnsupported, advice, file_};
}

void* SharedLibrary::address(const char* name) const {
  void* const found = dlsym(handle_, name);
  if (!found) throw Error{ErrorCode::kUnsupported, fmt::format("lacks the function {}", name), file_};
  return found;
}

}  // namespace unbraid
