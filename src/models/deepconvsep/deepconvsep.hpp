#pragma once
// DeepConvSep (Chandna, Miron, Janer, Gómez, "Monoaural audio source separation using deep convolutional neural
// networks", LVA/ICA 2017), as seed 001 builds it in Keras.
//
//   |X| [frames × bins]  →  Conv(1 × bins, N₁)  →  Conv(t₂ × 1, N₂)  →  Dense(N) ReLU            one encoder
//     →  Dense ReLU  →  ConvT(t₂ × 1, N₁)  →  ConvT(1 × bins, channels)  →  |·| = yⱼ               one decoder per stem
//   mask mⱼ = yⱼ / Σₖ yₖ (eq. 2),   ŝⱼ = STFT⁻¹(mⱼ · |X| · e^{i∠X})
//
// Two ways to cut a song into the network's excerpts of T columns, the parameter `framing`:
//   segments  the seed's: blocks of hop·(T − 1) + n_fft samples side by side, each with an STFT that is not centred and
//             a synthesis window that does not make up for the missing neighbours, so that both ends of each block fade
//   centred   one centred STFT; excerpts that overlap by half, their masks averaged with triangular weights (default)
// forward(), and so training, uses segments.
//
// The optional further stem of the original paper, the sum of all sources but one (`accompaniment_of: vocals`), has a
// decoder of its own that is left out of Σ; its mask is y / (y + y_vocals), so that this pair adds up to the mixture too.
//
// Configuration: `audio` n_fft (1024), hop_length (256), window (hann), sample_rate, num_channels; `model` frames (25),
// filters (50: N₁), time_filters (30: N₂), time_kernel (12: t₂), hidden (128: N), accompaniment_of (none);
// `training` instruments: the stems; `inference` framing (centred).

#include <memory>
#include <string>

#include "models/family.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

struct DeepConvSepConfig {
  nn::TorchStft stft;
  std::int64_t channels = 1;
  std::int64_t columns = 25;  ///< T
  std::int64_t filters = 50;
  std::int64_t time_filters = 30;
  std::int64_t time_kernel = 12;
  std::int64_t hidden = 128;
  std::string accompaniment_of;  ///< empty: no further stem
  std::string framing = "centred";

  static DeepConvSepConfig of(const Config& config);
};

std::shared_ptr<Model> make_deepconvsep(const DeepConvSepConfig& config, ModelTraits traits);

/// The seed's Keras weights; all sizes, and the stems, come from the arrays. hop_length is n_fft / 4, as in the seed.
SelfContained read_keras_deepconvsep(const checkpoint::Checkpoint& file, const std::filesystem::path& path);

}  // namespace unbraid::models
