#include "nn/stft.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "unbraid/core/error.hpp"

namespace unbraid::nn {
namespace {

using torch::Tensor;

Tensor by_torch(const TorchStft& stft, const Tensor& spectrum, c10::optional<std::int64_t> length) {
  const Tensor window = stft.window.defined() ? stft.window : torch::hann_window(stft.win_length ? stft.win_length : stft.n_fft);
  return torch::istft(spectrum, stft.n_fft, stft.hop, window.size(0), window, true, stft.normalized, true, length, false);
}

// Any spectrum, not only those of signals: 2e-6 for sums of up to eight windowed values of about 1 in another order.
TEST(TorchStft, InverseAndItsGradientAreTorchs) {
  torch::manual_seed(1);
  for (const TorchStft& stft : {TorchStft{.n_fft = 64, .hop = 16}, TorchStft{.n_fft = 64, .hop = 32}, TorchStft{.n_fft = 60, .hop = 20},
                                TorchStft{.n_fft = 64, .hop = 24}, TorchStft{.n_fft = 64, .hop = 8, .win_length = 40},
                                TorchStft{.n_fft = 64, .hop = 16, .normalized = true, .window = window_of("hamming", 64)}})
    for (const c10::optional<std::int64_t> length : {c10::optional<std::int64_t>{}, {1}, {7 * stft.hop + 3}, {9 * stft.hop}}) {
      const Tensor real = torch::randn({3, stft.bins(), 10, 2}), weights = torch::randn({3, length.value_or(9 * stft.hop)});
      std::vector<Tensor> results, gradients;
      for (const bool ours : {true, false}) {
        const Tensor leaf = real.clone().requires_grad_();
        const Tensor spectrum = torch::view_as_complex(leaf);
        results.push_back(ours ? stft.inverse(spectrum, length) : by_torch(stft, spectrum, length));
        (results.back() * weights).sum().backward();
        gradients.push_back(leaf.grad());
      }
      ASSERT_EQ(results[0].sizes(), results[1].sizes());
      EXPECT_LT((results[0] - results[1]).abs().max().item<float>(), 2e-6) << stft.n_fft << ' ' << stft.hop;
      EXPECT_LT((gradients[0] - gradients[1]).abs().max().item<float>(), 2e-6) << stft.n_fft << ' ' << stft.hop;
    }
}

TEST(TorchStft, WhatLiesBeyondTheLastColumnIsSilent) {
  const TorchStft stft{.n_fft = 64, .hop = 16};
  const Tensor there = stft.inverse(torch::ones({1, 33, 4}, torch::kComplexFloat), 80),
               more = stft.inverse(torch::ones({1, 33, 4}, torch::kComplexFloat), 200);
  EXPECT_TRUE(torch::equal(more.narrow(1, 0, 80), there));
  EXPECT_EQ(more.narrow(1, 80, 120).abs().max().item<float>(), 0);
}

TEST(TorchStft, RefusesWindowsThatLeaveGaps) {
  const TorchStft stft{.n_fft = 64, .hop = 64};
  EXPECT_THROW(stft.inverse(torch::ones({1, 33, 4}, torch::kComplexFloat)), Error);
}

}  // namespace
}  // namespace unbraid::nn
