#include "train/optimizer.hpp"

#include <cmath>

#include "unbraid/core/error.hpp"

namespace unbraid::train {

namespace {

using torch::Tensor;

class Sgd : public Optimizer {
 public:
  Sgd(const OptimizerOptions& options, const Tensor& like) : Optimizer(options) {
    if (options.momentum > 0) velocity_ = remember("velocity", like);
  }
  void update(Tensor& x, Tensor& g, double rate) override {
    if (!velocity_.defined()) {
      x.sub_(g, rate);
      return;
    }
    velocity_.mul_(options_.momentum).add_(g);
    if (options_.nesterov) x.sub_(g, rate).sub_(velocity_, rate * options_.momentum);
    else x.sub_(velocity_, rate);
  }

 private:
  Tensor velocity_;
};

class Adam : public Optimizer {
 public:
  Adam(const OptimizerOptions& options, const Tensor& like) : Optimizer(options) {
    decoupled_decay_ = options.name == "adamw";
    mean_ = remember("mean", like);
    square_ = remember("square", like);
  }
  void update(Tensor& x, Tensor& g, double rate) override {
    mean_.mul_(options_.beta1).add_(g, 1 - options_.beta1);
    square_.mul_(options_.beta2).addcmul_(g, g, 1 - options_.beta2);
    const double mean_bias = 1 - std::pow(options_.beta1, count());
    const double square_bias = 1 - std::pow(options_.beta2, count());
    torch::sqrt_out(g, square_).div_(std::sqrt(square_bias)).add_(options_.epsilon);
    x.addcdiv_(mean_, g, -rate / mean_bias);
  }

 private:
  Tensor mean_, square_;
};

class RmsProp : public Optimizer {
 public:
  RmsProp(const OptimizerOptions& options, const Tensor& like) : Optimizer(options) {
    square_ = remember("square", like);
    if (options.momentum > 0) velocity_ = remember("velocity", like);
  }
  void update(Tensor& x, Tensor& g, double rate) override {
    square_.mul_(options_.rho).addcmul_(g, g, 1 - options_.rho);
    g.div_(square_.sqrt().add_(options_.epsilon));
    x.sub_(velocity_.defined() ? velocity_.mul_(options_.momentum).add_(g) : g, rate);
  }

 private:
  Tensor square_, velocity_;
};

class Adagrad : public Optimizer {
 public:
  Adagrad(const OptimizerOptions& options, const Tensor& like) : Optimizer(options) { sum_ = remember("sum", like); }
  void update(Tensor& x, Tensor& g, double rate) override {
    sum_.addcmul_(g, g);
    x.addcdiv_(g, sum_.sqrt().add_(options_.epsilon), -rate);
  }

 private:
  Tensor sum_;
};

class Adadelta : public Optimizer {
 public:
  Adadelta(const OptimizerOptions& options, const Tensor& like) : Optimizer(options) {
    square_ = remember("square", like);
    step_square_ = remember("step_square", like);
  }
  void update(Tensor& x, Tensor& g, double rate) override {
    square_.mul_(options_.rho).addcmul_(g, g, 1 - options_.rho);
    g.mul_(step_square_.add(options_.epsilon).div_(square_.add(options_.epsilon)).sqrt_());
    x.sub_(g, rate);
    step_square_.mul_(options_.rho).addcmul_(g, g, 1 - options_.rho);
  }

 private:
  Tensor square_, step_square_;
};

}  // namespace

OptimizerOptions OptimizerOptions::of(const models::Config& config) {
  OptimizerOptions options;
  options.name = config.get<std::string>("name", options.name);
  options.learning_rate = config.get<double>("learning_rate", options.learning_rate);
  options.weight_decay = config.get<double>("weight_decay", options.weight_decay);
  options.beta1 = config.get<double>("beta1", options.beta1);
  options.beta2 = config.get<double>("beta2", options.beta2);
  options.rho = config.get<double>("rho", options.rho);
  options.epsilon = config.get<double>("epsilon", options.epsilon);
  options.momentum = config.get<double>("momentum", options.momentum);
  options.nesterov = config.get<bool>("nesterov", options.nesterov);
  config.refuse_others({});
  options.validate();
  return options;
}

void OptimizerOptions::validate() const {
  const auto require = [](bool fine, const char* key, const char* message) {
    if (!fine) throw Error{ErrorCode::kUsage, message, std::string("optimizer.") + key};
  };
  const auto share = [](double value) { return value >= 0 && value < 1; };
  require(learning_rate >= 0 && std::isfinite(learning_rate), "learning_rate", "must be at least 0");
  require(weight_decay >= 0 && std::isfinite(weight_decay), "weight_decay", "must be at least 0");
  require(share(beta1), "beta1", "must lie in 0 … 1");
  require(share(beta2), "beta2", "must lie in 0 … 1");
  require(share(rho), "rho", "must lie in 0 … 1");
  require(share(momentum), "momentum", "must lie in 0 … 1");
  require(epsilon >= 0 && std::isfinite(epsilon), "epsilon", "must be at least 0");
  require(!nesterov || momentum > 0, "nesterov", "needs momentum");
}

torch::Tensor& Optimizer::remember(const char* name, const Tensor& like) {
  return memory_.emplace_back(name, torch::zeros_like(like)).second;
}

void Optimizer::step(Tensor& values, Tensor& gradients, double rate) {
  const torch::NoGradGuard no_gradient;
  ++steps_;
  if (options_.weight_decay > 0) {
    if (decoupled_decay_) values.mul_(1 - rate * options_.weight_decay);
    else gradients.add_(values, options_.weight_decay);
  }
  update(values, gradients, rate);
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, const Tensor& like) {
  options.validate();
  if (options.name == "sgd") return std::make_unique<Sgd>(options, like);
  if (options.name == "adam" || options.name == "adamw") return std::make_unique<Adam>(options, like);
  if (options.name == "rmsprop") return std::make_unique<RmsProp>(options, like);
  if (options.name == "adagrad") return std::make_unique<Adagrad>(options, like);
  if (options.name == "adadelta") return std::make_unique<Adadelta>(options, like);
  throw Error{ErrorCode::kUsage, "there are sgd, adam, adamw, rmsprop, adagrad and adadelta", "optimizer.name"};
}

}  // namespace unbraid::train
