#include "models/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <vector>

namespace unbraid::models {

namespace {

constexpr int kDeepest = 64;
/// Keys and values. What aliases stand for is met at each place, so that a few lines may describe a huge tree.
constexpr std::size_t kMostNodes = 1'000'000;

void refuse_code(const YAML::Node& node, const std::string& name, std::size_t& nodes, int depth = 0) {
  constexpr std::string_view kStandard = "tag:yaml.org,2002:";
  constexpr std::string_view kPlain[] = {"map", "seq", "str", "int", "float", "bool", "null", "python/tuple"};
  if (depth > kDeepest) throw Error{ErrorCode::kFormat, "nested too deeply", name};
  if (++nodes > kMostNodes) throw Error{ErrorCode::kFormat, "has too many values", name};
  std::string_view tag = node.Tag();
  if (!tag.empty() && tag != "?" && tag != "!") {
    const bool standard = tag.starts_with(kStandard);
    if (standard) tag.remove_prefix(kStandard.size());
    if (!standard || std::ranges::find(kPlain, tag) == std::end(kPlain))
      throw Error{ErrorCode::kFormat, fmt::format("the YAML tag {} is refused: it would run code", node.Tag()), name};
  }
  if (node.IsSequence())
    for (const auto& item : node) refuse_code(item, name, nodes, depth + 1);
  if (node.IsMap())
    for (const auto& item : node) {
      refuse_code(item.first, name, nodes, depth + 1);
      refuse_code(item.second, name, nodes, depth + 1);
    }
}

}  // namespace

Config::Config(YAML::Node node, std::string name, std::shared_ptr<Known> known)
    : node_(std::move(node)), name_(std::move(name)), known_(std::move(known)) {}

Config Config::load(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error{ErrorCode::kNotFound, "cannot read the configuration", path.string()};
  return parse({std::istreambuf_iterator<char>(file), {}}, path.string());
}

Config Config::parse(const std::string& text, std::string name) {
  YAML::Node node;
  try {
    node = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    throw Error{ErrorCode::kFormat, error.what(), name};
  }
  std::size_t nodes = 0;
  refuse_code(node, name, nodes);
  if (!node.IsMap()) throw Error{ErrorCode::kFormat, "not a configuration: no keys", name};
  return {node, std::move(name)};
}

bool Config::has(std::string_view key) const { return static_cast<bool>(child(key, false)); }

Config Config::section(std::string_view key) const {
  const YAML::Node value = child(key, false);
  const bool there = value && !value.IsNull();
  if (there && !value.IsMap()) throw Error{ErrorCode::kFormat, fmt::format("the key {} must be a mapping of names to values", key), name_};
  std::shared_ptr<Known>& known = known_->sections[std::string(key)];
  if (!known) known = std::make_shared<Known>();
  return {there ? value : YAML::Node(YAML::NodeType::Map), fmt::format("{}: {}", name_, key), known};
}

YAML::Node Config::child(std::string_view key, bool required) const {
  known_->keys.emplace(key);
  const YAML::Node value = node_[std::string(key)];
  if (required && !value) throw Error{ErrorCode::kFormat, fmt::format("the key {} is missing", key), name_};
  return value;
}

void Config::fail(std::string_view key) const {
  throw Error{ErrorCode::kFormat, fmt::format("the key {} has a value of the wrong type", key), name_};
}

std::string Config::text() const { return YAML::Dump(node_); }

void Config::check_range(std::string_view key, std::int64_t value, std::int64_t low, std::int64_t high) const {
  if (value < low || value > high) throw Error{ErrorCode::kFormat, fmt::format("{} is {}, not in {} … {}", key, value, low, high), name_};
}

void Config::refuse_others(std::initializer_list<std::string_view> harmless) const {
  std::vector<std::string> unknown;
  for (const auto& item : node_) {
    const auto key = item.first.as<std::string>();
    if (!known_->keys.contains(key) && std::ranges::find(harmless, key) == harmless.end()) unknown.push_back(key);
  }
  if (!unknown.empty()) throw Error{ErrorCode::kUnsupported, fmt::format("unknown options: {}", fmt::join(unknown, ", ")), name_};
}

}  // namespace unbraid::models
