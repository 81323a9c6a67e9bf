#pragma once
// Fine-tuning by adapters: all weights of a model stay, and what is learnt is small enough to be passed around.
//
//   auto model = make_model("bs_roformer", config);             // its section `lora` puts adapters beside the dense layers
//   load_weights(*model, "published.ckpt", false);
//   … train: only the adapters have gradients …
//   save_adapters("mine.safetensors", *model, {});              // a few MB
//   save_model("merged.safetensors", *model, {});               // a whole model: adapters are merged into their weights
//   open_model({.weights = "published.ckpt", .config = "config.yaml", .adapters = "mine.safetensors"});
//
// Section `lora`, with the keys of MSST's configurations:
//   r             rank of the adapters (8)
//   lora_alpha    their scale is lora_alpha / r (16)
//   lora_dropout  of their input while training (0)
//   layers        only dense layers with one of these in their names: [to_qkv, to_out]; all where it is absent
// Files of adapters hold tensors <layer>.lora_A and <layer>.lora_B, as loralib's do; ours have the scale with them
// (metadata unbraid.adapters: {"r": 8, "lora_alpha": 16}), for others it comes from `lora` of the configuration.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"
#include "nn/adaptable_linear.hpp"

namespace unbraid::models {

struct AdapterOptions {
  nn::AdapterSize size;
  std::vector<std::string> layers;

  /// Of the section `lora`. kFormat, kUnsupported.
  static AdapterOptions of(const Config& config);
};

/// The configuration of the same model without adapters.
Config without_adapters(const Config& config);

/// Whether this is the name of an adapter's parameter.
bool is_adapter(std::string_view name);

/// Puts an adapter beside each dense layer that `layers` names, and takes the gradients of everything else away.
/// kUnsupported when the model has no such layer that takes one.
void add_adapters(torch::nn::Module& model, const AdapterOptions& options);

/// The tensors of all adapters, with metadata to read them by. kUsage for a model without any.
void save_adapters(const std::filesystem::path& path, const Model& model, const std::map<std::string, std::string>& metadata);

/// Adds the adapters of a file to the weights of a plain model. config: where the file does not state its scale.
/// kFormat when an adapter fits no weight, or the scale is stated nowhere.
void merge_adapters(torch::nn::Module& model, const std::filesystem::path& file, const Config& config);

}  // namespace unbraid::models
