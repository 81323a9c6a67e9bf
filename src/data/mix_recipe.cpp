#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <set>

#include "unbraid/core/error.hpp"
#include "unbraid/data/mix.hpp"

namespace unbraid::data {
namespace {

namespace fs = std::filesystem;

/// Reads nodes and blames their lines.
class RecipeReader {
 public:
  RecipeReader(std::string context, fs::path folder) : context_(std::move(context)), folder_(std::move(folder)) {}

  MixRecipe recipe(const YAML::Node& node) const {
    require_keys(node, "a recipe",
                 {"sources", "stems", "event", "seed", "count", "duration_s", "sample_rate", "channels", "ref_db", "coherent",
                  "coherent_source", "partial_songs", "solo", "fade_s", "fix_clipping", "mixture_effects"});
    MixRecipe recipe;
    if (!node["sources"]) fail(node, "needs 'sources', the folder of a dataset");
    recipe.sources = sources(node["sources"]);
    if (node["seed"]) recipe.seed = scalar<std::uint64_t>(node["seed"], "a whole number");
    if (node["count"]) recipe.count = scalar<std::size_t>(node["count"], "a whole number");
    if (node["duration_s"]) recipe.duration_s = number(node["duration_s"]);
    if (node["sample_rate"]) recipe.sample_rate = number(node["sample_rate"]);
    if (node["channels"]) recipe.channels = scalar<std::size_t>(node["channels"], "1 or 2");
    if (node["ref_db"]) recipe.ref_db = number(node["ref_db"]);
    if (node["coherent"]) recipe.coherent = number(node["coherent"]);
    if (node["coherent_source"]) recipe.coherent_source = name_choice(node["coherent_source"]);
    if (node["partial_songs"]) recipe.partial_songs = partial_songs(node["partial_songs"]);
    if (node["solo"]) recipe.solo = number(node["solo"]);
    if (node["fade_s"]) recipe.fade_s = number(node["fade_s"]);
    if (node["fix_clipping"]) recipe.fix_clipping = scalar<bool>(node["fix_clipping"], "true or false");
    MixEventSpec defaults;
    if (node["event"]) event(node["event"], defaults);
    recipe.stems = stems(node["stems"] ? node["stems"] : node, defaults);
    if (node["mixture_effects"]) recipe.mixture_effects = effects(node["mixture_effects"]);
    try {
      recipe.validate();
    } catch (const Error& error) {
      throw Error{error.code(), error.what(), context_};
    }
    return recipe;
  }

  [[noreturn]] void fail(const YAML::Node& node, const std::string& message, ErrorCode code = ErrorCode::kUsage) const {
    throw Error{code, fmt::format("line {}: {}", node.Mark().line + 1, message), context_};
  }

 private:
  /// Runs a check of the library and adds the line to its complaint.
  void guarded(const YAML::Node& node, const std::function<void()>& check) const {
    try {
      check();
    } catch (const Error& error) {
      fail(node, error.what());
    }
  }

  void require_keys(const YAML::Node& node, const std::string& what, const std::set<std::string>& known) const {
    if (!node.IsMap()) fail(node, fmt::format("{} is a mapping of names to values", what));
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = scalar<std::string>(entry.first, "a name");
      if (!known.contains(key)) {
        std::string names;
        for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
        fail(entry.first, fmt::format("{} has no '{}'; it has {}", what, key, names));
      }
      if (!seen.insert(key).second) fail(entry.first, fmt::format("'{}' stands twice", key));
    }
  }

  template <class T>
  T scalar(const YAML::Node& node, const char* what) const {
    try {
      if (node.IsScalar()) return node.as<T>();
    } catch (const YAML::Exception&) {  // falls through to the message
    }
    fail(node, fmt::format("must be {}", what));
  }
  double number(const YAML::Node& node) const {
    const double value = scalar<double>(node, "a number");
    if (!std::isfinite(value)) fail(node, "must be a finite number");
    return value;
  }
  std::vector<double> numbers(const YAML::Node& node) const {
    if (!node.IsSequence()) fail(node, "must be a list of numbers");
    std::vector<double> values;
    for (const auto& value : node) values.push_back(number(value));
    return values;
  }
  std::vector<std::string> names(const YAML::Node& node) const {
    if (!node.IsSequence()) fail(node, "must be a list of names");
    std::vector<std::string> values;
    for (const auto& value : node) values.push_back(scalar<std::string>(value, "a name"));
    return values;
  }

