#include "evaluate/oracle_wiener.hpp"

#include <cmath>

#include "unbraid/dsp/stft.hpp"
#include "unbraid/mask/wiener_em.hpp"

namespace unbraid::evaluate {

std::vector<AudioBuffer> wiener_estimates(const std::vector<AudioBuffer>& audio, std::size_t window, std::size_t hop,
                                          ThreadPool& pool) {
  const dsp::Stft<float> stft({.window = {.length = window}, .hop = hop});
  const dsp::Spectrogram<float> mixture = stft.forward(audio.back().view(), pool);
  std::vector<dsp::Magnitudes<float>> magnitudes;
  for (std::size_t s = 0; s + 1 < audio.size(); ++s) {
    const dsp::Spectrogram<float> source = stft.forward(audio[s].view(), pool);
    dsp::Magnitudes<float>& magnitude = magnitudes.emplace_back(source.channels(), source.frames(), source.bins());
    const auto from = source.values();
    const auto to = magnitude.values();
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = std::abs(from[i]);
  }
  const auto spectra = mask::wiener_em<float>(magnitudes, mixture, {.iterations = 1}, pool);
  std::vector<AudioBuffer> estimates;
  for (const dsp::Spectrogram<float>& spectrum : spectra) {
    AudioBuffer& estimate = estimates.emplace_back(audio[0].channels(), audio[0].frames());
    stft.inverse(spectrum, estimate.view(), pool);
  }
  return estimates;
}

}  // namespace unbraid::evaluate
