// unbraid models ls, info: what can separate, and how it can be set.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "parameter_table.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_card.hpp"
#include "unbraid/catalog/model_method.hpp"
#include "unbraid/catalog/model_store.hpp"
#include "unbraid/report/text_table.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

using Json = nlohmann::ordered_json;

Json card_json(const catalog::ModelCard& card, bool installed) {
  const auto optional = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  Json scores = Json::array(), files = Json::array();
  for (const catalog::ModelScore& score : card.scores) {
    Json values = Json::object();
    for (const auto& [stem, value] : score.values) values[stem] = value;
    scores.push_back({{"metric", score.metric}, {"dataset", score.dataset}, {"values", values}});
  }
  for (const catalog::CardFile& file : card.files)
    files.push_back({{"role", to_string(file.role)},
                     {"name", file.name},
                     {"urls", file.urls},
                     {"sha256", file.sha256.empty() ? Json(nullptr) : Json(file.sha256)},
                     {"bytes", optional(file.bytes)}});
  return {{"name", card.name},
          {"family", card.family},
          {"authors", card.authors},
          {"stems", card.stems},
          {"bytes", optional(card.bytes())},
          {"installed", installed},
          {"default", card.name == catalog::usual_method()},
          {"paper", card.paper},
          {"scores", scores},
          {"training_data", optional(card.training_data)},
          {"licence", optional(card.licence)},
          {"commercial_use", optional(card.commercial_use)},
          {"note", optional(card.note)},
          {"source", card.source},
          {"files", files}};
}

Json method_json(const Method& method) {
  Json parameters = Json::array();
  for (const Parameter& parameter : method.parameters) parameters.push_back(parameter_json(parameter));
  return {{"name", method.name},     {"summary", method.summary},         {"paper", method.paper},
          {"stems", method.stems},   {"whole_track", method.whole_track}, {"default", method.name == catalog::usual_method()},
          {"parameters", parameters}};
}

void print_document(const Json& methods, const Json& models) {
  fmt::print("{}\n", Json{{"schema", "unbraid.models/1"}, {"methods", methods}, {"models", models}}.dump());
}

/// What `ls` shows of the catalogue, and in which order.
struct Filter {
  std::string stem, family, licence, sort = "name";
  bool installed = false;
};

bool contains_text(std::string_view text, std::string_view part) {
  return !std::ranges::search(text, part, [](char a, char b) { return std::tolower(a) == std::tolower(b); }).empty();
}

bool shows(const Filter& filter, const catalog::ModelCard& card, bool installed) {
  const bool stem = filter.stem.empty() || std::ranges::find(card.stems, filter.stem) != card.stems.end();
  const bool family = filter.family.empty() || card.family == filter.family;
  const bool licence =
      filter.licence.empty() || (filter.licence == "commercial" ? card.commercial_use == true
                                 : filter.licence == "stated"   ? card.licence.has_value()
                                                                : contains_text(card.licence.value_or("not stated"), filter.licence));
  return stem && family && licence && (installed || !filter.installed);
}

/// The score that cards are compared by: of the stem that was asked for, else the mean, of the first data set.
double quality(const catalog::ModelCard& card, const std::string& stem) {
  for (const catalog::ModelScore& score : card.scores) {
    if (stem.empty()) return score.mean();
    for (const auto& [name, value] : score.values)
      if (name == stem) return value;
  }
  return -std::numeric_limits<double>::infinity();
}

/// The cards of the catalogue and those that are only on this machine, each with whether it is there.
std::vector<std::pair<catalog::ModelCard, bool>> find_models(const Filter& filter) {
  std::map<std::string, std::pair<catalog::ModelCard, bool>> known;
  for (catalog::ModelCard& card : catalog::model_cards()) known.insert({card.name, {card, false}});
  for (catalog::ModelCard& card : catalog::ModelStore().all()) known[card.name] = {card, true};
  std::vector<std::pair<catalog::ModelCard, bool>> models;
  for (auto& [name, model] : known)
    if (shows(filter, model.first, model.second)) models.push_back(std::move(model));
  if (filter.sort == "quality")
    std::ranges::stable_sort(models, std::greater(), [&](const auto& model) { return quality(model.first, filter.stem); });
  if (filter.sort == "size")
    std::ranges::stable_sort(models, {}, [](const auto& model) { return model.first.bytes().value_or(UINT64_MAX); });
  return models;
}

