#pragma once
// torch::nn::LSTM with a fast way for inference.
//
//   torch::Tensor y = nn::run_lstm(lstm, x);        // std::get<0>(lstm->forward(x))
//
// With gradients, in training mode, or away from the CPU this is torch's own; otherwise each layer is one product of
// matrices for all steps, and lstm_kernel.hpp for the recurrence, directions and batch items in parallel. The two differ
// by rounding (1e-6), and neither depends on the number of threads.

#include <torch/torch.h>

namespace unbraid::nn {

/// x and the result as the module has them: [steps, batch, features], or [batch, steps, features] with batch_first.
torch::Tensor run_lstm(torch::nn::LSTM& lstm, const torch::Tensor& x);

}  // namespace unbraid::nn
