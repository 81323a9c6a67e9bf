#pragma once
// Filling a module from a checkpoint, and writing it back.

#include <torch/torch.h>

#include "unbraid/checkpoint/tensor.hpp"

namespace unbraid::models {

/// Copies every parameter and buffer of the module from the tensor of the same name, converting the type. A `model.` or
/// `module.` in front of all names is taken off. kFormat when tensors are missing, surplus or of another shape; the
/// message names the first ones. Adapters are no part of it (adapters.hpp). allow_partial accepts missing and surplus ones, never another
/// shape.
void load_state(torch::nn::Module& module, const checkpoint::TensorMap& tensors, bool allow_partial);

/// Parameters, then buffers, in the order of the module, as float32 or float16. Adapters are merged into their weights.
checkpoint::TensorMap save_state(const torch::nn::Module& module, checkpoint::Dtype dtype);

/// A tensor of a checkpoint as a torch tensor of its own memory: float32 for every floating type, int64 for integers.
torch::Tensor to_torch(const checkpoint::Tensor& tensor);

}  // namespace unbraid::models
