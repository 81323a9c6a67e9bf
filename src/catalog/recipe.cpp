#include "unbraid/catalog/recipe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_method.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::catalog {

namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 4;
constexpr double kLongestSegment = 600;  // s, as of the parameter of a model

using Make = std::function<std::shared_ptr<Separator>(const StreamFormat&, std::uint64_t seed)>;

/// A method with its parameters at their defaults.
struct Member {
  Method method;
  std::vector<double> weights = {};  ///< by its own stems; empty: all 1
  std::vector<std::pair<double, std::string>> input = {};
  std::vector<std::string> gives = {};

  std::shared_ptr<Separator> make(const StreamFormat& format, std::uint64_t seed) const {
    return method.make(format, ParameterValues::resolve(method.parameters, {}), seed);
  }
};

/// Whether the stems are shares of the mixture's bins.
bool shares_mixture(Ensemble::Combine combine) { return combine == Ensemble::Combine::kGeometric || combine == Ensemble::Combine::kBlend; }

/// Spares a member the work for stems that have no weight in the ensemble.
void keep_weighed(const Ensemble::Member& member, std::span<const std::string> stems) {
  std::vector<std::string> weighed;
  for (std::size_t i = 0; i < stems.size(); ++i)
    if (member.weights[i] > 0) weighed.push_back(stems[i]);
  if (weighed.size() < member.separator->info().stems.size()) member.separator->keep_only(weighed);
}

/// What a composite tells the pipeline; the pipeline runs the members itself.
class Composite : public Separator {
 public:
  explicit Composite(SeparatorInfo info) : info_(std::move(info)) {}
  const SeparatorInfo& info() const override { return info_; }
  /// Members of an ensemble that none of the stems needs are not run. Geometric means share out the mixture, and a gate
  /// weighs stems against each other, for which all are needed.
  bool keep_only(std::span<const std::string> stems) override {
    Ensemble* const ensemble = std::get_if<Ensemble>(&info_.blocks);
    if (!ensemble || stems.empty()) return false;
    if (shares_mixture(ensemble->combine) || ensemble->solo_db) return false;
    std::vector<std::string> kept;
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < info_.stems.size(); ++i)
      if (std::ranges::find(stems, info_.stems[i]) != stems.end()) {
        kept.push_back(info_.stems[i]);
        columns.push_back(i);
      }
    std::vector<Ensemble::Member> members;
    for (const Ensemble::Member& member : ensemble->members) {
      Ensemble::Member rest{.separator = member.separator, .weights = {}};
      for (const std::size_t column : columns) rest.weights.push_back(member.weights[column]);
      if (std::ranges::none_of(rest.weights, [](double weight) { return weight > 0; })) continue;
      keep_weighed(rest, kept);
      members.push_back(std::move(rest));
    }
    ensemble->members = std::move(members);
    info_.stems = std::move(kept);
    return true;
  }
  Stems process(AudioView, RunContext&) override { throw Error{ErrorCode::kInternal, "a composite has no process of its own"}; }

 private:
  SeparatorInfo info_;
};

template <class Members>
SeparatorInfo composite_info(std::vector<std::string> stems, const Members& members) {
  SeparatorInfo info;
  info.stems = std::move(stems);
  info.sample_rate = members.front().separator->info().sample_rate;
  info.channels = members.front().separator->info().channels;
  for (const auto& member : members)  // so that the recording is measured
    if (member.separator->info().normalize != Normalization::kNone) info.normalize = member.separator->info().normalize;
  return info;
}

class RecipeReader {
 public:
  RecipeReader(fs::path path, const NeuralRuntime& runtime, int depth) : path_(std::move(path)), runtime_(runtime), depth_(depth) {
    if (depth > kDeepest) throw Error{ErrorCode::kFormat, "recipes that contain each other too deeply", path_.string()};
  }

  Method read() {
    const YAML::Node root = load();
    try {
      if (root["ensemble"]) return only(root, {"ensemble"}), ensemble(root["ensemble"]);
      if (root["chain"]) return only(root, {"chain"}), chain(root["chain"]);
      if (root["models"]) return only(root, {"models", "weights", "segment"}), bag(root);
    } catch (const YAML::Exception& error) {
      fail(error.what());
    }
    fail("not a recipe: needs ensemble, chain or models");
  }

