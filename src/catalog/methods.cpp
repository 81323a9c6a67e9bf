#include "unbraid/catalog/methods.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "catalog/alike.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

std::span<const Method> methods() {
  static const std::vector<Method> all = classic::methods();
  return all;
}

const Method* find_method(std::string_view name) {
  for (const Method& method : methods())
    if (method.name == name) return &method;
  return nullptr;
}

const Method& find(std::string_view name) {
  if (const Method* method = find_method(name)) return *method;
  std::vector<std::string> known;
  for (const Method& method : methods()) known.push_back(method.name);
  const std::vector<std::string> alike = names_alike(name, known);
  const std::string message = alike.empty() ? fmt::format("no such method; there are {}", fmt::join(known, ", "))
                                            : fmt::format("no such method; did you mean {}?", fmt::join(alike, " or "));
  throw Error{ErrorCode::kUsage, message, std::string(name)};
}

}  // namespace unbraid::catalog
