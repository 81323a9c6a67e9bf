#include "nn/gelu.hpp"

#include <gtest/gtest.h>

namespace unbraid::nn {
namespace {

/// Φ(x) + x φ(x).
torch::Tensor derivative(const torch::Tensor& x) {
  const torch::Tensor density = torch::exp(-x.square() / 2) * 0.3989422804;
  return (1 + torch::erf(x * 0.7071067812)) / 2 + x * density;
}

TEST(Gelu, GradientOfWhatIsNotContiguous) {
  torch::manual_seed(1);
  const torch::Tensor gradient = torch::randn({2, 32, 16, 64}).transpose(1, 2);
  for (int again = 0; again < 3; ++again) {
    for (int i = 0; i < 8; ++i) torch::full({2 * 16 * 32 * 64}, 1e30);  // what memory holds when it is free
    const torch::Tensor x = torch::randn({2, 16, 32, 64}).requires_grad_();
    nn::gelu(x).backward(gradient);
    EXPECT_LT((x.grad() - gradient * derivative(x.detach())).abs().max().item<double>(), 1e-5);  // float32, values up to 5
  }
}

TEST(Gelu, ModuleWithoutGradient) {
  const torch::NoGradGuard no_gradient;
  const torch::Tensor x = torch::linspace(-3, 3, 7);
  const torch::Tensor expected = x * (1 + torch::erf(x * 0.7071067812)) / 2;
  EXPECT_LT((Gelu()->forward(x) - expected).abs().max().item<double>(), 1e-6);  // some roundings of values up to 3
}

}  // namespace
}  // namespace unbraid::nn
