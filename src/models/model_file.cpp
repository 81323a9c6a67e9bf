#include "models/model_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/adapters.hpp"
#include "models/family.hpp"
#include "models/state.hpp"
#include "unbraid/core/version.hpp"

namespace unbraid::models {

namespace {

using Json = nlohmann::ordered_json;
using Metadata = std::map<std::string, std::string>;

constexpr const char* kLayout = "1";

const std::string& entry(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) throw Error{ErrorCode::kFormat, fmt::format("the metadata lacks {}", key)};
  return found->second;
}

/// JSON that others can read whatever the texts hold.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json card_json(const ModelCard& card) {
  Json json{{"name", card.name},       {"description", card.description}, {"author", card.author},
            {"licence", card.licence}, {"source", card.source},           {"training", card.training}};
  for (const auto& [key, value] : card.more) json.emplace(key, value);
  return json;
}

ModelCard card_of(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw Error{ErrorCode::kFormat, "unbraid.card is no JSON object"};
  ModelCard card;
  const std::map<std::string, std::string*> known{{"name", &card.name},     {"description", &card.description},
                                                  {"author", &card.author}, {"licence", &card.licence},
                                                  {"source", &card.source}, {"training", &card.training}};
  for (const auto& [key, value] : json.items()) {
    std::string content = value.is_string() ? value.get<std::string>() : text_of(value);
    const auto place = known.find(key);
    (place != known.end() ? *place->second : card.more[key]) = std::move(content);
  }
  return card;
}

/// The facts that stand beside the configuration.
Metadata facts_of(const ModelTraits& traits) {
  return {{"unbraid.architecture", traits.family},
          {"unbraid.stems", text_of(Json(traits.stems))},
          {"unbraid.sample_rate", fmt::format("{}", traits.sample_rate)},
          {"unbraid.channels", std::to_string(traits.channels)},
          {"unbraid.normalize", traits.normalize != Normalization::kNone ? "true" : "false"}};
}

}  // namespace

bool is_model_file(const checkpoint::Checkpoint& file) { return file.metadata.contains("unbraid.model"); }

void save_model(const std::filesystem::path& path, const Model& model, const ModelCard& card, checkpoint::Dtype dtype) {
  if (model.configuration().empty())
    throw Error{ErrorCode::kInternal, "a model without configuration cannot be saved", model.traits().family};
  Metadata metadata = facts_of(model.traits());
  metadata["format"] = "pt";
  metadata["unbraid.model"] = kLayout;
  metadata["unbraid.version"] = version();
  metadata["unbraid.configuration"] = without_adapters(Config::parse(model.configuration(), "its configuration")).text();
  metadata["unbraid.card"] = text_of(card_json(card));
  checkpoint::save_safetensors(path, save_state(model, dtype), metadata);
}

LoadedModel load_model(const checkpoint::Checkpoint& file) { return load_model(file, Config::parse("{}", "inference")); }

LoadedModel load_model(const checkpoint::Checkpoint& file, const Config& inference) {
  if (!is_model_file(file)) throw Error{ErrorCode::kFormat, "not a model file of Unbraid"};
  if (const std::string& layout = entry(file.metadata, "unbraid.model"); layout != kLayout)
    throw Error{ErrorCode::kUnsupported, fmt::format("model file of layout {}; this version reads {}", layout, kLayout)};
  const Config own = Config::parse(entry(file.metadata, "unbraid.configuration"), "unbraid.configuration");
  YAML::Node node = YAML::Clone(own.node());
  for (const auto& setting : inference.node()) node["inference"][setting.first.as<std::string>()] = setting.second;
  const Config config = Config::of(node, own.name());
  LoadedModel result{.model = make_contained_model(entry(file.metadata, "unbraid.architecture"), config, file.tensors),
                     .card = card_of(entry(file.metadata, "unbraid.card"))};
  for (const auto& [key, value] : facts_of(result.model->traits()))
    if (entry(file.metadata, key) != value)
      throw Error{ErrorCode::kFormat, fmt::format("{} is {}, but the configuration gives {}", key, entry(file.metadata, key), value)};
  load_state(*result.model, file.tensors, /*allow_partial=*/false);
  result.model->eval();
  return result;
}

LoadedModel load_model(const std::filesystem::path& path) {
  const checkpoint::Checkpoint file = checkpoint::load(path);
  try {
    return load_model(file);
  } catch (const Error& error) {
    throw Error{error.code(), error.what(), path.string()};
  }
}

}  // namespace unbraid::models
