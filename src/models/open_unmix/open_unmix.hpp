#pragma once
// Open-Unmix (Stöter, Uhlich, Liutkus, Mitsufuji, "Open-Unmix: a reference implementation for music source separation",
// JOSS 4(41), 2019): one recurrent network per target, and multichannel Wiener filtering of all estimates.
//
//   x = (|X| + mean) · scale → Linear → BatchNorm → tanh → 3 × BLSTM, joined with its input → Linear → BatchNorm → ReLU
//     → Linear → BatchNorm → ReLU(· scale + mean) = gain,      |ŝ| = gain · |X|
//   ŝ = EM(|ŝ₁|, …, X): mask/wiener_em.hpp, over excerpts of wiener_win_len columns
//
// A network of nb_channels 1 sees the mean of the channels' magnitudes; the filter works on all channels.
//
// Configuration: `audio` n_fft, hop_length, window (hann), scaling (none), padding (reflect), sample_rate, num_channels (2);
// `model` hidden_size (512), num_layers (3), bidirectional (true), nb_channels (2), max_bin (all bins; what the network
// sees), dropout (0.4); `training` instruments: the targets; `inference` niter (1), softmask (false), residual (false),
// wiener_win_len (300; 0: everything at once): the defaults of the parameters of the same names.

#include <filesystem>
#include <memory>

#include "models/family.hpp"
#include "models/spectrogram_model.hpp"

namespace unbraid::models {

struct OpenUnmixConfig {
  nn::TorchStft stft;
  std::int64_t channels = 2;  ///< that each network sees together; 1: their mean
  std::int64_t hidden = 512;
  std::int64_t layers = 3;
  bool bidirectional = true;
  double dropout = 0.4;
  std::int64_t max_bin = 0;  ///< bins that the network sees
  std::int64_t iterations = 1;
  bool softmask = false;
  bool residual = false;
  std::int64_t window_columns = 300;

  static OpenUnmixConfig of(const Config& config);
};

std::shared_ptr<Model> make_open_unmix(const OpenUnmixConfig& config, ModelTraits traits);

/// Open-Unmix's own form: a folder with separator.json and, per target, <target>.json and <target>.pth,
/// <target>-<hash>.pth or <target>.safetensors. Sizes come from the tensors. With the path of one target's weights, that
/// target alone. kNotFound without any target.
SelfContained read_open_unmix(const std::filesystem::path& path);

}  // namespace unbraid::models
