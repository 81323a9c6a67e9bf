#pragma once
// Group normalisation (Wu and He, ECCV 2018), in float32 whatever comes in: libtorch has no gradient for values in
// bfloat16 beside weights in float32, as autocast gives them.

#include <torch/torch.h>

namespace unbraid::nn {

struct GroupNormImpl : torch::nn::GroupNormImpl {
  using torch::nn::GroupNormImpl::GroupNormImpl;
  torch::Tensor forward(const torch::Tensor& x) { return torch::nn::GroupNormImpl::forward(x.to(weight.scalar_type())); }
};
TORCH_MODULE(GroupNorm);

}  // namespace unbraid::nn
