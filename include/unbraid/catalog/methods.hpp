#pragma once
// Every separation method this build knows, by name.
//
//   const Method& method = catalog::find("hpss");
//   auto separator = method.make(format, ParameterValues::resolve(method.parameters), seed);
//
// The list is made once, never changes, and may be read from any thread.

#include <span>
#include <string_view>

#include "unbraid/separator/separator.hpp"

namespace unbraid::catalog {

/// In the order in which people should see them; the first one is the default.
std::span<const Method> methods();

/// nullptr when there is none of that name.
const Method* find_method(std::string_view name);

/// kUsage when there is none of that name; the message offers the names that are spelt alike, else all.
const Method& find(std::string_view name);

}  // namespace unbraid::catalog
