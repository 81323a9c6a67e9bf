#pragma once
// The STFT as torch operations, for models that are trained through it. Conventions as torch.stft: centred, reflect
// padding, periodic Hann unless a window is given.

#include <torch/torch.h>

namespace unbraid::nn {

struct TorchStft {
  std::int64_t n_fft = 2048;
  std::int64_t hop = 512;
  std::int64_t win_length = 0;  ///< 0: n_fft
  bool normalized = false;      ///< divide by √n_fft
  torch::Tensor window = {};    ///< undefined: periodic Hann

  /// [rows, frames] → complex [rows, bins, 1 + frames / hop].
  torch::Tensor forward(const torch::Tensor& signal) const;
  /// complex [rows, bins, columns] → [rows, length], or hop·(columns − 1) frames without a length.
  torch::Tensor inverse(const torch::Tensor& spectrum, c10::optional<std::int64_t> length = {}) const;

 private:
  torch::Tensor window_on(const torch::Tensor& where) const;
};

}  // namespace unbraid::nn
