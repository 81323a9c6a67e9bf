#include "models/adapters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/state.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kKey = "unbraid.adapters";
constexpr std::string_view kDown = ".lora_A", kUp = ".lora_B";

struct Scale {
  std::int64_t rank = 0;
  double alpha = 0;
};

/// As the file says, or else the configuration.
Scale scale_of(const checkpoint::Checkpoint& file, const Config& config) {
  if (const auto stated = file.metadata.find(kKey); stated != file.metadata.end()) {
    const Json json = Json::parse(stated->second, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("r") || !json["r"].is_number_integer() || !json.contains("lora_alpha") ||
        !json["lora_alpha"].is_number())
      throw Error{ErrorCode::kFormat, fmt::format("{} is damaged", kKey)};
    return {.rank = json["r"], .alpha = json["lora_alpha"]};
  }
  if (!config.has("lora"))
    throw Error{ErrorCode::kFormat, "does not say how its adapters are scaled: the configuration needs lora: {r, lora_alpha}"};
  const AdapterOptions options = AdapterOptions::of(config.section("lora"));
  return {.rank = options.size.rank, .alpha = options.size.alpha};
}

}  // namespace

AdapterOptions AdapterOptions::of(const Config& config) {
  AdapterOptions options;
  options.size.rank = config.get<std::int64_t>("r", options.size.rank);
  options.size.alpha = config.get<double>("lora_alpha", options.size.alpha);
  options.size.dropout = config.get<double>("lora_dropout", options.size.dropout);
  options.layers = config.get<std::vector<std::string>>("layers", {});
  config.refuse_others({"merge_weights", "fan_in_fan_out", "enable_lora"});  // how loralib goes about it
  config.check_range("r", options.size.rank, 1, 65536);
  if (!(options.size.alpha > 0 && options.size.alpha <= 1e6)) throw Error{ErrorCode::kFormat, "lora_alpha must be above 0", config.name()};
  if (!(options.size.dropout >= 0 && options.size.dropout < 1))
    throw Error{ErrorCode::kFormat, "lora_dropout must be in [0, 1)", config.name()};
  return options;
}

Config without_adapters(const Config& config) {
  YAML::Node node = YAML::Clone(config.node());
  node.remove("lora");
  return Config::of(node, config.name());
}

bool is_adapter(std::string_view name) { return name.ends_with(kDown) || name.ends_with(kUp); }

void add_adapters(torch::nn::Module& model, const AdapterOptions& options) {
  for (torch::Tensor& parameter : model.parameters()) parameter.set_requires_grad(false);
  std::size_t adapted = 0;
  for (const auto& item : model.named_modules()) {
    auto* const layer = item.value()->as<nn::AdaptableLinearImpl>();
    const bool wanted = options.layers.empty() || std::ranges::any_of(options.layers, [&](const std::string& part) {
                          return item.key().find(part) != std::string::npos;
                        });
    if (!layer || !wanted) continue;
    layer->adapt(options.size);
    ++adapted;
  }
  if (adapted == 0) throw Error{ErrorCode::kUnsupported, "no layer of this model takes an adapter by these names", "lora"};
}

void save_adapters(const std::filesystem::path& path, const Model& model, const std::map<std::string, std::string>& metadata) {
  checkpoint::TensorMap tensors;
  for (const auto& item : model.named_parameters()) {
    if (!is_adapter(item.key())) continue;
    const torch::Tensor values = item.value().detach().to(torch::kCPU, torch::kFloat32).contiguous();
    tensors.add(item.key(), checkpoint::Tensor::from_floats(values.sizes().vec(),
                                                            {values.data_ptr<float>(), static_cast<std::size_t>(values.numel())}));
  }
  if (tensors.empty()) throw Error{ErrorCode::kUsage, "the model has no adapters", path.string()};
  const Config config = Config::parse(model.configuration(), "the model's configuration");
  const AdapterOptions options = AdapterOptions::of(config.section("lora"));
  std::map<std::string, std::string> all = metadata;
  all["format"] = "pt";
  all[kKey] = Json{{"r", options.size.rank}, {"lora_alpha", options.size.alpha}, {"architecture", model.traits().family}}.dump();
  checkpoint::save_safetensors(path, tensors, all);
}

void merge_adapters(torch::nn::Module& model, const std::filesystem::path& path, const Config& config) {
  const torch::NoGradGuard no_gradient;
  const checkpoint::Checkpoint file = checkpoint::load(path);
  try {
    const Scale scale = scale_of(file, config);
    auto parameters = model.named_parameters();
    std::size_t merged = 0;
    for (const auto& [name, tensor] : file.tensors) {
      if (!is_adapter(name)) throw Error{ErrorCode::kFormat, "is no file of adapters: it holds other tensors", name};
      if (!name.ends_with(kDown)) continue;
      const std::string layer = name.substr(0, name.size() - kDown.size());
      const checkpoint::Tensor* const up = file.tensors.find(layer + std::string(kUp));
      torch::Tensor* const weight = parameters.find(layer + ".weight");
      if (!up || !weight)
        throw Error{ErrorCode::kFormat, up ? "the model has no such layer" : "the other half of the adapter is missing", layer};
      const torch::Tensor a = to_torch(tensor), b = to_torch(*up);
      const bool fits = a.dim() == 2 && b.dim() == 2 && weight->dim() == 2 && a.size(0) == scale.rank && b.size(1) == scale.rank &&
                        weight->size(0) == b.size(0) && weight->size(1) == a.size(1);
      if (!fits)
        throw Error{ErrorCode::kFormat,
                    fmt::format("adapters of {} and {} do not fit a weight of {} at rank {}", checkpoint::shape_text(tensor.shape()),
                                checkpoint::shape_text(up->shape()), checkpoint::shape_text(weight->sizes().vec()), scale.rank),
                    layer};
      weight->add_(torch::matmul(b, a), scale.alpha / static_cast<double>(scale.rank));
      ++merged;
    }
    if (2 * merged != file.tensors.size()) throw Error{ErrorCode::kFormat, "an adapter is only half there"};
  } catch (const Error& error) {
    throw Error{error.code(), error.what(), path.string()};
  }
}

}  // namespace unbraid::models
