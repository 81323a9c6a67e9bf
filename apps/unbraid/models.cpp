// unbraid models: what can separate, and how it can be set.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "unbraid/catalog/methods.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

using Json = nlohmann::ordered_json;

Json parameter_json(const Parameter& parameter) {
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

void print_json(std::span<const Method> methods) {
  Json list = Json::array();
  for (const Method& method : methods) {
    Json parameters = Json::array();
    for (const Parameter& parameter : method.parameters) parameters.push_back(parameter_json(parameter));
    list.push_back({{"name", method.name},
                    {"summary", method.summary},
                    {"paper", method.paper},
                    {"stems", method.stems},
                    {"whole_track", method.whole_track},
                    {"default", method.name == catalog::methods().front().name},
                    {"parameters", parameters}});
  }
  fmt::print("{}\n", Json{{"schema", "unbraid.models/1"}, {"methods", list}}.dump());
}

void print_list() {
  report::TextTable table({{"method"}, {"stems"}, {"what it does"}});
  for (const Method& method : catalog::methods())
    table.add_row({method.name, fmt::format("{}", fmt::join(method.stems, ", ")), method.summary});
  fmt::print("{}", table.to_string());
}

/// "1 … 10", "soft, hard" or nothing.
std::string range_of(const Parameter& parameter) {
  if (!parameter.choices.empty()) return fmt::format("{}", fmt::join(parameter.choices, ", "));
  const bool low = std::isfinite(parameter.minimum), high = std::isfinite(parameter.maximum);
  if (low && high) return fmt::format("{:g} … {:g}", parameter.minimum, parameter.maximum);
  if (low) return fmt::format("≥ {:g}", parameter.minimum);
  return high ? fmt::format("≤ {:g}", parameter.maximum) : "";
}

void print_info(const Method& method) {
  fmt::print("{}: {}\n", method.name, method.summary);
  fmt::print("stems: {}\n", fmt::join(method.stems, ", "));
  fmt::print("memory: {}\n", method.whole_track ? "grows with the track" : "the same for every length");
  if (!method.paper.empty()) fmt::print("from: {}\n", method.paper);
  if (method.parameters.empty()) return;
  report::TextTable table({{"parameter"}, {"default"}, {"unit"}, {"range"}, {"what it is"}, {"from"}});
  for (const Parameter& p : method.parameters)
    table.add_row({p.name, to_string(p.value), p.unit, range_of(p), p.help, p.source});
  fmt::print("\n{}", table.to_string());
}

}  // namespace

void add_models(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("models", "list separation methods and their parameters");
  verb->require_subcommand(0, 1);
  const auto list = [&session] {
    if (session.json)
      print_json(catalog::methods());
    else
      print_list();
  };
  verb->callback([verb, list] {
    if (verb->get_subcommands().empty()) list();
  });
  verb->add_subcommand("ls", "the methods of this build, the default first")->callback(list);

  CLI::App* const info = verb->add_subcommand("info", "one method with its parameters");
  const auto name = std::make_shared<std::string>();
  info->add_option("method", *name, "which one")->type_name("METHOD")->required();
  info->callback([name, &session] {
    const Method& method = catalog::find(*name);
    if (session.json)
      print_json({&method, 1});
    else
      print_info(method);
  });
  add_models_parity(*verb, session);
}

}  // namespace unbraid::app
