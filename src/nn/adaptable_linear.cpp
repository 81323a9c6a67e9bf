#include "nn/adaptable_linear.hpp"

#include <cmath>

namespace unbraid::nn {

using torch::Tensor;

void AdaptableLinearImpl::adapt(const AdapterSize& size) {
  size_ = size;
  a_ = register_parameter("lora_A", torch::empty({size.rank, options.in_features()}));
  b_ = register_parameter("lora_B", torch::zeros({options.out_features(), size.rank}));
  const torch::NoGradGuard no_gradient;
  torch::nn::init::kaiming_uniform_(a_, std::sqrt(5.0));
}

Tensor AdaptableLinearImpl::merged_weight() const {
  if (!adapted()) return weight;
  return weight + torch::matmul(b_, a_) * (size_.alpha / static_cast<double>(size_.rank));
}

Tensor AdaptableLinearImpl::forward(const Tensor& x) {
  const Tensor y = LinearImpl::forward(x);
  if (!adapted()) return y;
  const Tensor seen = torch::dropout(x, size_.dropout, is_training());
  return y + torch::linear(torch::linear(seen, a_), b_) * (size_.alpha / static_cast<double>(size_.rank));
}

}  // namespace unbraid::nn
