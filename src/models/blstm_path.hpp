#pragma once
// One path of a dual-path recurrent network (Luo, Chen, Yoshioka, "Dual-path RNN", ICASSP 2020; on bands: Luo and Yu, "Music source
// separation with band-split RNN", 2023):
//
//   y = x + F BLSTM(LN x)     along one axis, alike for all places on the other

#include <torch/torch.h>

#include "nn/norms.hpp"

namespace unbraid::models {

struct BlstmPath : torch::nn::Module {
  /// batch_first: x is [batch, steps, features], else [steps, batch, features]. dropout: of what the BLSTM gives, in training.
  BlstmPath(std::int64_t features, std::int64_t hidden, double dropout, bool batch_first);

  torch::Tensor forward(const torch::Tensor& x);

  double dropout_;
  nn::LayerNorm norm{nullptr};
  torch::nn::LSTM rnn{nullptr};
  torch::nn::Linear linear{nullptr};
};

}  // namespace unbraid::models