  Distribution distribution(const YAML::Node& node) const {
    if (node.IsScalar()) return Distribution::constant(number(node));
    if (!node.IsSequence() || node.size() < 2) fail(node, "must be a number or a distribution such as [uniform, -5, 5]");
    Distribution result;
    guarded(node, [&] {
      const auto kind = Distribution::kind_named(scalar<std::string>(node[0], "the name of a distribution"));
      std::vector<double> values, weights;
      if (kind == Distribution::Kind::kChoose || kind == Distribution::Kind::kChooseWeighted) {
        values = numbers(node[1]);
        if (node.size() == 3) weights = numbers(node[2]);
        const std::size_t wanted = kind == Distribution::Kind::kChoose ? 2 : 3;
        if (node.size() != wanted) throw Error{ErrorCode::kUsage, fmt::format("takes {} list(s)", wanted - 1)};
      } else {
        for (std::size_t i = 1; i < node.size(); ++i) values.push_back(number(node[i]));
      }
      result = Distribution(kind, std::move(values), std::move(weights));
    });
    return result;
  }

  NameChoice name_choice(const YAML::Node& node) const {
    if (node.IsScalar()) return {.names = {scalar<std::string>(node, "a name")}};
    if (!node.IsSequence() || node.size() < 2)
      fail(node, "must be a name or [const, name], [choose, [names]] or [choose_weighted, [names], [weights]]");
    const std::string kind = scalar<std::string>(node[0], "const, choose or choose_weighted");
    if (kind == "const" && node.size() == 2) return {.names = {scalar<std::string>(node[1], "a name")}};
    if (kind == "choose" && node.size() == 2) return {.names = names(node[1])};
    if (kind == "choose_weighted" && node.size() == 3) {
      NameChoice choice{.kind = NameChoice::Kind::kChooseWeighted, .names = names(node[1]), .weights = numbers(node[2])};
      // The rules for weights are the same as for numbers.
      guarded(node, [&] { Distribution(Distribution::Kind::kChooseWeighted, std::vector<double>(choice.names.size()), choice.weights); });
      return choice;
    }
    fail(node, "must be a name or [const, name], [choose, [names]] or [choose_weighted, [names], [weights]]");
  }

  PartialSongs partial_songs(const YAML::Node& node) const {
    const char* const known = "left_out, silent or filled";
    const auto word = scalar<std::string>(node, known);
    if (word == "left_out") return PartialSongs::kLeftOut;
    if (word == "silent") return PartialSongs::kSilent;
    if (word == "filled") return PartialSongs::kFilled;
    fail(node, fmt::format("must be {}", known));
  }

  fs::path path(const YAML::Node& node) const {
    const fs::path value = scalar<std::string>(node, "a path");
    return value.is_absolute() || folder_.empty() ? value : folder_ / value;
  }

  MixSources sources(const YAML::Node& node) const {
    if (node.IsScalar()) return {.path = path(node)};
    require_keys(node, "sources", {"path", "format", "split", "submix"});
    if (!node["path"]) fail(node, "sources needs 'path'");
    MixSources sources{.path = path(node["path"])};
    if (node["format"]) sources.format = scalar<std::string>(node["format"], "the name of a format");
    if (node["split"]) sources.split = scalar<std::string>(node["split"], "the name of a split");
    if (node["submix"]) {
      sources.submix = scalar<std::string>(node["submix"], "four_stems or a file");
      if (sources.submix != "four_stems") sources.submix = path(node["submix"]).string();
    }
    return sources;
  }

  /// Overrides what the node names.
  void event(const YAML::Node& node, MixEventSpec& spec) const {
    require_keys(
        node, "an event",
        {"source_file", "source_time", "event_time", "event_duration", "snr", "pitch_shift", "time_stretch", "silence", "effects"});
    const auto optional = [&](const char* key, std::optional<Distribution>& target) {
      if (!node[key]) return;
      target.reset();
      if (!node[key].IsNull()) target = distribution(node[key]);
    };
    if (node["source_file"]) spec.source = name_choice(node["source_file"]);
    if (node["source_time"]) spec.source_time_s = distribution(node["source_time"]);
    if (node["event_time"]) spec.event_time_s = distribution(node["event_time"]);
    optional("event_duration", spec.event_duration_s);
    optional("snr", spec.snr_db);
    optional("pitch_shift", spec.pitch_shift);
    optional("time_stretch", spec.time_stretch);
    if (node["silence"]) spec.silence = number(node["silence"]);
    if (node["effects"]) spec.effects = effects(node["effects"]);
  }

  std::vector<MixStemSpec> stems(const YAML::Node& node, const MixEventSpec& defaults) const {
    std::vector<MixStemSpec> stems;
    if (node.IsSequence()) {
      for (const std::string& name : names(node)) stems.push_back({name, defaults});
    } else if (node.IsMap() && !node["sources"]) {
      for (const auto& entry : node) {
        MixStemSpec stem{scalar<std::string>(entry.first, "a name"), defaults};
        if (!entry.second.IsNull()) event(entry.second, stem.event);
        stems.push_back(std::move(stem));
      }
    } else {
      fail(node, "needs 'stems': a list of names, or a mapping of names to events");
    }
    return stems;
  }

