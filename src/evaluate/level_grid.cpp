#include "evaluate/level_grid.hpp"

#include <algorithm>
#include <cmath>
#include <complex>

#include "unbraid/dsp/aligned_vector.hpp"
#include "unbraid/dsp/fft.hpp"
#include "unbraid/dsp/mel.hpp"
#include "unbraid/dsp/window.hpp"

namespace unbraid::evaluate {

LevelGrid level_grid(AudioView audio, double sample_rate) {
  constexpr std::size_t kFft = 4096, kColumns = 480, kBands = 96;
  constexpr double kLeastPower = 1e-12;
  LevelGrid grid{.columns = std::clamp<std::size_t>(audio.frames() / 512, 1, kColumns), .bands = kBands};
  grid.db.reserve(grid.columns * kBands);
  const dsp::RealFft<double> fft(kFft);
  const dsp::MelFilterBank mel({.sample_rate = sample_rate, .n_fft = kFft, .bands = kBands});
  const std::vector<double> window = dsp::make_window({.length = kFft});
  dsp::AlignedVector<double> time(kFft);
  dsp::AlignedVector<std::complex<double>> spectrum(fft.bins());
  std::vector<double> power(fft.bins()), bands(kBands);
  for (std::size_t column = 0; column < grid.columns; ++column) {
    const auto centre = static_cast<std::ptrdiff_t>((2 * column + 1) * audio.frames() / (2 * grid.columns));
    std::ranges::fill(power, 0.0);
    for (std::size_t c = 0; c < audio.channels(); ++c) {
      for (std::size_t n = 0; n < kFft; ++n) {
        const std::ptrdiff_t at = centre + static_cast<std::ptrdiff_t>(n) - static_cast<std::ptrdiff_t>(kFft / 2);
        const bool inside = at >= 0 && at < static_cast<std::ptrdiff_t>(audio.frames());
        time[n] = inside ? window[n] * static_cast<double>(audio.channel(c)[static_cast<std::size_t>(at)]) : 0.0;
      }
      fft.forward(time, spectrum);
      for (std::size_t k = 0; k < power.size(); ++k) power[k] += std::norm(spectrum[k]) / static_cast<double>(audio.channels());
    }
    mel.apply<double>(power, bands);
    for (const double band : bands) grid.db.push_back(static_cast<float>(10 * std::log10(std::max(band, kLeastPower))));
  }
  return grid;
}

}  // namespace unbraid::evaluate
