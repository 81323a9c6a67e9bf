#include "unbraid/catalog/methods.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {

constexpr std::size_t kAlike = 2;  // edits between names that one may be a slip of the other

/// Insertions, deletions and substitutions that turn a into b (Wagner and Fischer, 1974).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

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
  std::vector<std::string> alike, known;
  for (const Method& method : methods()) {
    known.push_back(method.name);
    const bool begins = name.size() >= 3 && method.name.starts_with(name);
    if (begins || edit_distance(method.name, name) <= kAlike) alike.push_back(method.name);
  }
  const std::string message = alike.empty() ? fmt::format("no such method; there are {}", fmt::join(known, ", "))
                                            : fmt::format("no such method; did you mean {}?", fmt::join(alike, " or "));
  throw Error{ErrorCode::kUsage, message, std::string(name)};
}

}  // namespace unbraid::catalog
