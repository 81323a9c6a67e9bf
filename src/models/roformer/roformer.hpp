#pragma once
// BS-RoFormer and Mel-Band RoFormer: a complex mask per stem from transformers that alternate between time and bands.
//
// Lu, Wang, Kong, Hung, "Music source separation with band-split RoPE transformer", ICASSP 2024; Wang, Lu, Won,
// "Mel-band RoFormer for music source separation", ISMIR 2023. The spectrogram is cut into bands (side by side, or
// overlapping along the mel scale), each embedded in `dim` values; blocks of transformers attend along time for every
// band, then along bands for every frame; an MLP per stem and band gives the mask. Where mel bands overlap, masks are
// averaged.

#include <memory>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"
#include "nn/attention.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

struct RoformerConfig {
  bool mel = false;
  std::int64_t channels = 2;
  std::int64_t stems = 1;
  std::int64_t depth = 6;
  std::int64_t time_depth = 1, freq_depth = 1, linear_depth = 0;
  nn::TransformerOptions transformer;
  nn::TorchStft stft;
  std::vector<std::vector<std::int64_t>> bands;  ///< the bins of each band
  std::int64_t mask_layers = 2;                  ///< linear layers of the mask's MLP
  std::int64_t mask_expansion = 4;
  bool zero_dc = true;
  bool skip_connection = false;
  bool match_length = true;  ///< output as long as the input
  bool norm_output = false;  ///< a norm after every transformer instead of one at the end

  static RoformerConfig of(const Config& config, bool mel);
};

std::shared_ptr<Model> make_roformer(const RoformerConfig& config, ModelTraits traits);

}  // namespace unbraid::models
