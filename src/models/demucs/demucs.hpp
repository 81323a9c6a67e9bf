#pragma once
// Hybrid Demucs and Hybrid Transformer Demucs: one U-Net on the spectrogram and one on the waveform whose outputs add up;
// between encoder and decoder the first has nothing but skip connections and LSTMs inside its layers, the second a
// transformer across both branches. Papers: see layers.hpp and cross_transformer.hpp.

#include <memory>
#include <vector>

#include "models/config.hpp"
#include "models/demucs/cross_transformer.hpp"
#include "models/demucs/layers.hpp"
#include "models/model.hpp"

namespace unbraid::models {

struct DemucsConfig {
  bool transformer = true;  ///< HTDemucs
  std::int64_t audio_channels = 2;
  std::int64_t channels = 48, channels_time = 48;
  double growth = 2;
  std::int64_t n_fft = 4096;
  std::int64_t subbands = 1;
  std::int64_t depth = 4;
  std::int64_t kernel = 8, stride = 4, time_stride = 2;
  std::int64_t context = 1, encoder_context = 0;
  std::int64_t norm_starts = 4, norm_groups = 4;
  std::int64_t dconv_mode = 1;  ///< 1: in the encoder, 2: in the decoder, 3: in both
  demucs::DConvOptions dconv;
  std::int64_t dconv_lstm = 4, dconv_attention = 4;  ///< from this layer on; HDemucs only
  bool rewrite = true;
  double frequency_embedding = 0.2, embedding_scale = 10;
  std::int64_t bottom_channels = 0;
  demucs::CrossTransformerOptions cross;
  std::int64_t train_frames = 0;  ///< shorter inputs are padded with zeros to this length; 0: not

  /// MSST's schema: sections `audio`, `training` and one named like the model.
  static DemucsConfig of(const Config& config, bool transformer);
};

std::shared_ptr<Model> make_demucs(const DemucsConfig& config, ModelTraits traits);

}  // namespace unbraid::models
