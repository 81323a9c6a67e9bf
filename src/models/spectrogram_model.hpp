#pragma once
// Models that scale the mixture's spectrogram: a network from magnitudes to masks, the mixture's phase, the inverse STFT.
//
//   ŝⱼ = STFT⁻¹( mⱼ(|X|) · X )
//
// A model of this kind only says masks().

#include "models/config.hpp"
#include "models/model.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

class SpectrogramModel : public Model {
 public:
  SpectrogramModel(nn::TorchStft stft, ModelTraits traits) : Model(std::move(traits)), stft_(std::move(stft)) {}

  torch::Tensor forward(const torch::Tensor& mix) override;
  bool has_magnitudes() const override { return true; }
  torch::Tensor magnitudes(const torch::Tensor& audio) const override;
  torch::Tensor estimate_magnitudes(const torch::Tensor& mix) override;
  bool has_spectra() const override { return true; }
  torch::Tensor spectra(const torch::Tensor& audio) const override { return analyse(audio); }
  torch::Tensor estimate_spectra(const torch::Tensor& mix) override;

 protected:
  /// Magnitudes [batch, channels, bins, columns] → what each stem's share of them is,
  /// [batch, stems, channels, bins, columns], ≥ 0.
  virtual torch::Tensor masks(const torch::Tensor& magnitudes) = 0;

  /// [..., frames] → complex [..., bins, columns], and back.
  torch::Tensor analyse(const torch::Tensor& audio) const;
  torch::Tensor synthesise(const torch::Tensor& spectrum, std::int64_t frames) const;

  const nn::TorchStft& stft() const { return stft_; }

 private:
  nn::TorchStft stft_;
};

/// The section `audio`: n_fft, hop_length, window (hann), scaling (none; spectrum: divide by the window's sum, as
/// scipy.signal.stft; unitary: by √n_fft), padding (reflect; zeros, with the end filled up to whole hops). Defaults from `usual`.
struct StftNames {
  std::string_view window = "hann";
  std::string_view scaling = "none";
  std::string_view padding = "reflect";
};
nn::TorchStft stft_of(const Config& audio, const StftNames& usual);

}  // namespace unbraid::models
