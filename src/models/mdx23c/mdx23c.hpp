#pragma once
// MDX23C: the TFC-TDF U-Net, version 3 (Kim and Choi, "Sound demixing challenge 2023 music demixing track technical
// report: TFC-TDF-UNet v3", 2023; the MDX23 competition's KUIELab entry).
//
// Complex spectrogram as 2·channels real ones, its bins folded into `subbands` channel groups; a U-Net whose blocks are
// time-frequency convolutions (TFC: 3 × 3) with a bottlenecked dense layer over frequency (TDF) in between; the output
// spectrograms of all stems at once.

#include <memory>
#include <string>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

struct Mdx23cConfig {
  nn::TorchStft stft;
  std::int64_t channels = 2;
  std::int64_t bins = 1024;       ///< dim_f: bins above are dropped, and zero in the output
  std::int64_t subbands = 4;
  std::int64_t scales = 5;
  std::vector<std::int64_t> scale = {2, 2};  ///< time, frequency
  std::int64_t blocks_per_scale = 2;
  std::int64_t width = 128;       ///< channels of the first scale
  std::int64_t growth = 128;      ///< more of them with every scale
  std::int64_t bottleneck = 4;    ///< of the dense layer
  std::string norm = "InstanceNorm";  ///< BatchNorm, InstanceNorm, GroupNorm<groups>; anything else: none
  std::string activation = "gelu";    ///< gelu, relu, elu<alpha>

  static Mdx23cConfig of(const Config& config);
};

std::shared_ptr<Model> make_mdx23c(const Mdx23cConfig& config, ModelTraits traits);

}  // namespace unbraid::models
