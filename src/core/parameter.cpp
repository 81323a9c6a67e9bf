#include "unbraid/core/parameter.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

template <class Number>
Number parse_number(const Parameter& parameter, const std::string& text) {
  Number value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size())
    throw Error{ErrorCode::kUsage,
                fmt::format("'{}' is not {} {}", text, std::is_integral_v<Number> ? "an" : "a", type_name(parameter.value)),
                parameter.name};
  const auto number = static_cast<double>(value);
  if (std::isnan(number) || number < parameter.minimum || number > parameter.maximum)
    throw Error{ErrorCode::kUsage, fmt::format("{} is out of range [{}, {}]", text, parameter.minimum, parameter.maximum), parameter.name};
  return value;
}

ParameterValue parse(const Parameter& parameter, const std::string& text) {
  if (std::holds_alternative<bool>(parameter.value)) {
    if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
    if (text == "false" || text == "0" || text == "no" || text == "off") return false;
    throw Error{ErrorCode::kUsage, fmt::format("'{}' is neither true nor false", text), parameter.name};
  }
  if (std::holds_alternative<std::int64_t>(parameter.value)) return parse_number<std::int64_t>(parameter, text);
  if (std::holds_alternative<double>(parameter.value)) return parse_number<double>(parameter, text);
  if (!parameter.choices.empty() && std::ranges::find(parameter.choices, text) == parameter.choices.end())
    throw Error{ErrorCode::kUsage, fmt::format("'{}' is not one of: {}", text, fmt::join(parameter.choices, ", ")), parameter.name};
  return text;
}

template <class T>
const T& get(const std::map<std::string, ParameterValue, std::less<>>& values, std::string_view name) {
  const auto found = values.find(name);
  const T* value = found == values.end() ? nullptr : std::get_if<T>(&found->second);
  if (!value) throw Error{ErrorCode::kInternal, "parameter was not declared with this type", std::string(name)};
  return *value;
}

}  // namespace

std::string_view type_name(const ParameterValue& value) {
  constexpr std::string_view kNames[] = {"bool", "integer", "number", "text"};
  return kNames[value.index()];
}

std::string to_string(const ParameterValue& value) {
  return std::visit([](const auto& v) { return fmt::format("{}", v); }, value);
}

ParameterValues ParameterValues::resolve(const std::vector<Parameter>& declared, const std::map<std::string, std::string>& overrides) {
  ParameterValues result;
  for (const Parameter& parameter : declared) result.values_[parameter.name] = parameter.value;
  for (const auto& [name, text] : overrides) {
    const auto parameter = std::ranges::find(declared, name, &Parameter::name);
    if (parameter == declared.end()) {
      std::vector<std::string> known(declared.size());
      std::ranges::transform(declared, known.begin(), &Parameter::name);
      throw Error{
          ErrorCode::kUsage,
          known.empty() ? "unknown parameter; there are none" : fmt::format("unknown parameter; there are: {}", fmt::join(known, ", ")),
          name};
    }
    result.values_[name] = parse(*parameter, text);
  }
  for (const Parameter& parameter : declared)
    if (parameter.required && !overrides.contains(parameter.name))
      throw Error{ErrorCode::kUsage, fmt::format("must be given: {}", parameter.help), parameter.name};
  return result;
}

bool ParameterValues::flag(std::string_view name) const { return get<bool>(values_, name); }
std::int64_t ParameterValues::integer(std::string_view name) const { return get<std::int64_t>(values_, name); }
double ParameterValues::number(std::string_view name) const { return get<double>(values_, name); }
const std::string& ParameterValues::text(std::string_view name) const { return get<std::string>(values_, name); }

}  // namespace unbraid
