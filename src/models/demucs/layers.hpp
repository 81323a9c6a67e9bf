#pragma once
// The layers that Hybrid Demucs and its transformer variant share (Défossez, "Hybrid spectrogram and waveform source
// separation", MDX workshop at ISMIR 2021). Names of sub-modules are those of the published checkpoints.
//
// Frequency layers see [batch, channels, bins, frames] and convolve along bins; time layers see [batch, channels, n].

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace unbraid::models::demucs {

struct DConvOptions {
  std::int64_t depth = 2;  ///< negative: |depth| layers without dilation
  double compress = 4;
  double init = 1e-4;  ///< of the layer scale
  bool lstm = false;
  bool attention = false;
};

struct LayerOptions {
  std::int64_t in = 0, out = 0;  ///< channels
  std::int64_t kernel = 8, stride = 4;
  std::int64_t norm_groups = 1;
  std::int64_t context = 0;  ///< of the 1×1 convolution, on either side
  bool frequency = true;
  bool norm = true;
  bool pad = true;
  bool rewrite = true;
  bool empty = false;  ///< only the strided convolution, where the time branch joins or leaves
  bool last = false;   ///< decoder: no activation
  bool dconv = true;
  DConvOptions branch;
};

/// Residual branches of dilated convolutions at a smaller width, optionally with an LSTM and local attention.
class DConv : public torch::nn::Module {
 public:
  DConv(std::int64_t channels, const DConvOptions& options);
  torch::Tensor forward(torch::Tensor x);

 private:
  std::vector<torch::nn::Sequential> layers_;
};

class EncoderLayer : public torch::nn::Module {
 public:
  explicit EncoderLayer(const LayerOptions& options);
  /// inject: the time branch's output where it joins; may be undefined.
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& inject = {});
  bool empty() const noexcept { return options_.empty; }

 private:
  LayerOptions options_;
  torch::nn::AnyModule conv_, norm1_, rewrite_, norm2_;
  std::shared_ptr<DConv> dconv_;
};

class DecoderLayer : public torch::nn::Module {
 public:
  explicit DecoderLayer(const LayerOptions& options);

  struct Result {
    torch::Tensor output;
    torch::Tensor before;  ///< what the transposed convolution was given: where the time branch leaves
  };
  /// skip: undefined for an empty layer. length: frames of a time layer's output.
  Result forward(torch::Tensor x, const torch::Tensor& skip, std::int64_t length);
  bool empty() const noexcept { return options_.empty; }

 private:
  LayerOptions options_;
  torch::nn::AnyModule conv_tr_, norm2_, rewrite_, norm1_;
  std::shared_ptr<DConv> dconv_;
};

}  // namespace unbraid::models::demucs
