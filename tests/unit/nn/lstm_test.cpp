// The fast LSTM against torch's own.

#include "nn/lstm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "unbraid/core/error.hpp"

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

/// Of everything that has a gradient, the largest difference, relative to the largest gradient of torch's own.
double gradient_difference(torch::nn::LSTM& lstm, const Tensor& x) {
  const auto gradients = [&](const auto& run) {
    for (const Tensor& weight : lstm->parameters()) weight.mutable_grad() = Tensor();
    const Tensor input = x.clone().requires_grad_();
    const Tensor y = run(input);
    torch::manual_seed(8);
    (y * torch::randn(y.sizes())).sum().backward();
    std::vector<Tensor> all{input.grad()};
    for (const Tensor& weight : lstm->parameters()) all.push_back(weight.grad().clone());
    return all;
  };
  const auto slow = gradients([&](const Tensor& in) { return std::get<0>(lstm->forward(in)); });
  const auto fast = gradients([&](const Tensor& in) { return run_lstm(lstm, in); });
  double worst = 0;
  for (std::size_t i = 0; i < slow.size(); ++i)
    worst = std::max(worst, ((fast[i] - slow[i]).abs().max() / slow[i].abs().max().clamp_min(1e-6)).item<double>());
  return worst;
}

TEST(RunLstm, HasTheGradientsOfTorch) {
  // 2e-5: sums of up to 280 products in another order, through up to 40 steps and two layers.
  for (const std::int64_t hidden : {1, 5, 16, 64, 70})
    for (const std::int64_t layers : {1, 2})
      for (const bool both : {false, true})
        for (const bool batch_first : {false, true})
          for (const std::int64_t rows : {1, 3, 31}) {
            auto lstm = random_lstm(7, hidden, layers, both, batch_first);
            for (const std::int64_t steps : {1, 2, 40}) {
              const Tensor x = batch_first ? torch::randn({rows, steps, 7}) : torch::randn({steps, rows, 7});
              EXPECT_LT(gradient_difference(lstm, x), 2e-5)
                  << hidden << " units, " << layers << " layers, " << rows << " rows, " << steps << " steps";
            }
          }
}

TEST(RunLstm, TakesItsGradientOnce) {
  auto lstm = random_lstm(4, 8, 1, true, true);
  const Tensor loss = run_lstm(lstm, torch::randn({2, 9, 4})).sum();
  loss.backward({}, /*retain_graph=*/true);
  EXPECT_THROW(loss.backward(), Error);
}

TEST(RunLstm, DropsBetweenLayersInTraining) {
  torch::nn::LSTM lstm(torch::nn::LSTMOptions(4, 8).num_layers(2).dropout(0.5));
  const Tensor x = torch::randn({6, 2, 4});
  EXPECT_FALSE(torch::equal(run_lstm(lstm, x), run_lstm(lstm, x)));
  lstm->eval();
  EXPECT_TRUE(torch::equal(run_lstm(lstm, x), run_lstm(lstm, x)));
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
