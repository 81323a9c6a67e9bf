#include "nn/stft.hpp"

namespace unbraid::nn {

torch::Tensor TorchStft::window_on(const torch::Tensor& where) const {
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(where.device());
  return window.defined() ? window.to(where.device()) : torch::hann_window(win_length ? win_length : n_fft, options);
}

torch::Tensor TorchStft::forward(const torch::Tensor& signal) const {
  return torch::stft(signal, n_fft, hop, win_length ? win_length : n_fft, window_on(signal), /*center=*/true, "reflect",
                     normalized, /*onesided=*/true, /*return_complex=*/true);
}

torch::Tensor TorchStft::inverse(const torch::Tensor& spectrum, c10::optional<std::int64_t> length) const {
  return torch::istft(spectrum, n_fft, hop, win_length ? win_length : n_fft, window_on(spectrum), /*center=*/true,
                      normalized, /*onesided=*/true, length, /*return_complex=*/false);
}

}  // namespace unbraid::nn
