#include "unbraid/metrics/sdr.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <span>

#include "metrics/shapes.hpp"

namespace unbraid::metrics {

namespace {

constexpr double kEpsilon = 1e-8;

auto row(std::span<const float> channel) {
  return Eigen::Map<const Eigen::ArrayXf>(channel.data(), static_cast<Eigen::Index>(channel.size())).cast<double>();
}

}  // namespace

double sdr(AudioView reference, AudioView estimate) {
  require_same_shape(reference, estimate);
  double signal = kEpsilon, error = kEpsilon;
  for (std::size_t c = 0; c < reference.channels(); ++c) {
    const auto s = row(reference.channel(c)), x = row(estimate.channel(c));
    signal += s.square().sum();
    error += (s - x).square().sum();
  }
  return 10 * std::log10(signal / error);
}

double k_sdr(double sdr_db, double k) { return 100 * std::log1p(std::max(std::min(sdr_db, k), -k + 1e-6) + k) / std::log1p(2 * k); }

double si_sdr_msst(AudioView reference, AudioView estimate) {
  require_same_shape(reference, estimate);
  double product = 0, energy = 0;
  for (std::size_t c = 0; c < reference.channels(); ++c) {
    const auto s = row(reference.channel(c)), x = row(estimate.channel(c));
    product += (x * s + kEpsilon).sum();
    energy += (s.square() + kEpsilon).sum();
  }
  const double scale = product / energy;
  double target = 0, error = kEpsilon;
  for (std::size_t c = 0; c < reference.channels(); ++c) {
    const auto s = row(reference.channel(c)), x = row(estimate.channel(c));
    target += (scale * s).square().sum();
    error += (scale * s - x).square().sum();
  }
  return 10 * std::log10(target / error + kEpsilon);
}

}  // namespace unbraid::metrics
