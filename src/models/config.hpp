#pragma once
// A model's configuration as its authors published it: MSST's YAML, splifft's JSON, or the metadata of our own files.
//
//   const Config config = Config::load("config.yaml");
//   const Config model = config.section("model");
//   const auto dim = model.get<std::int64_t>("dim");
//   const auto depth = model.get<std::int64_t>("mask_estimator_depth", 2);
//   model.refuse_others({"flash_attn", "attn_dropout"});       // an option that nobody read would change the result
//
// YAML tags other than the standard ones and !!python/tuple are refused: they would ask a loader to run code.

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "unbraid/core/error.hpp"

namespace unbraid::models {

class Config {
 public:
  /// kNotFound, kFormat.
  static Config load(const std::filesystem::path& path);
  static Config parse(const std::string& text, std::string name);
  /// A tree of ours, made from the configuration inside a checkpoint.
  static Config of(YAML::Node node, std::string name) { return {std::move(node), std::move(name)}; }

  bool has(std::string_view key) const;
  /// An empty section when there is none, or null; kFormat when it is no mapping. What is read of it counts for everybody who asks for it.
  Config section(std::string_view key) const;
  const YAML::Node& node() const { return node_; }
  /// As YAML that parse() reads again.
  std::string text() const;
  const std::string& name() const { return name_; }

  /// kFormat when the key is missing or its value is not a T.
  template <class T>
  T get(std::string_view key) const {
    return convert<T>(key, child(key, true));
  }
  template <class T>
  T get(std::string_view key, T fallback) const {
    const YAML::Node value = child(key, false);
    return value && !value.IsNull() ? convert<T>(key, value) : fallback;
  }

  /// kFormat, naming the key, when the value is not in [low, high]: sizes that a checkpoint may claim.
  void check_range(std::string_view key, std::int64_t value, std::int64_t low, std::int64_t high) const;

  /// kUnsupported, naming the keys, when the section has any that was neither read nor is listed as harmless.
  void refuse_others(std::initializer_list<std::string_view> harmless) const;

 private:
  /// The keys that somebody asked for, here and in the sections.
  struct Known {
    std::set<std::string, std::less<>> keys;
    std::map<std::string, std::shared_ptr<Known>, std::less<>> sections;
  };

  Config(YAML::Node node, std::string name, std::shared_ptr<Known> known = std::make_shared<Known>());
  YAML::Node child(std::string_view key, bool required) const;
  template <class T>
  T convert(std::string_view key, const YAML::Node& value) const {
    try {
      return value.as<T>();
    } catch (const YAML::Exception&) {
      fail(key);
    }
  }
  [[noreturn]] void fail(std::string_view key) const;

  YAML::Node node_;
  std::string name_;  ///< for errors: "config.yaml: model"
  std::shared_ptr<Known> known_;
};

}  // namespace unbraid::models
