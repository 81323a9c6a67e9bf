#pragma once
// Parameters declared once; command-line help, the C API, reference pages and forms all come from the declaration.
//
//   const std::vector<Parameter> declared{
//       {.name = "margin", .help = "how much louder a bin must be", .value = 1.0, .minimum = 1.0, .maximum = 10.0}};
//   ParameterValues values = ParameterValues::resolve(declared, {{"margin", "2.5"}});
//   double margin = values.number("margin");

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace unbraid {

/// The type of a parameter is the type of its default.
using ParameterValue = std::variant<bool, std::int64_t, double, std::string>;

struct Parameter {
  std::string name;                                           ///< snake_case, with the unit where it has one: "kernel_frames"
  std::string help;                                           ///< one line, no full stop
  std::string unit = {};                                      ///< "Hz", "s", "frames", "dB"; empty for ratios and counts
  ParameterValue value;                                       ///< the default
  double minimum = -std::numeric_limits<double>::infinity();  ///< inclusive; numbers only
  double maximum = std::numeric_limits<double>::infinity();   ///< inclusive; numbers only
  std::vector<std::string> choices = {};                      ///< strings only; empty: any
  std::string source = {};                                    ///< where the default comes from: paper, equation
  bool required = false;                                      ///< the default is no value: one must be given
};

/// "bool", "integer", "number" or "text".
std::string_view type_name(const ParameterValue& value);
std::string to_string(const ParameterValue& value);

class ParameterValues {
 public:
  /// The defaults, overridden by texts such as {"margin", "2.5"}. kUsage for an unknown name (the message lists the
  /// known ones), a text that is not of the parameter's type, a value out of range or not among the choices, and a
  /// required parameter that is not given.
  static ParameterValues resolve(const std::vector<Parameter>& declared, const std::map<std::string, std::string>& overrides = {});

  bool flag(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  const std::string& text(std::string_view name) const;

  const std::map<std::string, ParameterValue, std::less<>>& all() const noexcept { return values_; }

 private:
  std::map<std::string, ParameterValue, std::less<>> values_;
};

}  // namespace unbraid
