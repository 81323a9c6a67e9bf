// unbraid models info FILE, import, export, verify: models that are files.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "parameter_table.hpp"
#include "unbraid/catalog/model_method.hpp"
#include "unbraid/catalog/neural.hpp"
#include "unbraid/catalog/recipe.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/pipeline/separate.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr StreamFormat kAnyFormat{.sample_rate = 44100, .channels = 2};  ///< of a recording to try a recipe on

struct Arguments {
  ModelFiles files;
  fs::path output;
  std::map<std::string, std::string> card;
  std::string precision = "fp32";
  bool overwrite = false;
};

void add_files(CLI::App& verb, Arguments& arguments, const char* what, const char* type) {
  verb.add_option("model", arguments.files.weights, what)->type_name(type)->required();
  verb.add_option("--config", arguments.files.config, "configuration that published weights may need")->type_name("FILE");
  verb.add_option("--lora", arguments.files.adapters, "low-rank adapters to merge into the weights")->type_name("FILE");
}

void refuse_existing(const fs::path& path, bool overwrite) {
  if (!overwrite && fs::exists(path)) throw Error{ErrorCode::kUsage, "is there already; --overwrite replaces it", path.string()};
}

void report(const Session& session, const char* key, const fs::path& path, const char* done) {
  if (session.json) fmt::print("{}\n", Json{{"schema", "unbraid.models/1"}, {key, path.string()}}.dump());
  else if (!session.quiet) fmt::print("{}: {}\n", path.string(), done);
}

/// A model of this machine where that is what is named, with what was given besides.
ModelFiles with_names(ModelFiles files) {
  const std::string name = files.weights.string();
  if (catalog::names_model_file(name) || fs::is_regular_file(files.weights)) return files;
  const ModelFiles installed = catalog::installed_files(name);
  files.weights = installed.weights;
  if (files.config.empty()) files.config = installed.config;
  return files;
}

/// A recipe's own facts. It takes the rate and channels of its first model, and leaves the number of weights open.
ModelFacts facts_of(const Method& recipe) {
  const auto separator = recipe.make(kAnyFormat, ParameterValues::resolve(recipe.parameters), 0);
  return {.family = "recipe", .stems = recipe.stems, .sample_rate = separator->info().sample_rate, .channels = separator->info().channels};
}

/// Opens all its models and runs them on a second of noise. kInternal when what comes out is not finite.
void verify_recipe(const fs::path& path, RunContext& run) {
  const Method recipe = catalog::recipe_method(path, {.device = "cpu"});
  const auto separator = recipe.make(kAnyFormat, ParameterValues::resolve(recipe.parameters), 0);
  AudioBuffer noise(kAnyFormat.channels, static_cast<std::size_t>(kAnyFormat.sample_rate));
  Rng rng(1);
  for (float& sample : noise.samples()) sample = static_cast<float>(rng.uniform(-0.5, 0.5));
  separate(noise, kAnyFormat.sample_rate, *separator, {}, run);
}

void add_import(CLI::App& models, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const verb =
      models.add_subcommand("import", "take a model among those on this machine, or with -o write it as one file of ours");
  add_files(*verb, *arguments, "a model file, published weights, a folder of Open-Unmix, or a recipe (YAML)", "FILE");
  verb->add_option("-o,--output", arguments->output, "the file to write: NAME.safetensors")->type_name("FILE");
  for (const char* key : {"name", "description", "author", "licence", "source", "training"})
    verb->add_option(fmt::format("--{}", key), arguments->card[key], fmt::format("the model's {}, for its card", key))->type_name("TEXT");
  CLI::Option* const precision = verb->add_option("--precision", arguments->precision, "of the stored weights")
                                     ->check(CLI::IsMember({"fp32", "fp16"}))
                                     ->capture_default_str();
  verb->add_flag("--overwrite", arguments->overwrite, "replace the file if it is there");
  verb->callback([arguments, precision, &session] {
    std::erase_if(arguments->card, [](const auto& entry) { return entry.second.empty(); });
    if (arguments->output.empty()) {
      if (!arguments->files.adapters.empty()) throw Error{ErrorCode::kUsage, "makes another model: -o FILE says where it goes", "--lora"};
      if (precision->count() > 0) throw Error{ErrorCode::kUsage, "makes another file: -o FILE says where it goes", "--precision"};
      if (arguments->overwrite)
        throw Error{ErrorCode::kUsage, "goes with -o FILE; unbraid models rm removes the model of that name", "--overwrite"};
      return import_to_store(arguments->files, arguments->card, session);
    }
    if (catalog::is_recipe(arguments->files.weights))
      throw Error{ErrorCode::kUsage, "is several models, and -o makes one file", arguments->files.weights.string()};
    refuse_existing(arguments->output, arguments->overwrite);
    catalog::neural_backend().import_model(arguments->files, arguments->output, arguments->card, arguments->precision == "fp16");
    report(session, "written", arguments->output, "written");
  });
}

