// unbraid models pull, rm, and verify and import for models by name: those on this machine.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "progress_bar.hpp"
#include "unbraid/catalog/model_card.hpp"
#include "unbraid/catalog/model_store.hpp"
#include "unbraid/catalog/neural.hpp"
#include "unbraid/catalog/recipe.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

using Json = nlohmann::ordered_json;

void print_done(const Session& session, const char* verb, const std::string& name) {
  const catalog::ModelStore store;
  if (session.json)
    fmt::print("{}\n", Json{{"schema", "unbraid.models/1"}, {verb, name}, {"folder", (store.folder() / name).string()}}.dump());
  else fmt::print("{} {}\n", verb, name);
}

std::string terms(const catalog::ModelCard& card) {
  return fmt::format("licence: {}; commercial use: {}", card.licence.value_or("not stated"),
                     card.commercial_use ? (*card.commercial_use ? "allowed" : "not allowed") : "not stated");
}

void pull(const std::vector<std::string>& names, const Session& session) {
  ThreadPool pool(1);
  ProgressBar bar(!session.quiet);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  std::vector<catalog::ModelCard> cards;
  for (const std::string& name : names) cards.push_back(catalog::find_card(name));  // before any work: unknown names
  for (const catalog::ModelCard& card : cards) {
    bar.set_title(card.name);
    if (!session.quiet) fmt::print(stderr, "unbraid: {}: {}\n", card.name, terms(card));
    catalog::ModelStore().pull(card, run);
    bar.clear();
    print_done(session, "pulled", card.name);
  }
}

}  // namespace

void add_models_store(CLI::App& models, Session& session) {
  const auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* const pull_verb = models.add_subcommand("pull", "download models of the catalogue");
  pull_verb->add_option("model", *names, "names of the catalogue")->type_name("MODEL")->required();
  pull_verb->callback([names, &session] { pull(*names, session); });

  CLI::App* const remove_verb = models.add_subcommand("rm", "remove downloaded or imported models");
  remove_verb->add_option("model", *names, "which ones")->type_name("INSTALLED")->required();
  remove_verb->callback([names, &session] {
    for (const std::string& name : *names) {
      catalog::ModelStore().remove(name, session.cancel);
      print_done(session, "removed", name);
    }
  });
}

void verify_installed(std::vector<std::string> names, const Session& session) {
  const catalog::ModelStore store;
  if (names.empty()) names = store.names();
  ThreadPool pool(1);
  RunContext run{.pool = pool, .cancel = session.cancel};
  Json files = Json::array();
  bool good = true;
  for (const std::string& name : names)
    for (const catalog::FileCheck& check : store.verify(name, run)) {
      good = good && check.good;
      files.push_back({{"model", name}, {"file", check.file}, {"good", check.good}, {"problem", check.problem}});
      if (!session.json) fmt::print("{}: {}: {}\n", name, check.file, check.good ? "good" : check.problem);
    }
  if (session.json) fmt::print("{}\n", Json{{"schema", "unbraid.models/1"}, {"verified", files}, {"good", good}}.dump());
  if (!good) throw Error{ErrorCode::kFormat, "some files are damaged", "models verify"};
}

namespace {

/// What a model is made of: weights and configuration, the files of a folder, a recipe with what lies beside it.
std::vector<catalog::ImportedFile> parts_of(const ModelFiles& files) {
  namespace fs = std::filesystem;
  std::vector<catalog::ImportedFile> parts;
  if (fs::is_directory(files.weights)) {
    for (const auto& entry : fs::directory_iterator(files.weights))
      for (const char* ending : {".pth", ".pt", ".safetensors", ".json"})
        if (entry.is_regular_file() && entry.path().extension() == ending) parts.push_back({.path = entry.path()});
    std::ranges::sort(parts, {}, &catalog::ImportedFile::path);
    if (parts.empty()) throw Error{ErrorCode::kNotFound, "the folder has no weights", files.weights.string()};
    return parts;
  }
  if (catalog::is_recipe(files.weights)) {
    for (const fs::path& file : catalog::recipe_files(files.weights)) parts.push_back({.path = file});
    parts.push_back({.role = catalog::FileRole::kBag, .path = files.weights});
    return parts;
  }
  parts.push_back({.path = files.weights});
  if (!files.config.empty()) parts.push_back({.role = catalog::FileRole::kConfig, .path = files.config});
  return parts;
}

}  // namespace

void import_to_store(const ModelFiles& files, const std::map<std::string, std::string>& facts, const Session& session) {
  namespace fs = std::filesystem;
  if (!fs::exists(files.weights)) throw Error{ErrorCode::kNotFound, "no such file", files.weights.string()};
  const std::vector<catalog::ImportedFile> parts = parts_of(files);
  const auto fact = [&](const char* key) {
    const auto found = facts.find(key);
    return found == facts.end() ? std::nullopt : std::optional(found->second);
  };
  catalog::ModelCard card;
  const fs::path path = files.weights.has_filename() ? files.weights : files.weights.parent_path();
  card.name = fact("name").value_or(path.stem().string());
  if (const auto author = fact("author")) card.authors = {*author};
  card.training_data = fact("training");
  card.licence = fact("licence");
  card.note = fact("description");
  card.source = fact("source").value_or("imported");
  // Opened once: do weights and configuration fit?
  if (catalog::is_recipe(files.weights)) {
    card.family = "recipe";
    card.stems = catalog::recipe_method(files.weights, {.device = "cpu"}).stems;
  } else {
    const ModelFacts found = catalog::neural_backend().facts(files);
    card.family = found.family;
    card.stems = found.stems;
  }
  ThreadPool pool(1);
  RunContext run{.pool = pool, .cancel = session.cancel};
  catalog::ModelStore().import(card, parts, run);
  print_done(session, "imported", card.name);
}

}  // namespace unbraid::app
