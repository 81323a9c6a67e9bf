#pragma once
// The families of models that libunbraid_nn can read: how to tell one from its tensors, and how to build it.
// A new family is a folder with a module, and a row in families().

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "models/config.hpp"
#include "models/model.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/separator/neural.hpp"

namespace unbraid::models {

struct Family {
  std::string_view name;
  /// Whether tensors of these names are of this family; the first row that says yes is taken.
  bool (*recognises)(const checkpoint::TensorMap& tensors);
  /// The untrained module. kUnsupported for options that it does not know.
  std::shared_ptr<Model> (*build)(const Config& config);
};

std::span<const Family> families();

/// The configuration, the family by its tensors, the module, and the tensors in it; in evaluation mode on the CPU.
std::shared_ptr<Model> open_model(const ModelFiles& files);

}  // namespace unbraid::models
