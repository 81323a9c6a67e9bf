// nussl's files: {state_dict, config, metadata} with the network's graph, the STFT and the data set's transforms.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "models/mask_inference/mask_inference.hpp"
#include "models/pickled_config.hpp"

namespace unbraid::models {

namespace {

using checkpoint::TensorMap;

constexpr std::string_view kModuleClass = "MaskInference";
const std::set<std::string> kMusdbStems = {"bass", "drums", "other", "vocals"};

/// "nussl.datasets.transforms.SumSources" → "SumSources".
std::string class_of(const Config& object) {
  const auto name = object.get<std::string>("class");
  return name.substr(name.rfind('.') + 1);
}

/// The graph, which nussl stores as a dictionary or as JSON text.
Config graph_of(const Config& metadata) {
  const YAML::Node node = metadata.node()["config"];
  if (node && node.IsScalar()) return Config::parse(node.as<std::string>(), metadata.name() + ": config");
  return metadata.section("config");
}

/// The network's own arguments, and the name that its tensors have in front.
std::pair<Config, std::string> find_network(const Config& graph) {
  const Config modules = graph.section("modules");
  for (const auto& item : modules.node()) {
    const auto name = item.first.as<std::string>();
    const Config module = modules.section(name);
    if (module.get<std::string>("class", "") == kModuleClass) return {module.section("args"), "layers." + name + "."};
  }
  throw Error{ErrorCode::kUnsupported, "a nussl file whose network is no MaskInference", graph.name()};
}

/// What the transforms of the training data say about which sources the network estimates: names in nussl's order,
/// which sorts them.
std::vector<std::string> stems_of(const Config& metadata, std::int64_t count) {
  std::set<std::string> names = kMusdbStems;
  std::optional<std::size_t> index;
  bool magnitudes = false;
  const Config compose = metadata.section("train_dataset").section("transforms");
  const Config state = compose.section("state");
  const YAML::Node list = state.node()["transforms"];
  for (std::size_t i = 0; list && i < list.size(); ++i) {
    const Config transform = Config::parse(YAML::Dump(list[i]), fmt::format("{}: transform {}", metadata.name(), i));
    const std::string kind = class_of(transform);
    const Config settings = transform.section("state");
    if (kind == "SumSources") {
      const auto groups = settings.get<std::vector<std::vector<std::string>>>("groupings");
      const auto sums = settings.get<std::vector<std::string>>("group_names");
      for (const auto& group : groups)
        for (const std::string& source : group) names.erase(source);
      names.insert(sums.begin(), sums.end());
    } else if (kind == "IndexSources") {
      index = settings.get<std::size_t>("index");
    } else if (kind == "MagnitudeSpectrumApproximation" || kind == "PhaseSensitiveSpectrumApproximation") {
      magnitudes = true;
    } else if (kind != "ToSeparationModel" && kind != "GetExcerpt" && kind != "GetAudio" && kind != "Cache" && kind != "MagnitudeWeights") {
      throw Error{ErrorCode::kUnsupported, fmt::format("unknown nussl transform {}", kind), metadata.name()};
    }
  }
  if (list && list.size() > 0 && !magnitudes)
    throw Error{ErrorCode::kUnsupported, "the network was not trained on magnitude spectrograms", metadata.name()};
  const std::vector<std::string> sorted(names.begin(), names.end());
  if (index && count == 1 && *index < sorted.size()) return {sorted[*index]};
  if (!index && static_cast<std::int64_t>(sorted.size()) == count) return sorted;
  std::vector<std::string> numbered;
  for (std::int64_t i = 1; i <= count; ++i) numbered.push_back(fmt::format("source{}", i));
  return numbered;
}

/// The network's tensors by our names. nussl's newer versions store each twice, with and without "layers.".
TensorMap tensors_of(const TensorMap& tensors, const std::string& prefix) {
  TensorMap result;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) result.add(name.substr(prefix.size()), tensor);
  if (result.empty()) throw Error{ErrorCode::kFormat, fmt::format("it has no tensors {}*", prefix)};
  return result;
}

}  // namespace

SelfContained read_nussl(const checkpoint::Checkpoint& file, const std::filesystem::path& /*path*/) {
  const checkpoint::Value* stored = file.document ? file.document->root->find("metadata") : nullptr;
  if (!stored) throw Error{ErrorCode::kFormat, "a nussl checkpoint needs its metadata, which this file lacks"};
  const Config metadata = pickled_config(*stored, "metadata");
  const auto [network, prefix] = find_network(graph_of(metadata));

  const auto stft = metadata.section("stft_params").get<std::vector<std::string>>("arguments");
  constexpr std::size_t kStftArguments = 3;  // window_length, hop_length, window_type
  if (stft.size() != kStftArguments) throw Error{ErrorCode::kFormat, "stft_params needs three values", metadata.name()};
  const auto sources = network.get<std::int64_t>("num_sources", 1);
  network.check_range("num_sources", sources, 1, 1024);
  const auto features = network.get<std::int64_t>("num_features");

  YAML::Node config;
  config["audio"]["sample_rate"] = metadata.get<double>("sample_rate");
  config["audio"]["num_channels"] = metadata.get<std::int64_t>("num_channels", 1);
  config["audio"]["n_fft"] = stft[0];
  config["audio"]["hop_length"] = stft[1];
  config["audio"]["window"] = stft[2];
  for (const char* key : {"num_audio_channels", "hidden_size", "num_layers", "bidirectional", "dropout", "activation"})
    if (network.has(key)) config["model"][key] = network.node()[key];
  config["training"]["instruments"] = stems_of(metadata, sources);

  SelfContained result{.configuration = YAML::Dump(config), .tensors = tensors_of(file.tensors, prefix)};
  if (const auto bins = Config::parse(result.configuration, metadata.name()).section("audio").get<std::int64_t>("n_fft") / 2 + 1;
      bins != features)
    throw Error{ErrorCode::kFormat, fmt::format("num_features {} is not the {} bins of its STFT", features, bins), metadata.name()};
  return result;
}

}  // namespace unbraid::models
