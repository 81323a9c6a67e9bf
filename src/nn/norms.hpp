#pragma once
// Group normalisation (Wu and He, ECCV 2018) and layer normalisation (Ba et al., 2016), in float32 whatever comes in: libtorch
// has no gradient for values in bfloat16 beside weights in float32, as autocast gives them.

#include <torch/torch.h>

namespace unbraid::nn {

template <class Norm>
struct FloatNorm : Norm {
  using Norm::Norm;
  torch::Tensor forward(const torch::Tensor& x) { return Norm::forward(x.to(this->weight.scalar_type())); }
};

using GroupNormImpl = FloatNorm<torch::nn::GroupNormImpl>;
using LayerNormImpl = FloatNorm<torch::nn::LayerNormImpl>;
TORCH_MODULE(GroupNorm);
TORCH_MODULE(LayerNorm);

}  // namespace unbraid::nn
