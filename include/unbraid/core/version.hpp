#pragma once
// The version of the library, as in the file names and manifests it writes: "0.1.0".

#include <string_view>

namespace unbraid {

std::string_view version() noexcept;

}  // namespace unbraid
