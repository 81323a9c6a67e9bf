#include "catalog/alike.hpp"

#include <algorithm>

namespace unbraid::catalog {

namespace {

constexpr std::size_t kOffered = 8;
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

std::vector<std::string> names_alike(std::string_view name, std::span<const std::string> known) {
  std::vector<std::string> alike;
  for (const std::string& one : known)
    if ((name.size() >= 3 && one.starts_with(name)) || edit_distance(one, name) <= kAlike) alike.push_back(one);
  std::ranges::stable_sort(alike, {}, [&](const std::string& one) { return edit_distance(one, name); });
  alike.resize(std::min(alike.size(), kOffered));
  return alike;
}

}  // namespace unbraid::catalog
