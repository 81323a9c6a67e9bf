#include "metrics/a_weighting.hpp"

#include <Eigen/Dense>
#include <array>
#include <cmath>
#include <numbers>

namespace unbraid::metrics {

namespace {

using std::numbers::pi;

/// |H| of the A-weighting at an analogue frequency, rad/s.
double a_weighting(double omega) {
  constexpr double kF1 = 20.598997, kF2 = 107.65265, kF3 = 737.86223, kF4 = 12194.217, kGainAt1kDb = 1.9997;
  const auto pole = [&](double hz) { return std::hypot(omega, 2 * pi * hz); };
  const double numerator = std::pow(2 * pi * kF4, 2) * std::pow(10.0, kGainAt1kDb / 20) * std::pow(omega, 4);
  return numerator / (std::pow(pole(kF4), 2) * std::pow(pole(kF1), 2) * pole(kF2) * pole(kF3));
}

double sinc(double x) { return x == 0 ? 1.0 : std::sin(pi * x) / (pi * x); }

}  // namespace

std::vector<double> a_weighting_taps(double sample_rate, std::size_t taps) {
  constexpr std::size_t kPoints = 512;
  std::array<double, kPoints> f, wanted;  // frequencies in units of the Nyquist frequency
  for (std::size_t k = 0; k < kPoints; ++k) {
    f[k] = static_cast<double>(k) / kPoints;
    wanted[k] = a_weighting(2 * sample_rate * std::tan(pi * f[k] / 2));
  }

  // The response Σ a_n cos(πnf), n = 0 … M. Minimising ∫ (response − wanted)² over the bands gives (Q₁ + Q₂)·a = 2b
  // with Q₁ Toeplitz and Q₂ Hankel in q_n = ∫ cos(πnf) df and b_n = ∫ wanted·cos(πnf) df.
  const std::size_t half = (taps - 1) / 2;
  Eigen::VectorXd q = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(taps));
  Eigen::VectorXd b = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(half + 1));
  for (std::size_t k = 0; k < kPoints; k += 2) {
    const double slope = (wanted[k + 1] - wanted[k]) / (f[k + 1] - f[k]);
    const double offset = wanted[k] - f[k] * slope;
    for (std::size_t n = 0; n < taps; ++n) {
      const double order = static_cast<double>(n);
      const auto at = static_cast<Eigen::Index>(n);
      q[at] += f[k + 1] * sinc(order * f[k + 1]) - f[k] * sinc(order * f[k]);
      if (n > half) continue;
      const auto integral = [&](double x) {  // of (slope·x + offset)·cos(πnx)
        if (n == 0) return x * (0.5 * slope * x + offset);
        return (slope * x + offset) * x * sinc(order * x) + slope * std::cos(pi * order * x) / std::pow(pi * order, 2);
      };
      b[at] += integral(f[k + 1]) - integral(f[k]);
    }
  }
  const auto size = static_cast<Eigen::Index>(half + 1);
  Eigen::MatrixXd system(size, size);
  for (Eigen::Index i = 0; i < size; ++i)
    for (Eigen::Index j = 0; j < size; ++j) system(i, j) = q[std::abs(i - j)] + q[i + j];
  const Eigen::VectorXd a = system.ldlt().solve(b);

  std::vector<double> result(taps);
  result[half] = 2 * a[0];
  for (std::size_t n = 1; n <= half; ++n) result[half - n] = result[half + n] = a[static_cast<Eigen::Index>(n)];
  return result;
}

}  // namespace unbraid::metrics
