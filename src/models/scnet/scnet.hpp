#pragma once
// SCNet: sparse compression of the spectrum, then recurrent layers along frequency and time (Tong, Zhu, Chen, Kang,
// Jiang, Li, Wang, "SCNet: sparse compression network for music source separation", ICASSP 2024).
//
// Every encoder level cuts the spectrum into three bands and compresses the higher ones more; the net in the middle
// works alternately on frames and on their Fourier transform along time; the decoder mirrors the encoder. The STFT has a
// rectangular window, as the published weights were trained.

#include <array>
#include <memory>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

struct ScnetConfig {
  static constexpr std::size_t kBands = 3;  ///< low, mid, high

  nn::TorchStft stft;
  std::int64_t channels = 2;
  std::vector<std::int64_t> dims;           ///< channels of each level, from 2·channels
  std::array<double, kBands> band_share{};  ///< of the bins
  std::array<std::int64_t, kBands> stride{}, kernel{}, depth{};
  std::int64_t compress = 4;
  std::int64_t convolution_kernel = 3;
  std::int64_t dual_path_layers = 6;
  std::int64_t expand = 1;  ///< LSTM width over its input's
  bool masked = false;      ///< MSST's variant that ends in a complex mask on the mixture

  static ScnetConfig of(const Config& config, bool masked);
};

std::shared_ptr<Model> make_scnet(const ScnetConfig& config, ModelTraits traits);

}  // namespace unbraid::models
