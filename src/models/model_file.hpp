#pragma once
// Unbraid's own model files: safetensors whose metadata is enough to build the separator again, of any family.
//
//   save_model("vocals.safetensors", *model, {.licence = "CC-BY-4.0", .training = report_json});
//   const LoadedModel file = load_model("vocals.safetensors");
//   torch::Tensor stems = file.model->forward(mix);
//
// Metadata, all texts:
//   format                  "pt", by which Python's safetensors readers know that the tensors are torch's
//   unbraid.model           "1", the version of this layout
//   unbraid.architecture    the family: "mask_inference"
//   unbraid.configuration   YAML that make_model() takes: sizes, STFT, stems, blocks
//   unbraid.stems           JSON array; with .sample_rate (Hz), .channels and .normalize ("true", "false") for readers
//                           that do not know the family; must agree with the configuration
//   unbraid.version         the program that wrote the file
//   unbraid.card            JSON object: what ModelCard holds
// Tensors have the names of the module's parameters and buffers, which are those of the published checkpoints.

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "models/config.hpp"
#include "models/model.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/separator/neural.hpp"

namespace unbraid::models {

/// What a user should know of a model besides its numbers; texts may be empty.
struct ModelCard {
  std::string name;
  std::string description;
  std::string author;
  std::string licence;   ///< an SPDX expression where there is one: "MIT", "CC-BY-NC-4.0"
  std::string source;    ///< where it comes from: a file name, an address
  std::string training;  ///< provenance: data, steps, scores; text or JSON
  std::map<std::string, std::string> more;
};

struct LoadedModel {
  std::shared_ptr<Model> model;  ///< in evaluation mode on the CPU
  ModelCard card;
};

bool is_model_file(const checkpoint::Checkpoint& file);

/// Writes atomically; a model with adapters as the plain model that it amounts to. dtype: kF32 or kF16 for floating tensors. kInternal for
/// a model without configuration().
void save_model(const std::filesystem::path& path, const Model& model, const ModelCard& card,
                checkpoint::Dtype dtype = checkpoint::Dtype::kF32);

/// kFormat when the file is no such file, is damaged or contradicts itself; kUnsupported for a layout or family of a
/// newer version.
LoadedModel load_model(const std::filesystem::path& path);
LoadedModel load_model(const checkpoint::Checkpoint& file);
/// With the keys of `inference` (of a configuration's section of that name) in place of its own.
LoadedModel load_model(const checkpoint::Checkpoint& file, const Config& inference);

/// open_model() of family.hpp with the card, which for published checkpoints only says where the model comes from.
LoadedModel open_with_card(const ModelFiles& files);

}  // namespace unbraid::models
