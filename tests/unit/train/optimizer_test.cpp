#include "train/optimizer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>

#include "train/flat_parameters.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::train {
namespace {

using torch::Tensor;

constexpr int kSteps = 25;

/// Gradients that differ from step to step and from value to value: of ½·Σ cᵢ(xᵢ − 1)², with noise.
Tensor gradient_at(const Tensor& x, int step) {
  const Tensor curvature = torch::linspace(0.1, 3, x.numel());
  return curvature * (x - 1) + 0.1 * torch::sin(torch::arange(x.numel()) + 1.7 * step);
}

/// The largest difference to libtorch's optimiser after some steps with the same gradients.
double difference_to(const std::function<std::unique_ptr<torch::optim::Optimizer>(Tensor)>& reference, const OptimizerOptions& options) {
  Tensor ours = torch::linspace(-1, 2, 7), theirs = ours.clone().requires_grad_();
  const auto mine = make_optimizer(options, ours);
  const auto other = reference(theirs);
  for (int step = 0; step < kSteps; ++step) {
    Tensor gradient = gradient_at(ours, step);
    theirs.mutable_grad() = gradient_at(theirs.detach(), step);
    mine->step(ours, gradient, options.learning_rate);
    other->step();
  }
  return (ours - theirs.detach()).abs().max().item<double>();
}

// float32: 25 steps of values near 1 differ by some roundings (6e-8 each).
constexpr double kRounding = 2e-6;

TEST(Optimizer, EqualsLibtorchs) {
  using namespace torch::optim;
  const auto of = [](auto* optimizer) { return std::unique_ptr<torch::optim::Optimizer>(optimizer); };
  EXPECT_LT(difference_to(
                [&](Tensor x) {
                  return of(new Adam({x}, AdamOptions(0.1).betas({0.8, 0.95}).weight_decay(0.02)));
                },
                {.name = "adam", .learning_rate = 0.1, .weight_decay = 0.02, .beta1 = 0.8, .beta2 = 0.95}),
            kRounding);
  EXPECT_LT(difference_to([&](Tensor x) { return of(new AdamW({x}, AdamWOptions(0.1).weight_decay(0.3))); },
                          {.name = "adamw", .learning_rate = 0.1, .weight_decay = 0.3}),
            kRounding);
  EXPECT_LT(difference_to([&](Tensor x) { return of(new RMSprop({x}, RMSpropOptions(0.01).alpha(0.9))); },
                          {.name = "rmsprop", .learning_rate = 0.01, .rho = 0.9}),
            kRounding);
  EXPECT_LT(difference_to([&](Tensor x) { return of(new RMSprop({x}, RMSpropOptions(0.01).alpha(0.9).momentum(0.7))); },
                          {.name = "rmsprop", .learning_rate = 0.01, .rho = 0.9, .momentum = 0.7}),
            kRounding);
  EXPECT_LT(difference_to([&](Tensor x) { return of(new SGD({x}, SGDOptions(0.1))); }, {.name = "sgd", .learning_rate = 0.1}), kRounding);
  EXPECT_LT(difference_to([&](Tensor x) { return of(new SGD({x}, SGDOptions(0.1).momentum(0.9).weight_decay(0.1))); },
                          {.name = "sgd", .learning_rate = 0.1, .weight_decay = 0.1, .momentum = 0.9}),
            kRounding);
  EXPECT_LT(difference_to([&](Tensor x) { return of(new SGD({x}, SGDOptions(0.1).momentum(0.9).nesterov(true))); },
                          {.name = "sgd", .learning_rate = 0.1, .momentum = 0.9, .nesterov = true}),
            kRounding);
  EXPECT_LT(difference_to([&](Tensor x) { return of(new Adagrad({x}, AdagradOptions(0.1).eps(1e-8))); },
                          {.name = "adagrad", .learning_rate = 0.1}),
            kRounding);
}

// Libtorch's C++ interface has no Adadelta. The rule by hand, in double: v₀ = u₀ = 0.
TEST(Optimizer, AdadeltaByHand) {
  const OptimizerOptions options{.name = "adadelta", .learning_rate = 0.01, .rho = 0.95, .epsilon = 1.0};  // the seed's
  Tensor x = torch::tensor({0.5f});
  const auto optimizer = make_optimizer(options, x);
  double by_hand = 0.5, v = 0, u = 0;
  for (int step = 0; step < kSteps; ++step) {
    const double g = std::sin(step + 1.0) * 3;
    v = 0.95 * v + 0.05 * g * g;
    const double d = std::sqrt(u + 1.0) / std::sqrt(v + 1.0) * g;
    by_hand -= 0.01 * d;
    u = 0.95 * u + 0.05 * d * d;
    Tensor gradient = torch::tensor({static_cast<float>(g)});
    optimizer->step(x, gradient, 0.01);
    EXPECT_NEAR(x.item<double>(), by_hand, kRounding) << step;
  }
}

TEST(Optimizer, GoesOnFromItsMemory) {
  for (const char* name : {"sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta"}) {
    const OptimizerOptions options{.name = name, .learning_rate = 0.05, .weight_decay = 0.01, .momentum = 0.5};
    Tensor straight = torch::linspace(-1, 2, 5), resumed = straight.clone();
    const auto one = make_optimizer(options, straight);
    auto two = make_optimizer(options, resumed);
    for (int step = 0; step < 10; ++step) {
      if (step == 4) {  // a new object that is given the memory of the old one
        auto next = make_optimizer(options, resumed);
        for (std::size_t i = 0; i < two->memory().size(); ++i) torch::Tensor(next->memory()[i].second).copy_(two->memory()[i].second);
        next->set_steps(two->steps());
        two = std::move(next);
      }
      Tensor a = gradient_at(straight, step), b = gradient_at(resumed, step);
      one->step(straight, a, 0.05);
      two->step(resumed, b, 0.05);
    }
    EXPECT_TRUE(torch::equal(straight, resumed)) << name;
  }
}

TEST(Optimizer, RefusesNonsense) {
  EXPECT_THROW(make_optimizer({.name = "adem"}, torch::zeros({1})), Error);
  EXPECT_THROW((OptimizerOptions{.learning_rate = -1}).validate(), Error);
  EXPECT_THROW((OptimizerOptions{.beta1 = 1}).validate(), Error);
  EXPECT_THROW((OptimizerOptions{.nesterov = true}).validate(), Error);
}

TEST(FlatParameters, AreTheModulesOwn) {
  torch::manual_seed(1);
  torch::nn::Sequential net(torch::nn::Linear(3, 4), torch::nn::Tanh(), torch::nn::Linear(4, 2));
  torch::nn::Sequential twin = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(net->clone());
  FlatParameters flat(*net);
  EXPECT_EQ(flat.size(), 3 * 4 + 4 + 4 * 2 + 2);
  const Tensor input = torch::randn({5, 3});
  for (int step = 0; step < 3; ++step) {
    flat.gradients().zero_();
    net->forward(input).square().sum().backward();
    flat.values().sub_(flat.gradients(), 0.01);

    twin->zero_grad();
    twin->forward(input).square().sum().backward();
    const torch::NoGradGuard no_gradient;
    for (Tensor& parameter : twin->parameters()) parameter.sub_(parameter.grad(), 0.01);
  }
  EXPECT_LT((net->forward(input) - twin->forward(input)).abs().max().item<double>(), 1e-6);
  EXPECT_NE(flat.layout().find("0.weight [4, 3]"), std::string::npos);
  torch::nn::Tanh nothing;
  EXPECT_THROW(FlatParameters{*nothing}, Error);
}

}  // namespace
}  // namespace unbraid::train
