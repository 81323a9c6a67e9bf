#include "models/blstm_path.hpp"

#include "nn/lstm.hpp"

namespace unbraid::models {

BlstmPath::BlstmPath(std::int64_t features, std::int64_t hidden, double dropout, bool batch_first) : dropout_(dropout) {
  norm = register_module("norm", nn::LayerNorm(torch::nn::LayerNormOptions({features})));
  rnn = register_module("rnn", torch::nn::LSTM(torch::nn::LSTMOptions(features, hidden).bidirectional(true).batch_first(batch_first)));
  linear = register_module("linear", torch::nn::Linear(2 * hidden, features));
}

torch::Tensor BlstmPath::forward(const torch::Tensor& x) {
  return x + linear->forward(torch::dropout(nn::run_lstm(rnn, norm->forward(x)), dropout_, is_training()));
}

}  // namespace unbraid::models