  std::vector<fs::path> files() const {
    const YAML::Node root = load();
    std::vector<fs::path> found;
    const auto add = [&](const fs::path& file) {
      if (std::ranges::find(found, file) == found.end()) found.push_back(file);
    };
    try {
      for (const YAML::Node& item : root["models"]) add(find_package(item.as<std::string>()));
      for (const YAML::Node& item : root["ensemble"] ? root["ensemble"]["members"] : root["chain"])
        for (const char* key : {"model", "config", "lora"}) {
          if (!item[key]) continue;
          const auto name = item[key].as<std::string>();
          const fs::path file = path_.parent_path() / name;
          if (!fs::exists(file)) continue;  // a method's name
          if (fs::path(name).has_parent_path() || is_recipe(name) != (std::string_view(key) == "config"))
            throw Error{ErrorCode::kUsage, fmt::format("its member {} is a recipe or lies elsewhere: put all files beside it", name),
                        path_.string()};
          add(file);
        }
    } catch (const YAML::Exception& error) {
      fail(error.what());
    }
    return found;
  }

 private:
  YAML::Node load() const {
    YAML::Node root;
    try {
      root = YAML::LoadFile(path_.string());
    } catch (const YAML::BadFile&) {
      throw Error{ErrorCode::kNotFound, "cannot be read", path_.string()};
    } catch (const YAML::Exception& error) {
      throw Error{ErrorCode::kFormat, error.what(), path_.string()};
    }
    if (!root.IsMap()) fail("not a recipe: needs ensemble, chain or models");
    return root;
  }

  [[noreturn]] void fail(std::string_view what) const { throw Error{ErrorCode::kFormat, std::string(what), path_.string()}; }

  void only(const YAML::Node& node, const std::set<std::string>& known) const {
    for (const auto& item : node)
      if (const auto key = item.first.as<std::string>(); !known.contains(key)) fail(fmt::format("unknown key {}", key));
  }

  /// The method that a step or a member names.
  Member member(const YAML::Node& node, const std::set<std::string>& known) const {
    if (!node.IsMap() || !node["model"]) fail("every member needs a model");
    only(node, known);
    const auto name = node["model"].as<std::string>();
    ModelFiles files{.weights = path_.parent_path() / name};
    if (node["config"]) files.config = path_.parent_path() / node["config"].as<std::string>();
    if (node["lora"]) files.adapters = path_.parent_path() / node["lora"].as<std::string>();
    if (is_recipe(name)) return {.method = RecipeReader(files.weights, runtime_, depth_ + 1).read()};
    if (const Method* method = find_method(name); method && !fs::is_regular_file(files.weights)) return {.method = *method};
    if (fs::exists(files.weights)) return {.method = model_method(files, runtime_)};
    return {.method = installed_method(name, runtime_)};
  }

  void check_weights(const std::vector<double>& weights) const {
    for (const double weight : weights)
      if (!std::isfinite(weight) || weight < 0.0) fail("a weight must be finite and not negative");
  }

  /// One number, or one per stem.
  void read_weights(const YAML::Node& node, Member& member) const {
    const std::vector<std::string>& stems = member.method.stems;
    member.weights.assign(stems.size(), 1.0);
    if (!node) return;
    if (node.IsScalar()) {
      std::ranges::fill(member.weights, node.as<double>());
    } else {
      for (const auto& item : node) {
        const auto at = std::ranges::find(stems, item.first.as<std::string>());
        if (at == stems.end())
          throw Error{ErrorCode::kUsage, fmt::format("{} has no stem of this name", member.method.name), item.first.as<std::string>()};
        member.weights[static_cast<std::size_t>(at - stems.begin())] = item.second.as<double>();
      }
    }
    check_weights(member.weights);
  }

