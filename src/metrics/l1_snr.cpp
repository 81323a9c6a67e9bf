#include "unbraid/metrics/l1_snr.hpp"

#include <algorithm>
#include <cmath>

#include "metrics/frame_pairs.hpp"
#include "metrics/shapes.hpp"

namespace unbraid::metrics {

namespace {

constexpr double kRatioEpsilon = 1e-3, kLevelEpsilon = 1e-8;
constexpr double kLeastWeight = 0.1, kExtraWeight = 0.9, kSilenceDb = -60;
constexpr std::size_t kShortest = 512;

double ratio_db(double mean_error, double mean_signal) {
  return 10 * std::log10((mean_error + kRatioEpsilon) / (mean_signal + kRatioEpsilon));
}

double level_db(double mean_square) { return 20 * std::log10(std::sqrt(mean_square + kLevelEpsilon) + kLevelEpsilon); }

struct Means {
  double error = 0, signal = 0, signal_square = 0, estimate_square = 0;
};

Means time_means(AudioView reference, AudioView estimate) {
  Means means;
  for (std::size_t c = 0; c < reference.channels(); ++c) {
    for (std::size_t n = 0; n < reference.frames(); ++n) {
      const double s = reference.channel(c)[n], x = estimate.channel(c)[n];
      means.error += std::abs(x - s);
      means.signal += std::abs(s);
      means.signal_square += s * s;
      means.estimate_square += x * x;
    }
  }
  const double count = static_cast<double>(reference.channels() * reference.frames());
  return {means.error / count, means.signal / count, means.signal_square / count, means.estimate_square / count};
}

double level_penalty(const Means& means) {
  const double signal = level_db(means.signal_square), estimate = level_db(means.estimate_square);
  const double difference = std::abs(estimate - signal);
  double weight = kLeastWeight;
  if (signal > std::max(estimate, kSilenceDb))
    weight += kExtraWeight * std::clamp(difference / std::max(signal - kSilenceDb, 1e-6), 0.0, 1.0);
  return weight * difference;
}

struct SpectrumSums {
  double real_error = 0, real = 0, imaginary_error = 0, imaginary = 0;
  SpectrumSums& operator+=(const SpectrumSums& other) {
    real_error += other.real_error;
    real += other.real;
    imaginary_error += other.imaginary_error;
    imaginary += other.imaginary;
    return *this;
  }
};

double spectrum_ratio_db(AudioView reference, AudioView estimate, std::size_t n_fft, ThreadPool& pool) {
  const FrameSpec spec{.n_fft = n_fft, .hop = n_fft / 4};
  const SpectrumSums sums =
      sum_frames<SpectrumSums>(reference, estimate, spec, pool, [](std::size_t, std::size_t, Spectrum s, Spectrum x, SpectrumSums& total) {
        for (std::size_t k = 0; k < s.size(); ++k) {
          total.real_error += std::abs(x[k].real() - s[k].real());
          total.real += std::abs(s[k].real());
          total.imaginary_error += std::abs(x[k].imag() - s[k].imag());
          total.imaginary += std::abs(s[k].imag());
        }
      });
  const std::size_t values = reference.channels() * centred_frames(reference.frames(), spec.hop) * (n_fft / 2 + 1);
  double window_energy = 0;
  for (const double w : dsp::make_window({.length = n_fft})) window_energy += w * w;
  const double scale = 1 / (static_cast<double>(values) * std::sqrt(window_energy));
  return ratio_db(scale * sums.real_error, scale * sums.real) + ratio_db(scale * sums.imaginary_error, scale * sums.imaginary);
}

}  // namespace

double l1_snr(AudioView reference, AudioView estimate, ThreadPool& pool) {
  require_same_shape(reference, estimate);
  const Means means = time_means(reference, estimate);
  const double plain = ratio_db(means.error, means.signal);
  double spectra = 0;
  int resolutions = 0;
  if (reference.frames() >= kShortest) {
    for (const std::size_t n_fft : {512u, 1024u, 2048u}) {
      if (reference.frames() <= n_fft / 2) continue;
      spectra += spectrum_ratio_db(reference, estimate, n_fft, pool);
      ++resolutions;
    }
  }
  spectra = resolutions > 0 ? spectra / resolutions : plain;
  return -0.5 * (plain + level_penalty(means) + spectra);
}

}  // namespace unbraid::metrics
