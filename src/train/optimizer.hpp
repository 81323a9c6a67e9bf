#pragma once
// Rules that turn gradients into steps.
//
//   const auto optimizer = make_optimizer({.name = "adamw", .learning_rate = 1e-3, .weight_decay = 0.01}, flat.values());
//   optimizer->step(flat.values(), flat.gradients(), schedule.rate(step));
//
// All act on the whole vector of parameters x with gradients g at rate r; t counts steps from 1. L2 (weight_decay λ of
// all but adamw) adds λx to g first.
//   sgd       b ← μb + g (b = g at t = 1),  x ← x − r·b, with nesterov x ← x − r·(g + μb)
//   adam      m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,  x ← x − r · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)
//             (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1)
//   adamw     x ← x − r·λ·x, then adam                     (Loshchilov and Hutter, ICLR 2019, algorithm 2)
//   rmsprop   v ← αv + (1 − α)g²,  x ← x − r · g / (√v + ε), with momentum μ: b ← μb + g/(√v + ε), x ← x − r·b
//   adagrad   v ← v + g²,  x ← x − r · g / (√v + ε)
//   adadelta  v ← ρv + (1 − ρ)g², d = √(u + ε)/√(v + ε)·g, x ← x − r·d, u ← ρu + (1 − ρ)d²
//             (Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1)

#include <torch/torch.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/config.hpp"

namespace unbraid::train {

struct OptimizerOptions {
  std::string name = "adam";
  double learning_rate = 1e-3;
  double weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999;  ///< adam, adamw
  double rho = 0.95;                  ///< adadelta, and α of rmsprop
  double epsilon = 1e-8;
  double momentum = 0;  ///< sgd, rmsprop
  bool nesterov = false;

  static OptimizerOptions of(const models::Config& config);
  /// kUsage.
  void validate() const;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// In place; the gradients may be used as scratch memory.
  void step(torch::Tensor& values, torch::Tensor& gradients, double rate);

  /// What it remembers, by name; the tensors are the memory itself.
  const std::vector<std::pair<std::string, torch::Tensor>>& memory() const { return memory_; }
  std::uint64_t steps() const { return steps_; }
  void set_steps(std::uint64_t steps) { steps_ = steps; }

 protected:
  explicit Optimizer(OptimizerOptions options) : options_(std::move(options)) {}
  torch::Tensor& remember(const char* name, const torch::Tensor& like);
  virtual void update(torch::Tensor& values, torch::Tensor& gradients, double rate) = 0;
  /// The step under way, from 1.
  double count() const { return static_cast<double>(steps_); }

  OptimizerOptions options_;
  bool decoupled_decay_ = false;

 private:
  std::vector<std::pair<std::string, torch::Tensor>> memory_;
  std::uint64_t steps_ = 0;
};

/// like: the vector that will be trained.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, const torch::Tensor& like);

}  // namespace unbraid::train
