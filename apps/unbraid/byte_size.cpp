#include "byte_size.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace unbraid::app {

namespace {

std::optional<std::uint64_t> parse(const std::string& text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc()) return std::nullopt;
  std::string unit = CLI::detail::to_lower(std::string(rest, end));
  if (unit.ends_with('b')) unit.pop_back();
  const double base = unit.ends_with('i') ? 1024.0 : 1000.0;
  if (base == 1024.0) unit.pop_back();
  constexpr std::string_view kUnits = "kmgt";
  const std::size_t power = unit.empty() ? 0 : kUnits.find(unit) + 1;
  if (unit.size() > 1 || (power == 0 && (!unit.empty() || base == 1024.0))) return std::nullopt;
  const double bytes = std::floor(number * std::pow(base, static_cast<double>(power)));
  if (!(bytes >= 1.0 && bytes < 0x1p63)) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

CLI::Validator byte_size() {
  const auto transform = [](std::string& text) {
    const std::optional<std::uint64_t> bytes = parse(text);
    if (!bytes) return fmt::format("{}: not an amount of memory such as 500M, 2G or 1.5GiB", text);
    text = std::to_string(*bytes);
    return std::string();
  };
  return CLI::Validator(transform, "");
}

}  // namespace unbraid::app
