#pragma once
// The families of models that libunbraid_nn can read: how to tell one from its tensors, and how to build it.
// A new family is a folder with a module, and a row in families().
//
//   auto model = make_model("mask_inference", Config::load("configs/mask_inference_musdb18.yaml"), /*seed=*/1);
//   auto trained = open_model({.weights = "best.safetensors"});

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "models/config.hpp"
#include "models/model.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/separator/neural.hpp"

namespace unbraid::models {

/// A checkpoint that says itself what it is: the configuration as YAML, and the tensors by our names.
struct SelfContained {
  std::string configuration;
  checkpoint::TensorMap tensors;
};

struct Family {
  std::string_view name;
  /// Whether tensors of these names are of this family; the first row that says yes is taken.
  bool (*recognises)(const checkpoint::TensorMap& tensors);
  /// The untrained module. kUnsupported for options that it does not know.
  std::shared_ptr<Model> (*build)(const Config& config);
  /// For families whose files carry their configuration; nullptr for those that need one beside them.
  SelfContained (*read)(const checkpoint::Checkpoint& file, const std::filesystem::path& path) = nullptr;
  /// Whether its configuration is of our making, so that a key which nobody reads is a slip; published ones have many.
  bool own_keys = false;
};

std::span<const Family> families();

/// An untrained model of the family, in training mode, with its configuration set. The configuration has the sections
/// audio, model, training (instruments) and inference; each family's header lists its keys, and other sections are left
/// to others. Initial values depend on the seed alone. kUnsupported for an unknown family or option, kFormat for a
/// missing key or a value of the wrong type.
std::shared_ptr<Model> make_model(std::string_view family, const Config& config, std::uint64_t seed = 0);

/// make_model() of a configuration that came in one file with these tensors: kFormat when it asks for much more than they
/// are, before memory is taken for it.
std::shared_ptr<Model> make_contained_model(std::string_view family, const Config& config, const checkpoint::TensorMap& tensors);

/// Fills a model from weights in any form that open_model() reads, whatever configuration they may have with them.
void load_weights(Model& model, const std::filesystem::path& weights, bool allow_partial);

/// A model from its files, in evaluation mode on the CPU: our own model files, published checkpoints that say what they
/// are, published checkpoints with their configuration, or a folder of Open-Unmix; the family is told by the tensors.
std::shared_ptr<Model> open_model(const ModelFiles& files);

}  // namespace unbraid::models
