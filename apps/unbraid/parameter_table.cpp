#include "parameter_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <string>

#include "unbraid/report/text_table.hpp"

namespace unbraid::app {

namespace {

using Json = nlohmann::ordered_json;

/// "1 … 10", "soft, hard" or nothing.
std::string range_of(const Parameter& parameter) {
  if (!parameter.choices.empty()) return fmt::format("{}", fmt::join(parameter.choices, ", "));
  const bool low = std::isfinite(parameter.minimum), high = std::isfinite(parameter.maximum);
  if (low && high) return fmt::format("{:g} … {:g}", parameter.minimum, parameter.maximum);
  if (low) return fmt::format("≥ {:g}", parameter.minimum);
  return high ? fmt::format("≤ {:g}", parameter.maximum) : "";
}

}  // namespace

nlohmann::ordered_json parameter_json(const Parameter& parameter) {
  const auto limit = [](double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); };
  return {{"name", parameter.name},
          {"help", parameter.help},
          {"unit", parameter.unit},
          {"type", type_name(parameter.value)},
          {"default", std::visit([](const auto& value) { return Json(value); }, parameter.value)},
          {"minimum", limit(parameter.minimum)},
          {"maximum", limit(parameter.maximum)},
          {"choices", parameter.choices},
          {"source", parameter.source}};
}

void print_parameters(const std::vector<Parameter>& parameters) {
  if (parameters.empty()) return;
  report::TextTable table({{"parameter"}, {"default"}, {"unit"}, {"range"}, {"what it is"}, {"from"}});
  for (const Parameter& p : parameters) table.add_row({p.name, to_string(p.value), p.unit, range_of(p), p.help, p.source});
  fmt::print("\n{}", table.to_string());
}

}  // namespace unbraid::app
