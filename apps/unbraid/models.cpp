// unbraid models: what can separate, and how it can be set.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "parameter_table.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_method.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

using Json = nlohmann::ordered_json;

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

void print_info(const Method& method) {
  fmt::print("{}: {}\n", method.name, method.summary);
  fmt::print("stems: {}\n", fmt::join(method.stems, ", "));
  fmt::print("memory: {}\n", method.whole_track ? "grows with the track" : "the same for every length");
  if (!method.paper.empty()) fmt::print("from: {}\n", method.paper);
  print_parameters(method.parameters);
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

  CLI::App* const info = verb->add_subcommand("info", "one method, or a model's file, with its parameters");
  const auto name = std::make_shared<std::string>();
  const auto config = std::make_shared<std::string>();
  info->add_option("method", *name, "which one: a name, or a model's weights")->type_name("METHOD")->required();
  info->add_option("--config", *config, "the configuration that belongs to the weights")->type_name("FILE");
  info->callback([name, config, &session] {
    if (catalog::names_model_file(*name)) return print_model_file({.weights = *name, .config = *config}, session.json);
    const Method& method = catalog::find(*name);
    if (session.json)
      print_json({&method, 1});
    else
      print_info(method);
  });
  add_models_parity(*verb, session);
  add_models_files(*verb, session);
}

}  // namespace unbraid::app