  std::vector<EffectSpec> effects(const YAML::Node& node) const {
    if (!node.IsSequence()) fail(node, "effects are a list, such as [{reverb: {probability: 0.3}}]");
    std::vector<EffectSpec> specs;
    for (const auto& item : node) {
      if (item.IsScalar()) {
        specs.push_back({.kind = item.Scalar()});
      } else if (item.IsMap() && item.size() == 1) {
        specs.push_back(effect(item.begin()->first, item.begin()->second));
      } else {
        fail(item, "an effect is a name, or one name with its parameters");
      }
      guarded(item, [&] { specs.back().validate(); });
    }
    return specs;
  }

  EffectSpec effect(const YAML::Node& name, const YAML::Node& parameters) const {
    EffectSpec spec{.kind = scalar<std::string>(name, "the name of an effect")};
    if (parameters.IsNull()) return spec;
    if (!parameters.IsMap()) fail(parameters, "the parameters of an effect are a mapping of names to values");
    for (const auto& entry : parameters) {
      const std::string key = scalar<std::string>(entry.first, "a name");
      if (key == "probability") {
        spec.probability = number(entry.second);
      } else if (key == "files") {
        for (const auto& file : entry.second) spec.files.push_back(path(file));
      } else {
        spec.parameters[key] = distribution(entry.second);
        guarded(entry.first, [&] { spec.validate(); });
      }
    }
    return spec;
  }

  std::string context_;
  fs::path folder_;
};

}  // namespace

void MixRecipe::validate() const {
  const auto require = [](bool is_fine, const char* what, const char* message) {
    if (!is_fine) throw Error{ErrorCode::kUsage, message, what};
  };
  require(!stems.empty(), "stems", "names no stem");
  require(duration_s >= 0.01 && duration_s <= 3600, "duration_s", "must lie between 0.01 and 3600");
  require(sample_rate >= 8000 && sample_rate <= 192000 && sample_rate == std::floor(sample_rate), "sample_rate",
          "must be a whole number between 8000 and 192000");
  require(channels == 1 || channels == 2, "channels", "must be 1 or 2");
  require(ref_db >= -100 && ref_db <= 0, "ref_db", "must lie between -100 and 0 LUFS");
  require(coherent >= 0 && coherent <= 1, "coherent", "must lie between 0 and 1");
  require(solo >= 0 && solo <= 1, "solo", "must lie between 0 and 1");
  require(fade_s >= 0 && fade_s <= 1, "fade_s", "must lie between 0 and 1");
  std::set<std::string> names;
  for (const MixStemSpec& stem : stems) {
    require(!stem.name.empty() && stem.name != "mixture" && stem.name.find('/') == std::string::npos, "stems",
            "a stem's name must be a file name other than 'mixture'");
    require(names.insert(stem.name).second, stem.name.c_str(), "is named twice");
    const MixEventSpec& event = stem.event;
    require(event.silence >= 0 && event.silence <= 1, "silence", "must lie between 0 and 1");
    require(event.source_time_s.highest() >= 0, "source_time", "must not be negative");
    require(event.event_time_s.highest() >= 0, "event_time", "must not be negative");
    require(!event.event_duration_s || event.event_duration_s->highest() >= 1e-3, "event_duration", "must be at least 0.001 s");
    const auto is_within = [](const std::optional<Distribution>& value, double low, double high) {
      return !value || value->kind() == Distribution::Kind::kNormal || (value->lowest() >= low && value->highest() <= high);
    };
    require(is_within(event.snr_db, -100, 100), "snr", "must lie between -100 and 100 dB");
    require(is_within(event.pitch_shift, -24, 24), "pitch_shift", "must lie between -24 and 24 semitones");
    require(is_within(event.time_stretch, 0.25, 4), "time_stretch", "must lie between 0.25 and 4");
    for (const EffectSpec& effect : event.effects) effect.validate();
  }
  for (const EffectSpec& effect : mixture_effects) effect.validate();
}

MixRecipe parse_mix_recipe(const std::string& yaml, const std::string& context, const fs::path& folder) {
  const RecipeReader reader(context, folder);
  YAML::Node node;
  try {
    node = YAML::Load(yaml);
  } catch (const YAML::Exception& error) {
    throw Error{ErrorCode::kFormat, fmt::format("line {}: is no YAML: {}", error.mark.line + 1, error.msg), context};
  }
  MixRecipe recipe = reader.recipe(node);
  recipe.text = yaml;
  return recipe;
}

MixRecipe read_mix_recipe(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream || fs::is_directory(path)) throw Error{ErrorCode::kNotFound, "no such recipe", path.string()};
  return parse_mix_recipe({std::istreambuf_iterator<char>(stream), {}}, path.string(), path.parent_path());
}

}  // namespace unbraid::data
