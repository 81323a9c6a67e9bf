#pragma once
// The transformer that the RoFormers are made of (Lu et al., "Music source separation with band-split RoPE transformer",
// ICASSP 2024): pre-normalised attention with rotary position embedding and one gate per head, and a feed-forward net.
//
// Names of sub-modules and parameters are those of the published checkpoints. All tensors are [batch, tokens, dim].

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace unbraid::nn {

/// x / max(‖x‖₂, 1e-12) · √dim · gamma over the last axis (Zhang and Sennrich 2019, without an epsilon in the mean).
struct RmsNorm : torch::nn::Module {
  explicit RmsNorm(std::int64_t dim);
  torch::Tensor forward(const torch::Tensor& x);
  double scale;
  torch::Tensor gamma;
};

/// Turns the pairs (x₂ᵢ, x₂ᵢ₊₁) of position p by the angle p·freqs[i] (Su et al., "RoFormer", 2021, eq. 34).
struct RotaryEmbedding : torch::nn::Module {
  explicit RotaryEmbedding(std::int64_t dim);
  /// [batch, heads, tokens, dim]
  torch::Tensor forward(const torch::Tensor& x) const;
  torch::Tensor freqs;
};

struct TransformerOptions {
  std::int64_t dim = 0;
  std::int64_t depth = 1;
  std::int64_t heads = 8;
  std::int64_t dim_head = 64;
  std::int64_t feed_forward_factor = 4;
  double attention_dropout = 0;
  double feed_forward_dropout = 0;
  bool norm_output = false;
  bool linear = false;  ///< attend over features instead of tokens: cost linear in the tokens (El-Nouby et al., "XCiT")
};

class Transformer : public torch::nn::Module {
 public:
  /// rotary may be nullptr: no position embedding.
  Transformer(const TransformerOptions& options, const std::shared_ptr<RotaryEmbedding>& rotary);
  torch::Tensor forward(torch::Tensor x);

 private:
  struct Layer;
  /// Rows do not see each other: without gradients few at a time go through all layers, so that the scores of all need
  /// not be held at once.
  std::int64_t rows_at_once(std::int64_t tokens) const;
  torch::Tensor forward_rows(torch::Tensor x);

  TransformerOptions options_;
  std::vector<std::shared_ptr<Layer>> layers_;
  std::shared_ptr<RmsNorm> norm_;
};

}  // namespace unbraid::nn
