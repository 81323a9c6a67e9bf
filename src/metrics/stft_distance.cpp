#include "unbraid/metrics/stft_distance.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "metrics/a_weighting.hpp"
#include "metrics/frame_pairs.hpp"
#include "metrics/shapes.hpp"
#include "unbraid/dsp/convolution.hpp"
#include "unbraid/dsp/mel.hpp"

namespace unbraid::metrics {

namespace {

constexpr double kLeastPower = 1e-8;

struct Sums {
  double difference = 0, estimate = 0, log_difference = 0;
  Sums& operator+=(const Sums& other) {
    difference += other.difference;
    estimate += other.estimate;
    log_difference += other.log_difference;
    return *this;
  }
};

void magnitudes(Spectrum spectrum, std::vector<double>& out) {
  out.resize(spectrum.size());
  for (std::size_t k = 0; k < spectrum.size(); ++k) out[k] = std::sqrt(std::max(std::norm(spectrum[k]), kLeastPower));
}

/// The distance of magnitudes, or of their mel bands.
template <class T>
StftDistance distance(PlanarView<const T> reference, PlanarView<const T> estimate, std::size_t n_fft,
                      const std::optional<dsp::MelFilterBank>& mel, ThreadPool& pool) {
  const FrameSpec spec{.n_fft = n_fft, .hop = n_fft / 4};
  const std::size_t values = mel ? mel->bands() : n_fft / 2 + 1;
  const Sums sums = sum_frames<Sums>(reference, estimate, spec, pool, [&](std::size_t, std::size_t, Spectrum s, Spectrum x, Sums& total) {
    thread_local std::vector<double> reference_bins, estimate_bins, reference_bands, estimate_bands;
    magnitudes(s, reference_bins);
    magnitudes(x, estimate_bins);
    const double* from = reference_bins.data();
    const double* to = estimate_bins.data();
    if (mel) {
      reference_bands.resize(values);
      estimate_bands.resize(values);
      mel->apply<double>(reference_bins, reference_bands);
      mel->apply<double>(estimate_bins, estimate_bands);
      from = reference_bands.data();
      to = estimate_bands.data();
    }
    for (std::size_t k = 0; k < values; ++k) {
      total.difference += (to[k] - from[k]) * (to[k] - from[k]);
      total.estimate += to[k] * to[k];
      if (from[k] > 0) total.log_difference += std::abs(std::log(from[k]) - std::log(to[k]));
    }
  });
  const double count = static_cast<double>(reference.channels() * centred_frames(reference.frames(), spec.hop) * values);
  return {std::sqrt(sums.difference) / std::sqrt(sums.estimate), sums.log_difference / count};
}

/// Filtered channels with the filter's delay taken out, [channel][frame].
std::vector<double> a_weighted(AudioView audio, const std::vector<double>& taps) {
  std::vector<double> result;
  for (std::size_t c = 0; c < audio.channels(); ++c) {
    const std::vector<double> x(audio.channel(c).begin(), audio.channel(c).end());
    const std::vector<double> full = dsp::convolve<double>(x, taps);
    const auto first = full.begin() + static_cast<std::ptrdiff_t>(taps.size() / 2);
    result.insert(result.end(), first, first + static_cast<std::ptrdiff_t>(x.size()));
  }
  return result;
}

}  // namespace

StftDistance stft_distance(AudioView reference, AudioView estimate, ThreadPool& pool) {
  require_same_shape(reference, estimate);
  return distance<float>(reference, estimate, 1024, std::nullopt, pool);
}

double multi_resolution_stft_distance(AudioView reference, AudioView estimate, ThreadPool& pool, double sample_rate) {
  require_same_shape(reference, estimate);
  const std::vector<double> taps = a_weighting_taps(sample_rate);
  const std::vector<double> s = a_weighted(reference, taps), x = a_weighted(estimate, taps);
  const std::size_t channels = reference.channels(), frames = reference.frames();
  double loss = 0;
  for (const std::size_t n_fft : {1024u, 2048u, 4096u}) {
    const dsp::MelFilterBank mel({.sample_rate = sample_rate, .n_fft = n_fft, .bands = 128});
    loss += distance(PlanarView<const double>(s.data(), channels, frames, frames),
                     PlanarView<const double>(x.data(), channels, frames, frames), n_fft, mel, pool)
                .loss();
  }
  return loss / 3;
}

double stft_score(double loss) { return 100 / (1 + 10 * loss); }

}  // namespace unbraid::metrics
