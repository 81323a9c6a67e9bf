#pragma once
// The U-Net of TFC-TDF blocks (Kim and Choi, "Sound demixing challenge 2023 music demixing track technical report:
// TFC-TDF-UNet v3", 2023): time-frequency convolutions (TFC: 3 × 3) with a bottlenecked dense layer over
// frequency (TDF) in between,
//
//   y = TFC(x);  y ← y + TDF(y);  block(x) = TFC(y) + W x         TFC, TDF: norm, activation, then the layer
//
// one or more of them on each scale, strided convolutions between the scales, and the encoder's values beside the decoder's.

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/config.hpp"

namespace unbraid::models {

struct TfcTdfConfig {
  std::int64_t scales = 5;
  std::vector<std::int64_t> scale = {2, 2};  ///< time, frequency
  std::int64_t blocks_per_scale = 2;
  std::int64_t width = 128;           ///< channels of the first scale
  std::int64_t growth = 128;          ///< more of them with every scale
  std::int64_t bottleneck = 4;        ///< of the dense layer
  std::string norm = "InstanceNorm";  ///< BatchNorm, InstanceNorm, GroupNorm<groups>; anything else: none
  std::string activation = "gelu";    ///< gelu, relu, elu<alpha>

  /// Keys num_scales, scale, num_blocks_per_scale, num_channels, growth, bottleneck_factor, norm, act of section `model`. kFormat.
  static TfcTdfConfig of(const Config& model);

  /// What columns and bins must be multiples of.
  std::int64_t column_multiple() const;
  std::int64_t bin_multiple() const;
};

torch::nn::AnyModule tfc_tdf_norm(const std::string& kind, std::int64_t channels);
torch::nn::AnyModule tfc_tdf_activation(const std::string& kind);
/// kernel 1, no bias.
torch::nn::Conv2d pointwise(std::int64_t in, std::int64_t out);

class TfcTdfUnet {
 public:
  using Tap = std::function<void(const std::string& name, const torch::Tensor& value)>;

  TfcTdfUnet(const TfcTdfConfig& config, std::int64_t bins);

  /// Its layers, by the names of published checkpoints: encoder_blocks, bottleneck_block, decoder_blocks.
  void register_in(torch::nn::Module& parent) const;

  /// [batch, width, columns, bins] → the same; tap gets what is on the way, and behind, if given, comes after the bottleneck.
  torch::Tensor forward(torch::Tensor x, const Tap& tap, const std::function<torch::Tensor(const torch::Tensor&)>& behind = {});

  std::int64_t bottleneck_width() const { return bottleneck_width_; }

 private:
  std::int64_t bottleneck_width_;
  torch::nn::ModuleList encoder_, decoder_;
  std::shared_ptr<torch::nn::Module> bottleneck_;
};

}  // namespace unbraid::models