std::string size_text(const std::optional<std::uint64_t>& bytes) {
  return bytes ? fmt::format("{} MB", (*bytes + 500'000) / 1'000'000) : "";
}

std::string score_text(const catalog::ModelCard& card, const std::string& stem) {
  const double value = quality(card, stem);
  return std::isfinite(value) ? fmt::format("{:.2f} {}", value, card.scores.front().dataset) : "";
}

void print_list(const Filter& filter, bool methods) {
  using report::Align;
  if (methods) {
    report::TextTable table({{"method"}, {"stems"}, {"what it does"}});
    for (const Method& method : catalog::methods())
      table.add_row({method.name, fmt::format("{}", fmt::join(method.stems, ", ")), method.summary});
    fmt::print("{}\n", table.to_string());
  }
  report::TextTable table({{"model"}, {"family"}, {"stems"}, {"size", Align::kRight}, {"SDR in dB"}, {"licence"}, {""}});
  for (const auto& [card, installed] : find_models(filter))
    table.add_row({card.name, card.family, fmt::format("{}", fmt::join(card.stems, ", ")), size_text(card.bytes()),
                   score_text(card, filter.stem), card.licence.value_or("not stated"),
                   !installed                             ? ""
                   : card.name == catalog::usual_method() ? "installed, the default"
                                                          : "installed"});
  fmt::print("{}", table.to_string());
}

void print_info(const Method& method) {
  fmt::print("{}: {}\n", method.name, method.summary);
  fmt::print("stems: {}\n", fmt::join(method.stems, ", "));
  fmt::print("memory: {}\n", method.whole_track ? "grows with the track" : "the same for every length");
  if (!method.paper.empty()) fmt::print("from: {}\n", method.paper);
  print_parameters(method.parameters);
}

void print_card(const catalog::ModelCard& card, bool installed) {
  fmt::print("{}: {}{}\n", card.name, card.family, installed ? ", installed" : "");
  const auto line = [](const char* title, const std::string& text) {
    if (!text.empty()) fmt::print("{}: {}\n", title, text);
  };
  line("authors", fmt::format("{}", fmt::join(card.authors, ", ")));
  line("stems", fmt::format("{}", fmt::join(card.stems, ", ")));
  line("paper", card.paper);
  for (const catalog::ModelScore& score : card.scores) {
    std::vector<std::string> values;
    for (const auto& [stem, value] : score.values) values.push_back(fmt::format("{} {:g}", stem, value));
    fmt::print("{} in dB on {}: {}\n", score.metric, score.dataset, fmt::join(values, ", "));
  }
  line("trained on", card.training_data.value_or("not stated"));
  line("licence", card.licence.value_or("not stated"));
  line("commercial use", !card.commercial_use ? "not stated" : *card.commercial_use ? "allowed" : "not allowed");
  line("note", card.note.value_or(""));
  line("facts from", card.source);
  for (const catalog::CardFile& file : card.files) {
    fmt::print("file: {} {}\n", file.name, size_text(file.bytes));
    for (const std::string& url : file.urls) fmt::print("  {}\n", url);
    if (!file.sha256.empty()) fmt::print("  SHA-256 {}{}\n", file.sha256, file.sha256.size() < 64 ? "…" : "");
  }
}

}  // namespace

void add_models(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("models", "list separation methods and models; get and check models");
  verb->require_subcommand(0, 1);
  const auto filter = std::make_shared<Filter>();
  const auto list = [filter, &session](bool methods) {
    if (!session.json) return print_list(*filter, methods);
    Json all = Json::array(), models = Json::array();
    if (methods)
      for (const Method& method : catalog::methods()) all.push_back(method_json(method));
    for (const auto& [card, installed] : find_models(*filter)) models.push_back(card_json(card, installed));
    print_document(all, models);
  };
  verb->callback([verb, list] {
    if (verb->get_subcommands().empty()) list(true);
  });
  CLI::App* const ls = verb->add_subcommand("ls", "the methods of this build, the default first, and the known models");
  ls->add_option("--stem", filter->stem, "only models that give this stem")->type_name("STEM");
  ls->add_option("--family", filter->family, "only models of this family")->type_name("FAMILY");
  ls->add_option("--licence", filter->licence, "only models whose licence contains this; stated; commercial (use allowed)")
      ->type_name("TEXT");
  ls->add_flag("--installed", filter->installed, "only models on this machine");
  ls->add_option("--sort", filter->sort, "by what")->check(CLI::IsMember({"name", "quality", "size"}))->capture_default_str();
  ls->callback([ls, list] { list(ls->count_all() == 1); });  // any filter is about models

  CLI::App* const info = verb->add_subcommand("info", "one method with its parameters, a model's file, or what is known of a model");
  const auto name = std::make_shared<std::string>();
  const auto config = std::make_shared<std::string>();
  info->add_option("method", *name, "which one: a name, or a model's weights")->type_name("METHOD")->required();
  info->add_option("--config", *config, "the configuration that belongs to the weights")->type_name("FILE");
  info->callback([name, config, &session] {
    if (catalog::names_model_file(*name)) return print_model_file({.weights = *name, .config = *config}, session.json);
    if (const Method* method = catalog::find_method(*name)) {
      if (session.json) print_document(Json::array({method_json(*method)}), Json::array());
      else print_info(*method);
      return;
    }
    const auto installed = catalog::ModelStore().installed(*name);
    const catalog::ModelCard card = installed ? *installed : catalog::find_card(*name);
    if (session.json) print_document(Json::array(), Json::array({card_json(card, installed.has_value())}));
    else print_card(card, installed.has_value());
  });
  add_models_store(*verb, session);
  add_models_files(*verb, session);
  add_models_parity(*verb, session);
}

}  // namespace unbraid::app
