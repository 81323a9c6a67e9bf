// Open-Unmix's folders.

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "models/open_unmix/open_unmix.hpp"

namespace unbraid::models {

namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::TensorMap;

constexpr const char* kSeparator = "separator.json";
constexpr std::int64_t kExcerpt = 300;                                            // columns of the reference's Wiener filter
constexpr std::string_view kUsualOrder[] = {"vocals", "drums", "bass", "other"};  // of the published models

bool is_weights(const fs::path& path) {
  const fs::path ending = path.extension();
  return ending == ".pth" || ending == ".safetensors" || ending == ".pt";
}

/// "vocals" of "vocals.pth" and "vocals-b62c91ce.pth".
std::string target_of(const fs::path& weights) {
  const std::string stem = weights.stem().string();
  constexpr std::size_t kHash = 8;
  const std::size_t dash = stem.rfind('-');
  const bool hashed = dash != std::string::npos && stem.size() - dash - 1 == kHash &&
                      stem.find_first_not_of("0123456789abcdef", dash + 1) == std::string::npos;
  return hashed ? stem.substr(0, dash) : stem;
}

/// One file of weights per target, in the order of the published models; .pth goes before its copy in safetensors.
std::vector<std::pair<std::string, fs::path>> find_targets(const fs::path& folder) {
  std::map<std::string, fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!is_weights(entry.path())) continue;
    fs::path& place = found[target_of(entry.path())];
    if (place.empty() || place.extension() == ".safetensors") place = entry.path();
  }
  std::vector<std::pair<std::string, fs::path>> targets(found.begin(), found.end());
  std::ranges::stable_sort(targets, {},
                           [](const auto& target) { return std::ranges::find(kUsualOrder, target.first) - std::begin(kUsualOrder); });
  return targets;
}

std::int64_t size_of(const TensorMap& tensors, const std::string& name, std::size_t axis) {
  const checkpoint::Tensor* tensor = tensors.find(name);
  if (!tensor || tensor->shape().size() <= axis || tensor->shape()[axis] < 1)
    throw Error{ErrorCode::kFormat, fmt::format("not a target of Open-Unmix: no {}", name)};
  return tensor->shape()[axis];
}

/// What the tensors say of the network.
YAML::Node model_of(const TensorMap& tensors) {
  const std::int64_t hidden = size_of(tensors, "fc1.weight", 0);
  const std::int64_t bins = size_of(tensors, "input_mean", 0);
  std::int64_t layers = 0;
  while (tensors.find(fmt::format("lstm.weight_ih_l{}", layers))) ++layers;
  YAML::Node model;
  model["hidden_size"] = hidden;
  model["num_layers"] = layers;
  model["bidirectional"] = tensors.find("lstm.weight_ih_l0_reverse") != nullptr;
  model["nb_channels"] = size_of(tensors, "fc1.weight", 1) / bins;
  model["max_bin"] = bins;
  return model;
}

/// Options of the front end that some versions stored as buffers; they follow from the configuration.
bool belongs_to_front_end(std::string_view name) {
  return name == "sample_rate" || name.starts_with("stft.") || name.starts_with("transform.");
}

/// separator.json, or what the targets' own JSON says where it is missing.
Config front_end(const fs::path& folder, const std::string& first_target) {
  if (fs::exists(folder / kSeparator)) return Config::load(folder / kSeparator);
  const fs::path own = folder / (first_target + ".json");
  return fs::exists(own) ? Config::load(own).section("args") : Config::parse("{}", folder.string());
}

}  // namespace

SelfContained read_open_unmix(const fs::path& path) {
  const bool whole = fs::is_directory(path);
  const fs::path folder = whole ? path : path.parent_path();
  const auto targets = whole ? find_targets(path) : std::vector{std::pair{target_of(path), path}};
  if (targets.empty()) throw Error{ErrorCode::kNotFound, "the folder has no weights", path.string()};

  SelfContained result;
  YAML::Node config;
  std::int64_t n_fft = 0, channels = 0;
  for (const auto& [name, weights] : targets) {
    const Checkpoint file = checkpoint::load(weights);
    try {
      const YAML::Node model = model_of(file.tensors);
      if (config["model"] && YAML::Dump(config["model"]) != YAML::Dump(model))
        throw Error{ErrorCode::kUnsupported, "its network has other sizes than those of the other targets"};
      config["model"] = model;
      config["training"]["instruments"].push_back(name);
      n_fft = 2 * (size_of(file.tensors, "output_mean", 0) - 1);
      channels = model["nb_channels"].as<std::int64_t>();
      for (const auto& [tensor_name, tensor] : file.tensors)
        if (!belongs_to_front_end(tensor_name)) result.tensors.add(fmt::format("target_models.{}.{}", name, tensor_name), tensor);
    } catch (const Error& error) {
      throw Error{error.code(), error.what(), weights.string()};
    }
  }
  const Config front = front_end(folder, targets[0].first);
  if (const auto given = front.get<std::int64_t>("nfft", n_fft); given != n_fft)
    throw Error{ErrorCode::kFormat, fmt::format("nfft is {}, but the networks have {} bins", given, n_fft / 2 + 1), front.name()};
  constexpr std::int64_t kUsualOverlap = 4;
  const auto hop = front.get<std::int64_t>("nhop", n_fft / kUsualOverlap);
  front.check_range("nhop", hop, 1, n_fft);
  config["audio"]["sample_rate"] = front.get<double>("sample_rate", 44100);
  config["audio"]["num_channels"] = std::max<std::int64_t>(channels, 2);
  config["audio"]["n_fft"] = n_fft;
  config["audio"]["hop_length"] = hop;
  config["inference"]["chunk_size"] = 2 * kExcerpt * hop;
  result.configuration = YAML::Dump(config);
  return result;
}

}  // namespace unbraid::models
