#include "nn/stft.hpp"

#include <algorithm>
#include <string>

#include "unbraid/core/error.hpp"

namespace unbraid::nn {

namespace {

/// [rows, columns, n_fft], each column a hop later than the one before → [rows, hop · (columns − 1) + n_fft], for n_fft of whole hops.
/// torch::istft does the same with one scalar addition at a time.
torch::Tensor overlap_add(const torch::Tensor& frames, std::int64_t hop) {
  const std::int64_t columns = frames.size(1), parts = frames.size(2) / hop;
  torch::Tensor sum = torch::zeros({frames.size(0), columns + parts - 1, hop}, frames.options());
  for (std::int64_t i = 0; i < parts; ++i) sum.narrow(1, i, columns) += frames.narrow(2, i * hop, hop);
  return sum.flatten(1);
}

}  // namespace

torch::Tensor window_of(std::string_view name, std::int64_t length) {
  if (name == "hann") return torch::hann_window(length);
  if (name == "sqrt_hann") return torch::hann_window(length).sqrt();
  if (name == "hamming") return torch::hamming_window(length);
  if (name == "rectangular") return torch::ones({length});
  throw Error{ErrorCode::kUnsupported, "unknown window; there are hann, sqrt_hann, hamming and rectangular", std::string(name)};
}

torch::Tensor TorchStft::window_on(const torch::Tensor& where) const {
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(where.device());
  return window.defined() ? window.to(where.device()) : torch::hann_window(win_length ? win_length : n_fft, options);
}

torch::Tensor TorchStft::forward(const torch::Tensor& signal) const {
  torch::Tensor padded = signal;
  if (const std::int64_t rest = signal.size(-1) % hop; whole_hops && rest != 0) padded = torch::constant_pad_nd(signal, {0, hop - rest});
  return torch::stft(padded, n_fft, hop, win_length ? win_length : n_fft, window_on(signal), /*center=*/true,
                     reflect ? "reflect" : "constant", normalized, /*onesided=*/true, /*return_complex=*/true);
}

torch::Tensor TorchStft::inverse(const torch::Tensor& spectrum, c10::optional<std::int64_t> length) const {
  const torch::Tensor given = window_on(spectrum);
  if (n_fft % hop != 0)
    return torch::istft(spectrum, n_fft, hop, win_length ? win_length : n_fft, given, /*center=*/true, normalized, /*onesided=*/true,
                        length, /*return_complex=*/false);
  const std::int64_t beside = n_fft - given.size(0);
  const torch::Tensor w = torch::constant_pad_nd(given, {beside / 2, beside - beside / 2});
  const torch::Tensor frames = torch::fft_irfft(spectrum.transpose(-1, -2), n_fft, -1, normalized ? "ortho" : "backward");
  const torch::Tensor sum = overlap_add(frames * w, hop);
  const torch::Tensor envelope = overlap_add(w.square().expand({1, spectrum.size(-1), n_fft}), hop);
  const std::int64_t wanted = length.value_or(hop * (spectrum.size(-1) - 1)), there = std::min(wanted, sum.size(-1) - n_fft / 2);
  const auto kept = [&](const torch::Tensor& values) { return values.narrow(-1, n_fft / 2, there); };
  constexpr float kLeastCover = 1e-11f;
  if (there > 0 && !(kept(envelope).min().item<float>() > kLeastCover))
    throw Error{ErrorCode::kUnsupported, "the windows of the STFT do not cover every sample; it needs a shorter hop"};
  return torch::constant_pad_nd(kept(sum) / kept(envelope), {0, wanted - there});
}

}  // namespace unbraid::nn
