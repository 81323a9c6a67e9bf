#include "evaluate/oracle_wiener.hpp"

#include "unbraid/dsp/stft.hpp"
#include "unbraid/mask/wiener_em.hpp"

namespace unbraid::evaluate {

std::vector<AudioBuffer> wiener_estimates(const std::vector<AudioBuffer>& audio, std::size_t window, std::size_t hop, ThreadPool& pool) {
  const dsp::Stft<float> stft({.window = {.length = window}, .hop = hop});
  const dsp::Spectrogram<float> mixture = stft.forward(audio.back().view(), pool);
  std::vector<dsp::Spectrogram<float>> sources;
  for (std::size_t s = 0; s + 1 < audio.size(); ++s) sources.push_back(stft.forward(audio[s].view(), pool));
  mask::expectation_maximisation(sources, mixture, {.iterations = 1}, pool);
  std::vector<AudioBuffer> estimates;
  for (const dsp::Spectrogram<float>& spectrum : sources) {
    AudioBuffer& estimate = estimates.emplace_back(audio[0].channels(), audio[0].frames());
    stft.inverse(spectrum, estimate.view(), pool);
  }
  return estimates;
}

}  // namespace unbraid::evaluate
