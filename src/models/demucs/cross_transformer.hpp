#pragma once
// The transformer in the middle of Hybrid Transformer Demucs: two stacks, one on the spectrogram and one on the waveform,
// that attend to themselves and to each other in turn (Rouard, Massa, Défossez, "Hybrid transformers for music source
// separation", ICASSP 2023).

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/norms.hpp"

namespace unbraid::models::demucs {

struct CrossTransformerOptions {
  std::int64_t dim = 0;
  std::int64_t layers = 5;
  std::int64_t heads = 8;
  double hidden_scale = 4;
  double max_period = 10000;
  double position_weight = 1;
  bool norm_in = true;
  bool norm_first = true;
  bool norm_out = true;
  bool layer_scale = true;
  bool gelu = true;
  bool cross_first = false;
};

class CrossTransformer : public torch::nn::Module {
 public:
  using Tap = std::function<void(const std::string&, const torch::Tensor&)>;

  explicit CrossTransformer(const CrossTransformerOptions& options);
  /// spectrogram [batch, dim, bins, frames], waveform [batch, dim, n]; both come back in the same shape.
  std::pair<torch::Tensor, torch::Tensor> forward(torch::Tensor spectrogram, torch::Tensor waveform, const Tap& tap);

 private:
  struct Layer;
  CrossTransformerOptions options_;
  nn::LayerNorm norm_in_{nullptr}, norm_in_t_{nullptr};
  std::vector<std::shared_ptr<Layer>> layers_, layers_t_;
};

}  // namespace unbraid::models::demucs
