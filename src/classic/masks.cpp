#include "classic/masks.hpp"

#include <cmath>
#include <complex>

namespace unbraid::classic {

namespace {

constexpr std::size_t kGrain = 16;  ///< rows that go to a thread at a time

}  // namespace

dsp::Magnitudes<float> magnitudes(const dsp::Spectrogram<float>& spectrogram, ThreadPool& pool) {
  dsp::Magnitudes<float> out(spectrogram.channels(), spectrogram.frames(), spectrogram.bins());
  const std::size_t bins = out.bins();
  pool.parallel_for(
      out.channels() * out.frames(),
      [&](std::size_t row) {
        const std::complex<float>* x = spectrogram.values().data() + row * bins;
        float* y = out.values().data() + row * bins;
        for (std::size_t k = 0; k < bins; ++k) y[k] = std::sqrt(std::norm(x[k]));
      },
      kGrain);
  return out;
}

dsp::Magnitudes<float> joint_magnitudes(const dsp::Spectrogram<float>& spectrogram, ThreadPool& pool) {
  dsp::Magnitudes<float> out(1, spectrogram.frames(), spectrogram.bins());
  pool.parallel_for(
      out.frames(),
      [&](std::size_t m) {
        const auto y = out.frame(0, m);
        for (std::size_t c = 0; c < spectrogram.channels(); ++c) {
          const auto x = spectrogram.frame(c, m);
          for (std::size_t k = 0; k < y.size(); ++k) y[k] += std::norm(x[k]);
        }
        for (float& v : y) v = std::sqrt(v);
      },
      kGrain);
  return out;
}

void apply_mask(const dsp::Spectrogram<float>& source, const dsp::Mask<float>& mask, dsp::Spectrogram<float>& target, ThreadPool& pool) {
  const std::size_t frames = source.frames();
  pool.parallel_for(
      source.channels() * frames,
      [&](std::size_t row) {
        const std::size_t channel = row / frames, m = row % frames;
        const auto x = source.frame(channel, m);
        const auto weight = mask.frame(mask.channels() == 1 ? 0 : channel, m);
        const auto y = target.frame(channel, m);
        for (std::size_t k = 0; k < y.size(); ++k) y[k] = x[k] * weight[k];
      },
      kGrain);
}

}  // namespace unbraid::classic
