#pragma once
// x Φ(x), Φ the normal distribution (Hendrycks and Gimpel, 2016), with the gradient that it has. libtorch 1.13 with oneDNN
// leaves the gradient's memory as it was found where what comes back from the next layer is not contiguous.

#include <torch/torch.h>

namespace unbraid::nn {

inline torch::Tensor gelu(const torch::Tensor& x) {
  torch::Tensor y = torch::gelu(x);
  if (y.requires_grad()) y.register_hook([](const torch::Tensor& gradient) { return gradient.contiguous(); });
  return y;
}

struct GeluImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& x) { return nn::gelu(x); }
};
TORCH_MODULE(Gelu);

}  // namespace unbraid::nn
