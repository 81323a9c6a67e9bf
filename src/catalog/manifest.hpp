#pragma once
// models.json, compiled into the library.

#include <string_view>

namespace unbraid::catalog {

std::string_view built_in_manifest();

}  // namespace unbraid::catalog