void add_export(CLI::App& models, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const verb = models.add_subcommand("export", "write a model as config.yaml and model.safetensors, for other programs");
  add_files(*verb, *arguments, "a model of this machine by name, a model file, published weights, or a folder of Open-Unmix",
            "INSTALLED|FILE");
  verb->add_option("-o,--output", arguments->output, "the folder to write to")->type_name("DIR")->required();
  verb->add_flag("--overwrite", arguments->overwrite, "replace files that are there");
  verb->callback([arguments, &session] {
    const ModelFiles files = with_names(arguments->files);
    if (catalog::is_recipe(files.weights))
      throw Error{ErrorCode::kUsage, "is several models; export one of them", arguments->files.weights.string()};
    for (const char* name : {"config.yaml", "model.safetensors"}) refuse_existing(arguments->output / name, arguments->overwrite);
    catalog::neural_backend().export_model(files, arguments->output);
    report(session, "written", arguments->output, "written");
  });
}

void add_verify(CLI::App& models, Session& session) {
  const auto arguments = std::make_shared<Arguments>();
  const auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* const verb = models.add_subcommand(
      "verify", "whether a file is whole, finite and able to separate; whether models on this machine have their hashes");
  verb->add_option("model", *names, "a file, or names of models on this machine (default: all of them)")->type_name("INSTALLED|FILE");
  verb->add_option("--config", arguments->files.config, "configuration that published weights may need")->type_name("FILE");
  verb->callback([arguments, names, &session] {
    if (names->size() != 1 || !catalog::names_model_file(names->front())) return verify_installed(*names, session);
    arguments->files.weights = names->front();
    ThreadPool pool(session.threads);
    RunContext run{.pool = pool, .cancel = session.cancel};
    if (catalog::is_recipe(names->front())) verify_recipe(names->front(), run);
    else catalog::neural_backend().verify_model(arguments->files, run);
    report(session, "verified", arguments->files.weights, "sound");
  });
}

}  // namespace

void print_model_file(const ModelFiles& files, bool json) {
  ModelFacts facts;
  std::vector<Parameter> all;
  if (catalog::is_recipe(files.weights)) {
    const Method recipe = catalog::recipe_method(files.weights, {.device = "cpu"});
    facts = facts_of(recipe);
    all = recipe.parameters;
  } else {
    const auto model = catalog::neural_backend().open(files, {.device = "cpu"});
    facts = model->facts();
    all = model->parameters();
  }
  if (json) {
    Json parameters = Json::array();
    for (const Parameter& parameter : all) parameters.push_back(parameter_json(parameter));
    const Json document{{"schema", "unbraid.models/1"},
                        {"model",
                         {{"file", files.weights.string()},
                          {"family", facts.family},
                          {"stems", facts.stems},
                          {"sample_rate", facts.sample_rate},
                          {"channels", facts.channels},
                          {"weights", facts.parameters > 0 ? Json(facts.parameters) : Json(nullptr)},
                          {"details", facts.details},
                          {"parameters", parameters}}}};
    fmt::print("{}\n", document.dump(-1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  fmt::print("{}: {}", files.weights.string(), facts.family);
  if (facts.parameters > 0) fmt::print(", {} weights", facts.parameters);
  fmt::print("\n");
  fmt::print("stems: {}\n", fmt::join(facts.stems, ", "));
  fmt::print("works at: {:g} Hz, {} channel{}\n", facts.sample_rate, facts.channels, facts.channels == 1 ? "" : "s");
  for (const auto& [key, value] : facts.details)
    if (key != "configuration") fmt::print("{}: {}\n", key, value);
  print_parameters(all);
  if (const auto configuration = facts.details.find("configuration"); configuration != facts.details.end())
    fmt::print("\n{}\n", configuration->second);
}

void add_models_files(CLI::App& models, Session& session) {
  add_import(models, session);
  add_export(models, session);
  add_verify(models, session);
}

}  // namespace unbraid::app
