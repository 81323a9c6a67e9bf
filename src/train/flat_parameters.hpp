#pragma once
// All trainable parameters of a module as one vector, and their gradients as another.
//
//   FlatParameters flat(*model);                 // after the module was moved to its device
//   flat.gradients().zero_(); loss.backward();   // accumulates into the vector
//   flat.values().sub_(flat.gradients(), 1e-3);  // and the module has the new weights
//
// The module's parameters become views of the vector. So an optimiser, an average, a norm, a sum over processes and a
// checkpoint are each one operation on one tensor, whatever the module looks like. A module that is moved or converted
// afterwards loses the connection.

#include <torch/torch.h>

#include <string>

namespace unbraid::train {

class FlatParameters {
 public:
  /// Takes those parameters that require a gradient. kUsage when there are none.
  explicit FlatParameters(torch::nn::Module& module);

  torch::Tensor& values() { return values_; }
  torch::Tensor& gradients() { return gradients_; }
  std::int64_t size() const { return values_.numel(); }
  /// "name [shape]" of every parameter, one per line: what a saved vector must have been made of.
  const std::string& layout() const { return layout_; }

 private:
  torch::Tensor values_, gradients_;
  std::string layout_;
};

}  // namespace unbraid::train
