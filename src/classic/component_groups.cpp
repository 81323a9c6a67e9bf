#include "classic/component_groups.hpp"

#include <algorithm>

#include "classic/kmeans.hpp"
#include "unbraid/dsp/mel.hpp"

namespace unbraid::classic {

std::vector<std::size_t> group_by_timbre(std::span<const float> spectra, std::size_t bins, std::span<const double> weights,
                                         double sample_rate, const TimbreGrouping& options, RunContext& run) {
  const dsp::MelFilterBank bank({.sample_rate = sample_rate, .n_fft = 2 * (bins - 1), .bands = 40});
  std::vector<double> features;
  std::vector<float> power(bins), mel(bank.bands()), cepstrum(options.coefficients + 1);
  for (std::size_t c = 0; c < weights.size(); ++c) {
    const std::span<const float> spectrum = spectra.subspan(c * bins, bins);
    std::ranges::transform(spectrum, power.begin(), [](float v) { return v * v; });
    if (const float greatest = std::ranges::max(power); greatest > 0)
      for (float& p : power) p /= greatest;
    bank.apply<float>(power, mel);
    dsp::power_to_db<float>(mel);
    dsp::dct2<float>(mel, cepstrum);
    features.insert(features.end(), cepstrum.begin() + 1, cepstrum.end());
  }
  return kmeans(features, options.coefficients, weights, {.clusters = options.groups, .seed = options.seed}, run).labels;
}

std::vector<double> component_levels(const NmfFactors<float>& factors) {
  std::vector<double> levels(factors.components), activity(factors.components);
  for (std::size_t m = 0; m < factors.frames; ++m)
    for (std::size_t c = 0; c < factors.components; ++c) activity[c] += factors.activations[m * factors.components + c];
  for (std::size_t c = 0; c < factors.components; ++c) {
    double sum = 0;
    for (std::size_t k = 0; k < factors.bins; ++k) sum += factors.dictionary[c * factors.bins + k];
    levels[c] = sum * activity[c];
  }
  return levels;
}

std::vector<dsp::Mask<float>> group_masks(const NmfFactors<float>& factors, std::span<const std::size_t> group, std::size_t groups,
                                          ThreadPool& pool) {
  std::vector<dsp::Mask<float>> masks(groups, dsp::Mask<float>(1, factors.frames, factors.bins));
  pool.parallel_for(
      factors.frames,
      [&](std::size_t m) {
        std::vector<float> total(factors.bins);
        for (std::size_t c = 0; c < factors.components; ++c) {
          const float activation = factors.activations[m * factors.components + c];
          if (activation == 0) continue;
          const float* spectrum = factors.dictionary.data() + c * factors.bins;
          float* out = masks[group[c]].frame(0, m).data();
          for (std::size_t k = 0; k < factors.bins; ++k) {
            const float part = activation * spectrum[k];
            out[k] += part;
            total[k] += part;
          }
        }
        for (dsp::Mask<float>& mask : masks)
          for (std::size_t k = 0; k < factors.bins; ++k)
            mask.at(0, m, k) = total[k] > 0 ? mask.at(0, m, k) / total[k] : 1 / static_cast<float>(groups);
      },
      8);
  return masks;
}

}  // namespace unbraid::classic