  Method ensemble(const YAML::Node& node) const {
    only(node, {"combine", "sharpness", "solo_db", "members"});
    const std::map<std::string, Ensemble::Combine> kWays{
        {"average", Ensemble::Combine::kMean}, {"median", Ensemble::Combine::kMedian},       {"min", Ensemble::Combine::kMin},
        {"max", Ensemble::Combine::kMax},      {"geometric", Ensemble::Combine::kGeometric}, {"blend", Ensemble::Combine::kBlend}};
    const auto way = kWays.find(node["combine"] ? node["combine"].as<std::string>() : "average");
    if (way == kWays.end()) fail("combine must be average, median, min, max, geometric or blend");
    if (node["sharpness"] && !shares_mixture(way->second)) fail("sharpness belongs to geometric and blend");
    const double sharpness = node["sharpness"] ? node["sharpness"].as<double>() : 1.0;
    if (!(sharpness > 0) || sharpness > kMostSharpness) fail(fmt::format("sharpness must lie above 0 and be at most {}", kMostSharpness));
    std::optional<double> solo_db;
    if (node["solo_db"]) solo_db = node["solo_db"].as<double>();
    if (solo_db && !(*solo_db >= kLowestSoloDb && *solo_db < 0))
      fail(fmt::format("solo_db must be at least {} and below 0", kLowestSoloDb));
    std::vector<Member> members;
    for (const YAML::Node& item : node["members"]) {
      members.push_back(member(item, {"model", "config", "lora", "weights"}));
      read_weights(item["weights"], members.back());
    }
    return combined(std::move(members), {.members = {}, .combine = way->second, .sharpness = sharpness, .solo_db = solo_db});
  }

  /// style: an ensemble without members.
  Method combined(std::vector<Member> members, const Ensemble& style) const {
    if (members.empty()) fail("an ensemble without members");
    std::vector<std::string> stems;
    for (const Member& one : members)
      for (std::size_t i = 0; i < one.method.stems.size(); ++i)
        if (one.weights[i] > 0 && std::ranges::find(stems, one.method.stems[i]) == stems.end()) stems.push_back(one.method.stems[i]);
    if (stems.empty()) fail("all weights are 0");
    Method method = describe(members, stems);
    method.make = [members, stems, style](const StreamFormat& format, const ParameterValues&, std::uint64_t seed) {
      Ensemble ensemble = style;
      for (const Member& one : members) {
        Ensemble::Member& made = ensemble.members.emplace_back(Ensemble::Member{.separator = one.make(format, seed), .weights = {}});
        for (const std::string& stem : stems) {
          const auto at = std::ranges::find(one.method.stems, stem);
          made.weights.push_back(at == one.method.stems.end() ? 0.0 : one.weights[static_cast<std::size_t>(at - one.method.stems.begin())]);
        }
        keep_weighed(made, stems);
      }
      SeparatorInfo info = composite_info(stems, ensemble.members);
      info.blocks = std::move(ensemble);
      return std::make_unique<Composite>(std::move(info));
    };
    return method;
  }

  Method chain(const YAML::Node& node) const {
    std::vector<Member> steps;
    std::vector<std::string> stems;
    for (const YAML::Node& item : node) {
      Member step = member(item, {"model", "config", "lora", "input", "stems"});
      step.input = combination(item["input"] ? item["input"].as<std::string>() : "mix", stems);
      step.gives = item["stems"] ? item["stems"].as<std::vector<std::string>>() : step.method.stems;
      for (const std::string& stem : step.gives) {
        if (std::ranges::find(step.method.stems, stem) == step.method.stems.end())
          throw Error{ErrorCode::kUsage, fmt::format("{} has no stem of this name", step.method.name), stem};
        if (std::ranges::find(stems, stem) != stems.end()) throw Error{ErrorCode::kUsage, "two steps of the chain give this stem", stem};
        stems.push_back(stem);
      }
      steps.push_back(std::move(step));
    }
    if (stems.empty()) fail("a chain without steps");
    Method method = describe(steps, stems);
    method.make = [steps, stems](const StreamFormat& format, const ParameterValues&, std::uint64_t seed) {
      Chain chain;
      for (const Member& step : steps)
        chain.steps.push_back({.separator = step.make(format, seed), .input = step.input, .gives = step.gives});
      SeparatorInfo info = composite_info(stems, chain.steps);
      info.blocks = std::move(chain);
      return std::make_unique<Composite>(std::move(info));
    };
    return method;
  }

