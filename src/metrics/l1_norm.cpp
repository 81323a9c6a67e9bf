#include "unbraid/metrics/l1_norm.hpp"

#include <cmath>
#include <complex>

#include "metrics/frame_pairs.hpp"
#include "metrics/shapes.hpp"

namespace unbraid::metrics {

double l1_time(AudioView reference, AudioView estimate) {
  require_same_shape(reference, estimate);
  double sum = 0;
  for (std::size_t c = 0; c < reference.channels(); ++c)
    for (std::size_t n = 0; n < reference.frames(); ++n)
      sum += std::abs(static_cast<double>(reference.channel(c)[n]) - static_cast<double>(estimate.channel(c)[n]));
  return sum / static_cast<double>(reference.channels() * reference.frames());
}

double l1_frequency(AudioView reference, AudioView estimate, ThreadPool& pool) {
  require_same_shape(reference, estimate);
  const FrameSpec spec{.n_fft = 2048, .hop = 1024, .window = dsp::WindowKind::kBoxcar};
  const double sum =
      sum_frames<double>(reference, estimate, spec, pool, [](std::size_t, std::size_t, Spectrum s, Spectrum x, double& total) {
        for (std::size_t k = 0; k < s.size(); ++k) total += std::abs(std::sqrt(std::norm(s[k])) - std::sqrt(std::norm(x[k])));
      });
  const std::size_t values = reference.channels() * centred_frames(reference.frames(), spec.hop) * (spec.n_fft / 2 + 1);
  return sum / static_cast<double>(values);
}

double l1_score(double l1) { return 100 / (1 + 10 * l1); }

}  // namespace unbraid::metrics
