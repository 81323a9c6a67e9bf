#include "train/flat_parameters.hpp"

#include <vector>

#include "unbraid/checkpoint/tensor.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::train {

FlatParameters::FlatParameters(torch::nn::Module& module) {
  const torch::NoGradGuard no_gradient;
  std::vector<torch::Tensor> parameters;
  std::int64_t count = 0;
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    parameters.push_back(item.value());
    count += item.value().numel();
    layout_ += item.key() + " " + checkpoint::shape_text(item.value().sizes().vec()) + "\n";
  }
  if (parameters.empty()) throw Error{ErrorCode::kUsage, "the model has nothing to train"};
  values_ = torch::empty({count}, parameters[0].options().dtype(torch::kFloat32).requires_grad(false));
  gradients_ = torch::zeros_like(values_);
  std::int64_t at = 0;
  for (torch::Tensor& parameter : parameters) {
    const std::int64_t length = parameter.numel();
    torch::Tensor place = values_.narrow(0, at, length).view(parameter.sizes());
    place.copy_(parameter);
    parameter.set_data(place);
    parameter.mutable_grad() = gradients_.narrow(0, at, length).view(parameter.sizes());
    at += length;
  }
}

}  // namespace unbraid::train