  /// "mix - vocals - drums"
  std::vector<std::pair<double, std::string>> combination(const std::string& text, const std::vector<std::string>& known) const {
    std::vector<std::pair<double, std::string>> terms;
    double sign = 1.0;
    bool expected = true;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      const std::string word = text.substr(at, end - at);
      at = end + 1;
      if (word.empty()) continue;
      if (word == "-" || word == "+") {
        if (expected) fail(fmt::format("input: {}: a stem is missing", text));
        sign = word == "-" ? -1.0 : 1.0;
      } else {
        if (!expected) fail(fmt::format("input: {}: write spaces around + and -", text));
        if (word != "mix" && std::ranges::find(known, word) == known.end())
          throw Error{ErrorCode::kUsage,
                      fmt::format("no earlier step gives it; there are mix{}{}", known.empty() ? "" : ", ", fmt::join(known, ", ")), word};
        terms.emplace_back(sign, word);
      }
      expected = word == "-" || word == "+";
    }
    if (expected) fail(fmt::format("input: {}: a stem is missing", text));
    return terms;
  }

  Method bag(const YAML::Node& node) const {
    std::vector<Member> members;
    const double segment = node["segment"] ? node["segment"].as<double>() : 0.0;
    if (!(segment >= 0 && segment <= kLongestSegment)) fail(fmt::format("segment must lie between 0 and {:g} s", kLongestSegment));
    for (const YAML::Node& item : node["models"]) {
      const ModelFiles files{.weights = find_package(item.as<std::string>())};
      members.push_back({.method = model_method(files, runtime_, segment)});
      members.back().weights.assign(members.back().method.stems.size(), 1.0);
    }
    if (members.empty()) fail("a bag without models");
    if (const YAML::Node& weights = node["weights"]) {
      const auto rows = weights.as<std::vector<std::vector<double>>>();
      if (rows.size() != members.size()) fail("weights needs one row for every model");
      for (std::size_t m = 0; m < rows.size(); ++m) {
        if (rows[m].size() != members[m].weights.size()) fail("weights needs one number for every stem");
        check_weights(rows[m]);
        members[m].weights = rows[m];
      }
    }
    return combined(std::move(members), {});
  }

  /// <sig>.th, <sig>-<hash>.th or <name>-<sig>.th; where the name has a hash, the file must have it too.
  fs::path find_package(const std::string& signature) const {
    const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string stem = entry.path().stem().string();
      const std::size_t dash = stem.find('-');
      const bool named =
          stem == signature || stem.substr(0, dash) == signature || (dash != std::string::npos && stem.substr(dash + 1) == signature);
      if (entry.path().extension() == ".th" && named) found.push_back(entry.path());
    }
    if (found.size() != 1)
      throw Error{
          ErrorCode::kNotFound,
          fmt::format("{} file {}-<hash>.th beside {}", found.empty() ? "no" : "more than one", signature, path_.filename().string()),
          path_.string()};
    const std::string stem = found[0].stem().string();
    if (const std::size_t dash = stem.find('-'); dash != std::string::npos)
      if (const std::string hash = sha256_of_file(found[0]); !hash.starts_with(stem.substr(dash + 1)))
        throw Error{ErrorCode::kFormat, fmt::format("its SHA-256 begins with {}, not with what its name says", hash.substr(0, 8)),
                    found[0].string()};
    return found[0];
  }

  Method describe(const std::vector<Member>& members, const std::vector<std::string>& stems) const {
    Method method;
    method.name = path_.filename().string();
    method.summary = "several models as one";
    method.stems = stems;
    method.fingerprint = "sha256:" + sha256_of_file(path_);
    for (const Member& one : members) {
      method.fingerprint += " " + (one.method.fingerprint.empty() ? one.method.name : one.method.fingerprint);
      method.whole_track = method.whole_track || one.method.whole_track;
    }
    return method;
  }

  fs::path path_;
  NeuralRuntime runtime_;
  int depth_;
};

}  // namespace

bool is_recipe(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }

std::vector<fs::path> recipe_files(const fs::path& path) { return RecipeReader(path, {}, 0).files(); }

Method recipe_method(const fs::path& path, const NeuralRuntime& runtime) { return RecipeReader(path, runtime, 0).read(); }

}  // namespace unbraid::catalog
