#include "unbraid/metrics/log_wmse.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "metrics/shapes.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/aligned_vector.hpp"
#include "unbraid/dsp/biquad.hpp"
#include "unbraid/dsp/convolution.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::metrics {

namespace {

constexpr double kEpsilon = 1e-8, kScale = -4.0, kInaudibleDb = -68.0;
constexpr std::size_t kDesignFft = 8192;

/// w * x, the taps' centre taken as time 0, `count` samples of it.
std::vector<double> weighted(std::span<const double> x, std::span<const double> taps, std::size_t count) {
  const std::vector<double> full = dsp::convolve<double>(x, taps);
  const auto first = full.begin() + static_cast<std::ptrdiff_t>(kLogWmseCentre);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

std::vector<double> log_wmse_filter(double sample_rate) {
  constexpr double kCornerQ = std::numbers::sqrt2 / 2;
  std::vector<dsp::Biquad> sections = dsp::butterworth_high_pass({sample_rate, 120, 2});
  sections.push_back(dsp::high_shelf({sample_rate, 1500, kCornerQ, 5}));
  sections.push_back(dsp::peak({sample_rate, 500, 1.5 * kCornerQ, 2.5}));
  for (int twice = 0; twice < 2; ++twice)
    for (const dsp::Biquad& section : dsp::butterworth_low_pass({sample_rate, 10'000, 1})) sections.push_back(section);

  const dsp::RealFft<double> fft(kDesignFft);
  dsp::AlignedVector<std::complex<double>> response(fft.bins());
  dsp::AlignedVector<double> impulse(fft.size());
  for (std::size_t k = 0; k < fft.bins(); ++k) {
    // The original samples the magnitude at k of fft.bins() steps to the Nyquist frequency, without reaching it.
    const double hz = 0.5 * sample_rate * static_cast<double>(k) / static_cast<double>(fft.bins());
    response[k] = std::abs(dsp::frequency_response(sections, hz, sample_rate));
  }
  fft.inverse(response, impulse);
  std::vector<double> taps(kLogWmseTaps);
  for (std::size_t i = 0; i < kLogWmseTaps; ++i) taps[i] = impulse[(kDesignFft + i - kLogWmseCentre) % kDesignFft];
  return taps;
}

double log_wmse(AudioView reference, AudioView estimate, AudioView mixture, ThreadPool& pool, double sample_rate) {
  require_same_shape(reference, estimate);
  require_same_shape(reference, mixture);
  if (!(sample_rate > 20'000)) throw Error{ErrorCode::kUsage, "logWMSE needs a sample rate above 20 kHz"};
  const double frames = static_cast<double>(reference.frames());
  const std::size_t count = std::min(reference.frames(), static_cast<std::size_t>(std::floor(frames / sample_rate * sample_rate)));
  const std::vector<double> taps = log_wmse_filter(sample_rate);
  const std::size_t channels = reference.channels();

  std::vector<double> scale(channels);
  std::vector<std::vector<double>> errors(channels);
  pool.parallel_for(2 * channels, [&](std::size_t i) {
    const std::size_t c = i / 2;
    std::vector<double> x(reference.frames());
    if (i % 2 == 0) {
      std::ranges::copy(mixture.channel(c), x.begin());
      double sum = 0;
      for (const double y : weighted(x, taps, count)) sum += y * y;
      scale[c] = 1 / (std::sqrt(sum / static_cast<double>(count)) + kEpsilon);
    } else {
      for (std::size_t n = 0; n < x.size(); ++n)
        x[n] = static_cast<double>(reference.channel(c)[n]) - static_cast<double>(estimate.channel(c)[n]);
      errors[c] = weighted(x, taps, count);
    }
  });

  const double inaudible = std::pow(10.0, kInaudibleDb / 20);
  double total = 0;
  for (const double factor : scale) {
    for (const auto& error : errors) {
      double sum = 0;
      for (const double e : error) {
        const double d = e * factor;
        if (!(std::abs(d) < inaudible)) sum += d * d;  // what is no number stays none
      }
      total += kScale * std::log(sum / static_cast<double>(count) + kEpsilon);
    }
  }
  return total / static_cast<double>(channels * channels);
}

}  // namespace unbraid::metrics
