#include "evaluate/oracle_wiener.hpp"

#include "unbraid/dsp/stft.hpp"
#include "unbraid/mask/wiener_em.hpp"

namespace unbraid::evaluate {

std::vector<AudioBuffer> wiener_estimates(const std::vector<AudioBuffer>& audio, std::size_t window, std::size_t hop, RunContext& run) {
  const dsp::Stft<float> stft({.window = {.length = window}, .hop = hop});
  const dsp::Spectrogram<float> mixture = stft.forward(audio.back().view(), run.pool);
  std::vector<dsp::Spectrogram<float>> sources;
  for (std::size_t s = 0; s + 1 < audio.size(); ++s) sources.push_back(stft.forward(audio[s].view(), run.pool));
  mask::expectation_maximisation(sources, mixture, {.iterations = 1}, run);
  std::vector<AudioBuffer> estimates;
  for (const dsp::Spectrogram<float>& spectrum : sources) {
    AudioBuffer& estimate = estimates.emplace_back(audio[0].channels(), audio[0].frames());
    stft.inverse(spectrum, estimate.view(), run.pool);
  }
  return estimates;
}

}  // namespace unbraid::evaluate
