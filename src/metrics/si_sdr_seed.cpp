#include "unbraid/metrics/si_sdr_seed.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace unbraid::metrics {

namespace {

template <class Sample>
double si_sdr(std::span<const Sample> reference, std::span<const Sample> estimate, double epsilon) {
  using Row = Eigen::Map<const Eigen::Array<Sample, Eigen::Dynamic, 1>>;
  const auto frames = static_cast<Eigen::Index>(std::min(reference.size(), estimate.size()));
  const auto s = Row(reference.data(), frames).template cast<double>();
  const auto x = Row(estimate.data(), frames).template cast<double>();
  const double alpha = (x * s).sum() / (s.square().sum() + epsilon);
  const double target = (alpha * s).square().sum();
  const double residual = (x - alpha * s).square().sum();
  return 10 * std::log10((target + epsilon) / (residual + epsilon));
}

}  // namespace

double si_sdr_seed(std::span<const float> reference, std::span<const float> estimate, double epsilon) {
  return si_sdr(reference, estimate, epsilon);
}

double si_sdr_seed(std::span<const double> reference, std::span<const double> estimate, double epsilon) {
  return si_sdr(reference, estimate, epsilon);
}

}  // namespace unbraid::metrics
