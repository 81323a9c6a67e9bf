#include "declarations.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <variant>

#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_card.hpp"
#include "unbraid/catalog/model_store.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::app {

namespace {

/// The verb itself and its option groups, which are nameless verbs to CLI11.
std::vector<const CLI::App*> with_groups(const CLI::App& verb) {
  std::vector<const CLI::App*> all{&verb};
  for (const CLI::App* sub : verb.get_subcommands([](const CLI::App* a) { return a->get_name().empty(); })) {
    all.push_back(sub);
  }
  return all;
}

/// What stands between the braces of a set's description, such as "TEXT:{wav,flac}".
std::string members(const std::string& type_name) {
  const std::size_t open = type_name.find('{');
  const std::size_t close = type_name.rfind('}');
  return open < close && close != std::string::npos ? type_name.substr(open + 1, close - open - 1) : "";
}

using Values = std::vector<std::pair<std::string, std::string>>;

void add_stems(const Method& method, Values& values) {
  for (const std::string& stem : method.stems) {
    const bool known = std::any_of(values.begin(), values.end(), [&](const auto& v) { return v.first == stem; });
    if (!known) values.emplace_back(stem, "");
  }
}

/// Names of models: those of the catalogue, those on this machine, or both.
void add_models(bool published, bool here, Values& values) try {
  const auto add = [&](const catalog::ModelCard& card) {
    const bool known = std::ranges::find(values, card.name, &Values::value_type::first) != values.end();
    if (!known) values.emplace_back(card.name, fmt::format("{}: {}", card.family, fmt::join(card.stems, ", ")));
  };
  if (here) std::ranges::for_each(catalog::ModelStore().all(), add);
  if (published) std::ranges::for_each(catalog::model_cards(), add);
} catch (const Error&) {
  // A damaged list or record: who uses it is told, and not who presses a key.
}

/// "margin=", or every "mask=soft" where the declaration lists the values.
void add_parameters(const Method& method, Values& values) {
  for (const Parameter& parameter : method.parameters) {
    std::vector<std::string> settings = parameter.choices;
    if (std::holds_alternative<bool>(parameter.value)) settings = {"true", "false"};
    if (settings.empty()) settings.emplace_back();
    for (const std::string& setting : settings) values.emplace_back(parameter.name + "=" + setting, parameter.help);
  }
}

}  // namespace

std::vector<const CLI::App*> shown_verbs(const CLI::App& verb) {
  return verb.get_subcommands([](const CLI::App* a) { return !a->get_name().empty() && !a->get_group().empty(); });
}

const CLI::App* find_verb(const CLI::App& verb, const std::string& name) {
  const auto found = verb.get_subcommands([&](const CLI::App* a) { return a->check_name(name); });
  return found.empty() ? nullptr : found.front();
}

std::vector<const CLI::Option*> shown_options(const CLI::App& verb) {
  std::vector<const CLI::Option*> shown;
  for (const CLI::App* part : with_groups(verb)) {
    for (const CLI::Option* option : part->get_options()) {
      if (!option->get_group().empty() && option->nonpositional()) shown.push_back(option);
    }
  }
  return shown;
}

std::vector<const CLI::Option*> positionals(const CLI::App& verb) {
  std::vector<const CLI::Option*> found;
  for (const CLI::App* part : with_groups(verb)) {
    for (const CLI::Option* option : part->get_options()) {
      if (option->get_positional()) found.push_back(option);
    }
  }
  return found;
}

const CLI::Option* positional_at(const CLI::App& verb, std::size_t count) {
  for (const CLI::Option* option : positionals(verb)) {
    const auto takes = static_cast<std::size_t>(std::max(option->get_items_expected_max(), 1));
    if (count < takes) return option;
    count -= takes;
  }
  return nullptr;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

bool names_file(const std::string& type_name) {
  return type_name.find("FILE") != std::string::npos || type_name.find("PATH") != std::string::npos;
}

std::string value_label(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  std::string choices = members(type);
  if (!choices.empty()) {
    std::replace(choices.begin(), choices.end(), ',', '|');
    return choices;
  }
  const std::size_t colon = type.find(':');
  std::string check = colon == std::string::npos ? "" : type.substr(colon + 1);
  for (const char* name : {"FILE", "PATH", "DIR"}) {
    if (check.starts_with(name)) return check;
  }
  return type.substr(0, colon);
}

Values values_of(const CLI::Option& option, const std::string& method) {
  const std::string type = option.get_type_name();
  Values values;
  for (const std::string& choice : CLI::detail::split(members(type), ',')) {
    if (!choice.empty()) values.emplace_back(choice, "");
  }
  if (type.starts_with("METHOD")) {
    for (const Method& known : catalog::methods()) values.emplace_back(known.name, known.summary);
  }
  const bool any = type.starts_with("METHOD");
  if (const bool published = type.starts_with("MODEL"), here = type.starts_with("INSTALLED"); any || published || here)
    add_models(any || published, any || here, values);
  for (const Method& known : catalog::methods()) {
    if (!method.empty() && known.name != method) continue;
    if (type.starts_with("STEM")) add_stems(known, values);
    if (type.starts_with("PARAM")) add_parameters(known, values);
  }
  return values;
}

}  // namespace unbraid::app
