#pragma once
// MDX23C: the TFC-TDF U-Net, version 3 (Kim and Choi, "Sound demixing challenge 2023 music demixing track technical
// report: TFC-TDF-UNet v3", 2023; the MDX23 competition's KUIELab entry).
//
// Complex spectrogram as 2·channels real ones, its bins folded into `subbands` channel groups; a U-Net whose blocks are
// time-frequency convolutions (TFC: 3 × 3) with a bottlenecked dense layer over frequency (TDF) in between; the output
// spectrograms of all stems at once.

#include <memory>
#include <string>

#include "models/config.hpp"
#include "models/model.hpp"
#include "models/tfc_tdf.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

struct Mdx23cConfig {
  nn::TorchStft stft;
  std::int64_t channels = 2;
  std::int64_t bins = 1024;  ///< dim_f: bins above are dropped, and zero in the output
  std::int64_t subbands = 4;
  TfcTdfConfig unet;

  static Mdx23cConfig of(const Config& config);
};

std::shared_ptr<Model> make_mdx23c(const Mdx23cConfig& config, ModelTraits traits);

}  // namespace unbraid::models
