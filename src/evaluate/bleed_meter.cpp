#include "evaluate/bleed_meter.hpp"

#include <algorithm>
#include <complex>
#include <limits>

namespace unbraid::evaluate {

namespace {

constexpr std::size_t kWindow = 2048, kHop = kWindow / 2;
constexpr std::size_t kStretch = 32;  ///< short-time frames
/// Half-overlapped Hann windows correlate by 1/6: 32 frames are worth this many independent ones.
constexpr double kIndependent = kStretch / (1.0 + 2.0 / 36.0 * (kStretch - 1) / kStretch);

using Spectra = std::vector<dsp::Spectrogram<float>>;

}  // namespace

BleedMeter::BleedMeter(std::size_t stems)
    : stems_(stems),
      stft_({.window = {.length = kWindow}, .hop = kHop, .centered = false, .pad_end = false}),
      coherent_(stems * stems),
      power_(stems * stems) {}

void BleedMeter::add(std::span<const AudioBuffer> blocks, ThreadPool& pool) {
  Spectra spectra;
  for (const AudioBuffer& block : blocks) spectra.push_back(stft_.forward(block.view(), pool));
  const std::size_t bins = stft_.bins(), stretches = spectra[0].frames() / kStretch;
  pool.parallel_for(stems_ * stems_, [&](std::size_t pair) {
    const std::size_t i = pair / stems_, j = pair % stems_;
    if (i >= j) return;
    std::vector<std::complex<double>> cross(bins);
    std::vector<double> power_i(bins), power_j(bins);
    for (std::size_t channel = 0; channel < blocks[0].channels(); ++channel) {
      for (std::size_t stretch = 0; stretch < stretches; ++stretch) {
        std::ranges::fill(cross, 0.0);
        std::ranges::fill(power_i, 0.0);
        std::ranges::fill(power_j, 0.0);
        for (std::size_t m = stretch * kStretch; m < (stretch + 1) * kStretch; ++m) {
          const auto x = spectra[i].frame(channel, m), y = spectra[j].frame(channel, m);
          for (std::size_t k = 0; k < bins; ++k) {
            cross[k] += std::complex<double>(x[k] * std::conj(y[k]));
            power_i[k] += std::norm(x[k]);
            power_j[k] += std::norm(y[k]);
          }
        }
        for (std::size_t k = 0; k < bins; ++k) {
          const double product = power_i[k] * power_j[k];
          const double coherence = product > 0 ? (std::norm(cross[k]) / product - 1 / kIndependent) / (1 - 1 / kIndependent) : 0.0;
          coherent_[i * stems_ + j] += coherence * power_j[k];
          coherent_[j * stems_ + i] += coherence * power_i[k];
          power_[i * stems_ + j] += power_j[k];
          power_[j * stems_ + i] += power_i[k];
        }
      }
    }
  });
}

double BleedMeter::share(std::size_t from, std::size_t into) const {
  const double power = power_[from * stems_ + into];
  if (power <= 0) return std::numeric_limits<double>::quiet_NaN();
  return std::clamp(coherent_[from * stems_ + into] / power, 0.0, 1.0);
}

}  // namespace unbraid::evaluate
