#include "models/spectrogram_model.hpp"

#include <fmt/format.h>

#include <cmath>

namespace unbraid::models {

using torch::Tensor;

Tensor SpectrogramModel::analyse(const Tensor& audio) const {
  const Tensor z = stft_.forward(audio.flatten(0, -2));
  std::vector<std::int64_t> shape(audio.sizes().begin(), audio.sizes().end() - 1);
  shape.insert(shape.end(), {z.size(1), z.size(2)});
  return z.view(shape);
}

Tensor SpectrogramModel::synthesise(const Tensor& spectrum, std::int64_t frames) const {
  const Tensor signal = stft_.inverse(spectrum.flatten(0, -3), frames);
  std::vector<std::int64_t> shape(spectrum.sizes().begin(), spectrum.sizes().end() - 2);
  shape.push_back(frames);
  return signal.reshape(shape);
}

Tensor SpectrogramModel::magnitudes(const Tensor& audio) const { return analyse(audio).abs(); }

Tensor SpectrogramModel::estimate_magnitudes(const Tensor& mix) {
  const Tensor mixture = magnitudes(mix);
  return masks(mixture) * mixture.unsqueeze(1);
}

Tensor SpectrogramModel::estimate_spectra(const Tensor& mix) {
  const Tensor z = analyse(mix);
  return masks(z.abs()) * z.unsqueeze(1);
}

Tensor SpectrogramModel::forward(const Tensor& mix) {
  const std::int64_t frames = mix.size(-1);
  if (frames == 0) return torch::zeros({mix.size(0), static_cast<std::int64_t>(traits().stems.size()), mix.size(1), 0}, mix.options());
  return synthesise(estimate_spectra(mix), frames);
}

nn::TorchStft stft_of(const Config& audio, const StftNames& usual) {
  nn::TorchStft stft{.n_fft = audio.get<std::int64_t>("n_fft"), .hop = audio.get<std::int64_t>("hop_length")};
  constexpr std::int64_t kLongest = 1 << 20;
  if (stft.n_fft < 2 || stft.n_fft > kLongest || stft.n_fft % 2 != 0 || stft.hop < 1 || stft.hop > stft.n_fft)
    throw Error{ErrorCode::kFormat,
                fmt::format("n_fft {} (even, at least 2) and hop_length {} (1 … n_fft) do not go together", stft.n_fft, stft.hop),
                audio.name()};
  stft.window = nn::window_of(audio.get<std::string>("window", std::string(usual.window)), stft.n_fft);
  const auto scaling = audio.get<std::string>("scaling", std::string(usual.scaling));
  if (scaling == "spectrum") stft.window = stft.window / stft.window.sum();
  else if (scaling == "unitary") stft.window = stft.window / std::sqrt(static_cast<double>(stft.n_fft));
  else if (scaling != "none")
    throw Error{ErrorCode::kUnsupported, fmt::format("unknown scaling {}; there are none, spectrum and unitary", scaling), audio.name()};
  const auto padding = audio.get<std::string>("padding", std::string(usual.padding));
  if (padding != "reflect" && padding != "zeros")
    throw Error{ErrorCode::kUnsupported, fmt::format("unknown padding {}; there are reflect and zeros", padding), audio.name()};
  stft.reflect = padding == "reflect";
  stft.whole_hops = !stft.reflect;
  return stft;
}

}  // namespace unbraid::models
