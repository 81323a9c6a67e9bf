#pragma once
// MaskInference: the recurrent mask network of seed 002 and of nussl (Manilow, Seetharaman, Pardo, "The Northwestern
// University source separation library", ISMIR 2018; the architecture is the mask inference head of Luo et al., "Deep
// clustering and conventional networks for music separation: stronger together", ICASSP 2017).
//
//   d = 10·log₁₀ max(|X|², 1e-8)  →  BatchNorm per bin  →  L × (B)LSTM  →  [self-attention]  →  Linear  →  σ  = mask
//
// σ is a sigmoid, or a softmax over the sources. With num_audio_channels 1 each channel is separated by itself;
// otherwise bin f of channel c is feature f·channels + c.
//
// Configuration: `audio` n_fft, hop_length, window (sqrt_hann), scaling (spectrum), padding (zeros), sample_rate,
// num_channels; `model` hidden_size (50), num_layers (2), bidirectional (true; false is causal but for the STFT's window),
// dropout (0.3), activation (sigmoid | softmax), num_audio_channels (1), attention_layers (0), attention_heads (4);
// `training` instruments: the stems.

#include <memory>
#include <string>

#include "models/family.hpp"
#include "models/spectrogram_model.hpp"

namespace unbraid::models {

struct MaskInferenceConfig {
  nn::TorchStft stft;
  std::int64_t channels = 1;  ///< that are seen together
  std::int64_t hidden = 50;
  std::int64_t layers = 2;
  bool bidirectional = true;
  double dropout = 0.3;  ///< between the recurrent layers
  bool softmax = false;
  std::int64_t attention_layers = 0;
  std::int64_t attention_heads = 4;

  static MaskInferenceConfig of(const Config& config);
};

std::shared_ptr<Model> make_mask_inference(const MaskInferenceConfig& config, ModelTraits traits);

/// nussl's SeparationModel files: state, architecture, STFT and transforms rebuilt from the metadata, none of which is
/// executed. kUnsupported for networks or transforms of other kinds.
SelfContained read_nussl(const checkpoint::Checkpoint& file, const std::filesystem::path& path);

}  // namespace unbraid::models
