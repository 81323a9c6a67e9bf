#pragma once
// Small untrained networks for the tests of this folder.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>
#include <string>

#include "models/family.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/run_context.hpp"

namespace unbraid::models::testing {

inline std::shared_ptr<Model> build(const std::string& family, const std::string& yaml, std::uint64_t seed = 1) {
  auto model = make_model(family, Config::parse(yaml, "test"), seed);
  model->eval();
  return model;
}

inline torch::Tensor noise(std::initializer_list<std::int64_t> shape, std::uint64_t seed = 7) {
  return torch::empty(shape).uniform_(-0.5, 0.5, at::detail::createCPUGenerator(seed));
}

inline double distance(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

inline std::int64_t count_parameters(const Model& model) {
  std::int64_t count = 0;
  for (const auto& parameter : model.parameters()) count += parameter.numel();
  return count;
}

inline std::string message_of(const std::function<void()>& action, ErrorCode code) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.message();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

inline torch::Tensor separate(Model& model, const torch::Tensor& mix, const std::map<std::string, std::string>& settings = {}) {
  const c10::InferenceMode no_gradient;
  ThreadPool pool;
  RunContext run{pool};
  return model.separate(mix, ParameterValues::resolve(model.settings(), settings), run);
}

/// Every length around a hop, and silence: stems of at least the mixture's length, all finite.
inline void expect_any_length(Model& model, std::int64_t hop) {
  const auto stems = static_cast<std::int64_t>(model.traits().stems.size());
  for (const std::int64_t frames : {std::int64_t{0}, std::int64_t{1}, hop - 1, hop, hop + 1, 8 * hop + 3}) {
    for (const bool silent : {false, true}) {
      const torch::Tensor mix = noise({1, model.traits().channels, frames}) * (silent ? 0 : 1);
      const torch::Tensor out = separate(model, mix);
      EXPECT_EQ(out.size(1), stems);
      EXPECT_GE(out.size(3), frames);
      EXPECT_TRUE(torch::isfinite(out).all().item<bool>()) << frames << " frames";
    }
  }
}

}  // namespace unbraid::models::testing
