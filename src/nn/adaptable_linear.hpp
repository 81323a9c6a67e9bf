#pragma once
// A dense layer that can be fine-tuned by a low-rank adapter: its weights stay, and beside them the product of two thin
// matrices is learnt (Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022, eq. 3):
//   y = W x + b + (α / r) · B (A · dropout(x)),    A [r, in], B [out, r], B = 0 at the start
//
//   nn::AdaptableLinear layer(torch::nn::LinearOptions(64, 32));     // torch's Linear in every respect
//   layer->adapt({.rank = 8, .alpha = 16});                          // still the same function; lora_A and lora_B learn
//   torch::Tensor w = layer->merged_weight();                        // what a plain layer needs to do the same
//
// The parameters have loralib's names, lora_A and lora_B, so that its checkpoints fit.

#include <torch/torch.h>

#include <cstdint>

namespace unbraid::nn {

struct AdapterSize {
  std::int64_t rank = 8;
  double alpha = 16;
  double dropout = 0;  ///< of the adapter's input, while training
};

class AdaptableLinearImpl : public torch::nn::LinearImpl {
 public:
  using LinearImpl::LinearImpl;

  /// Once. A has the usual initial values of a dense layer, from torch's generator.
  void adapt(const AdapterSize& size);
  bool adapted() const { return a_.defined(); }
  /// W + (α / r) · B A, or W.
  torch::Tensor merged_weight() const;

  torch::Tensor forward(const torch::Tensor& x);

 private:
  AdapterSize size_;
  torch::Tensor a_, b_;
};
TORCH_MODULE(AdaptableLinear);

}  // namespace unbraid::nn
