// The fast LSTM against torch's own, which runs when gradients are on.

#include "nn/lstm.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace unbraid::nn {
namespace {

using torch::Tensor;

torch::nn::LSTM random_lstm(std::int64_t in, std::int64_t hidden, std::int64_t layers, bool both, bool batch_first) {
  torch::manual_seed(3);
  torch::nn::LSTM lstm(torch::nn::LSTMOptions(in, hidden).num_layers(layers).bidirectional(both).batch_first(batch_first));
  const torch::NoGradGuard no_gradient;
  // Not larger: a recurrence that amplifies would amplify rounding, too.
  for (auto& weight : lstm->parameters()) weight.normal_(0, 0.7 / std::sqrt(static_cast<double>(hidden)));
  lstm->eval();
  return lstm;
}

double difference(torch::nn::LSTM& lstm, const Tensor& x) {
  const Tensor slow = std::get<0>(lstm->forward(x)).detach();
  const torch::NoGradGuard no_gradient;
  const Tensor fast = run_lstm(lstm, x);
  EXPECT_EQ(fast.sizes(), slow.sizes());
  return fast.numel() == 0 ? 0 : (fast - slow).abs().max().item<double>();
}

TEST(RunLstm, EqualsTorch) {
  // 5e-6: values up to 1, sums of up to 70 products in another order, through up to three layers.
  for (const std::int64_t hidden : {1, 5, 16, 50, 70})
    for (const std::int64_t layers : {1, 3})
      for (const bool both : {false, true})
        for (const bool batch_first : {false, true}) {
          auto lstm = random_lstm(7, hidden, layers, both, batch_first);
          for (const std::int64_t steps : {1, 2, 40}) {
            const Tensor x = batch_first ? torch::randn({3, steps, 7}) : torch::randn({steps, 3, 7});
            EXPECT_LT(difference(lstm, x), 5e-6) << hidden << " units, " << layers << " layers, " << steps << " steps";
          }
        }
}

TEST(RunLstm, SaturatesAsTorchDoes) {
  auto lstm = random_lstm(4, 8, 2, true, true);
  for (const double scale : {0.0, 1e-6, 1e3, 1e30}) EXPECT_LT(difference(lstm, torch::randn({2, 20, 4}) * scale), 5e-6) << scale;
}

TEST(RunLstm, LeavesGradientsToTorch) {
  auto lstm = random_lstm(4, 8, 1, true, true);
  const Tensor x = torch::randn({2, 9, 4}, torch::requires_grad());
  run_lstm(lstm, x).sum().backward();
  EXPECT_GT(x.grad().abs().sum().item<double>(), 0);
}

TEST(RunLstm, DoesNotDependOnThreads) {
  auto lstm = random_lstm(4, 50, 2, true, true);
  const torch::NoGradGuard no_gradient;
  const Tensor x = torch::randn({3, 30, 4});
  const int before = torch::get_num_threads();
  torch::set_num_threads(1);
  const Tensor one = run_lstm(lstm, x);
  torch::set_num_threads(2);
  const Tensor two = run_lstm(lstm, x);
  torch::set_num_threads(before);
  EXPECT_TRUE(torch::equal(one, two));
}

}  // namespace
}  // namespace unbraid::nn
