#pragma once
// The STFT as torch operations, for models that are trained through it. Conventions as torch.stft: centred, reflect
// padding, periodic Hann unless other ones are asked for.
//
//   const nn::TorchStft stft{.n_fft = 512, .hop = 128, .window = nn::window_of("sqrt_hann", 512), .reflect = false};

#include <torch/torch.h>

#include <string_view>

namespace unbraid::nn {

/// Periodic windows by name: "hann", "sqrt_hann", "hamming", "rectangular". kUnsupported for others.
torch::Tensor window_of(std::string_view name, std::int64_t length);

struct TorchStft {
  std::int64_t n_fft = 2048;
  std::int64_t hop = 512;
  std::int64_t win_length = 0;  ///< 0: n_fft
  bool normalized = false;      ///< divide by √n_fft
  torch::Tensor window = {};    ///< undefined: periodic Hann. A constant factor scales the spectrum, and is undone
  bool reflect = true;          ///< before the start and after the end; otherwise zeros
  bool whole_hops = false;      ///< zeros after the end up to whole hops, so that no sample is lost (scipy)

  std::int64_t bins() const { return n_fft / 2 + 1; }
  /// [rows, frames] → complex [rows, bins, columns], 1 + ⌊frames / hop⌋ columns, with whole_hops 1 + ⌈frames / hop⌉.
  torch::Tensor forward(const torch::Tensor& signal) const;
  /// complex [rows, bins, columns] → [rows, length], or hop·(columns − 1) frames without a length; zeros where a longer one leaves
  /// the columns behind. kUnsupported where windows leave samples uncovered, as with a Hann window and hop = n_fft.
  torch::Tensor inverse(const torch::Tensor& spectrum, c10::optional<std::int64_t> length = {}) const;

 private:
  torch::Tensor window_on(const torch::Tensor& where) const;
};

}  // namespace unbraid::nn
