#include "nn/stft.hpp"

#include <string>

#include "unbraid/core/error.hpp"

namespace unbraid::nn {

torch::Tensor window_of(std::string_view name, std::int64_t length) {
  if (name == "hann") return torch::hann_window(length);
  if (name == "sqrt_hann") return torch::hann_window(length).sqrt();
  if (name == "hamming") return torch::hamming_window(length);
  if (name == "rectangular") return torch::ones({length});
  throw Error{ErrorCode::kUnsupported, "unknown window; there are hann, sqrt_hann, hamming and rectangular",
              std::string(name)};
}

torch::Tensor TorchStft::window_on(const torch::Tensor& where) const {
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(where.device());
  return window.defined() ? window.to(where.device()) : torch::hann_window(win_length ? win_length : n_fft, options);
}

torch::Tensor TorchStft::forward(const torch::Tensor& signal) const {
  torch::Tensor padded = signal;
  if (const std::int64_t rest = signal.size(-1) % hop; whole_hops && rest != 0)
    padded = torch::constant_pad_nd(signal, {0, hop - rest});
  return torch::stft(padded, n_fft, hop, win_length ? win_length : n_fft, window_on(signal), /*center=*/true,
                     reflect ? "reflect" : "constant", normalized, /*onesided=*/true, /*return_complex=*/true);
}

torch::Tensor TorchStft::inverse(const torch::Tensor& spectrum, c10::optional<std::int64_t> length) const {
  return torch::istft(spectrum, n_fft, hop, win_length ? win_length : n_fft, window_on(spectrum), /*center=*/true,
                      normalized, /*onesided=*/true, length, /*return_complex=*/false);
}

}  // namespace unbraid::nn
