#pragma once
// torch::nn::LSTM, fast on processors.
//
//   torch::Tensor y = nn::run_lstm(lstm, x);        // std::get<0>(lstm->forward(x)), differentiable as that is
//
// On the CPU each layer is one product of matrices for all steps and both directions, and lstm_kernel.hpp for the
// recurrence and its gradient, directions and batch items in parallel; elsewhere this is torch's own. The two differ by
// rounding (1e-6), and neither depends on the number of threads. Gradients of gradients are not to be had.

#include <torch/torch.h>

namespace unbraid::nn {

/// x and the result as the module has them: [steps, batch, features], or [batch, steps, features] with batch_first.
torch::Tensor run_lstm(torch::nn::LSTM& lstm, const torch::Tensor& x);

}  // namespace unbraid::nn
