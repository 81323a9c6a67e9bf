#include "models/demucs/package.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <vector>

#include "unbraid/core/error.hpp"

namespace unbraid::models::demucs {

namespace {

using checkpoint::Dict;
using checkpoint::List;
using checkpoint::Object;
using checkpoint::Value;

constexpr int kDeepest = 8;
constexpr std::size_t kMostValues = 10'000;  // a pickle's lists may be shared, so that few bytes stand for very many values
constexpr std::string_view kFraction = "fractions.Fraction";

/// Fraction(39, 5) or Fraction('39/5').
double fraction(const Object& object, const std::string& name) {
  const List* const arguments = object.arguments ? object.arguments->as<List>() : nullptr;
  std::vector<double> parts;
  if (arguments)
    for (const Value* item : arguments->items) {
      if (const auto* number = item->as<std::int64_t>()) parts.push_back(static_cast<double>(*number));
      if (const auto* text = item->as<std::string>()) {
        const char* at = text->data();
        const char* const end = at + text->size();
        for (double part = 0; at < end; ++at) {
          const auto [next, error] = std::from_chars(at, end, part);
          if (error != std::errc()) break;
          parts.push_back(part);
          at = next;
        }
      }
    }
  if (parts.size() == 1) parts.push_back(1);
  if (parts.size() != 2 || parts[1] == 0) throw Error{ErrorCode::kFormat, "a fraction that is none", name};
  return parts[0] / parts[1];
}

/// seen: values so far, all arguments together.
YAML::Node to_yaml(const Value& value, const std::string& name, std::size_t& seen, int depth = 0) {
  if (++seen > kMostValues) throw Error{ErrorCode::kFormat, "the arguments of its class hold too many values", name};
  if (depth > kDeepest) throw Error{ErrorCode::kFormat, "the arguments of its class are nested too deeply", name};
  if (const auto* flag = value.as<bool>()) return YAML::Node(*flag);
  if (const auto* number = value.as<std::int64_t>()) return YAML::Node(*number);
  if (const auto* number = value.as<double>()) return YAML::Node(*number);
  if (const auto* text = value.as<std::string>()) return YAML::Node(*text);
  if (const auto* list = value.as<List>()) {
    YAML::Node node(YAML::NodeType::Sequence);
    for (const Value* item : list->items) node.push_back(to_yaml(*item, name, seen, depth + 1));
    return node;
  }
  if (const auto* object = value.as<Object>(); object && object->callable == kFraction) return YAML::Node(fraction(*object, name));
  if (!value.is_none()) throw Error{ErrorCode::kUnsupported, "an argument of its class is neither number nor text", name};
  return YAML::Node(YAML::NodeType::Null);
}

}  // namespace

bool is_package(const checkpoint::Document& document) {
  return document.root && document.root->find("klass") && document.root->find("kwargs");
}

Config package_config(const checkpoint::Document& document, const std::string& name) {
  const Value& root = *document.root;
  const auto* klass = root.find("klass")->as<checkpoint::Global>();
  const bool transformer = klass && klass->name == "demucs.htdemucs.HTDemucs";
  if (!transformer && !(klass && klass->name == "demucs.hdemucs.HDemucs"))
    throw Error{ErrorCode::kUnsupported, fmt::format("a package of the class {}", klass ? klass->name : "?"), name};
  if (const Value* state = root.find("state"); state && state->find("__quantized"))
    throw Error{ErrorCode::kUnsupported, "its weights are quantised (diffq)", name};

  std::map<std::string, YAML::Node> arguments;
  std::size_t seen = 0;
  if (const Dict* given = root.find("kwargs")->entries())
    for (const auto& [key, value] : given->items)
      if (const auto* text = key->as<std::string>()) arguments.emplace(*text, to_yaml(*value, name, seen));
  if (const Value* args = root.find("args"); args && args->as<List>()) {
    const auto& items = args->as<List>()->items;
    if (items.size() > 1) throw Error{ErrorCode::kUnsupported, "its class has arguments without names", name};
    if (items.size() == 1) arguments["sources"] = to_yaml(*items[0], name, seen);
  }

  YAML::Node config;
  const auto move_to = [&](const char* from, const char* to, const YAML::Node& fallback) {
    const auto found = arguments.find(from);
    config["training"][to] = found != arguments.end() ? found->second : fallback;
    if (found != arguments.end()) arguments.erase(found);
  };
  move_to("sources", "instruments", YAML::Node());
  move_to("audio_channels", "channels", YAML::Node(2));
  move_to("samplerate", "samplerate", YAML::Node(44100));
  move_to("segment", "segment", YAML::Node(transformer ? 10 : 40));
  if (transformer) arguments.emplace("use_train_segment", YAML::Node(true));  // false in MSST's copy of the class
  const char* const section = transformer ? "htdemucs" : "hdemucs";
  config[section] = YAML::Node(YAML::NodeType::Map);
  for (const auto& [key, value] : arguments) config[section][key] = value;
  config["inference"]["policy"] = std::string(kPackagePolicy);
  config["inference"]["shorten_last"] = !transformer || !arguments["use_train_segment"].as<bool>();
  return Config::of(config, name);
}

void adopt_apply_model(const Config& inference, ModelTraits& traits) {
  constexpr double kOverlap = 0.25;
  traits.normalize = Normalization::kDemucs;
  traits.blocks = {.length = traits.blocks.length,
                   .overlap = kOverlap,
                   .window = BlockWindow::kTriangular,
                   .padding = PaddingMode::kConstant,
                   .policy = BlockPolicy::kDemucs,
                   .shorten_last = inference.get<bool>("shorten_last")};
}

}  // namespace unbraid::models::demucs
