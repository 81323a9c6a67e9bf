#pragma once
// A U-Net that separates what a condition asks for, one network for all targets: seed 003's example of conditional
// learning. After Meseguer-Brocal and Peeters, "Conditioned-U-Net: introducing a control mechanism in the U-Net for
// multiple source separations" (ISMIR 2019), with FiLM layers of Perez et al. (AAAI 2018, eq. 2):
//
//   FiLM(x, z) = γ(z) ⊙ x + β(z)       per channel, after the batch norm, at the bottleneck or in every encoder block
//
// z has one weight per stem: one-hot for a stem, any other vector for a mix of stems. The network sees real and imaginary
// parts of all channels, halves time and frequency `depth` times (convolution with stride 2, BatchNorm, ReLU), and
// doubles them again (bilinear, joined with the encoder's values, convolution, BatchNorm, ReLU). Its output is
//   complex_mask   tanh(y) as a complex number times X (default)
//   channel_mask   tanh(y) times real and imaginary parts one by one
//   mapping        the stem's spectrogram itself
//
// Configuration: `audio` n_fft (2048 in the seed), hop_length (1024), window (hann), scaling (unitary), padding (reflect),
// sample_rate, num_channels (2); `model` depth (6), filters (16, doubled by each block), kernel (5), film (bottleneck |
// all), condition_hidden (0: γ and β are linear in z), output; `training` instruments: the stems.

#include <memory>
#include <string>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

struct CunetConfig {
  nn::TorchStft stft;
  std::int64_t channels = 2;
  std::int64_t depth = 6;
  std::int64_t filters = 16;
  std::int64_t kernel = 5;
  bool film_everywhere = false;
  std::int64_t condition_hidden = 0;
  std::string output = "complex_mask";

  static CunetConfig of(const Config& config);
};

std::shared_ptr<Model> make_cunet(const CunetConfig& config, ModelTraits traits);

/// "vocals" or "vocals=1,bass=0.5" → a weight per stem. kUsage for an unknown stem or a weight that is no number.
std::vector<float> parse_condition(const std::string& text, const std::vector<std::string>& stems);

}  // namespace unbraid::models
