#include "unbraid/dsp/fir.hpp"

#include <cmath>
#include <numbers>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {

namespace {

constexpr double kPi = std::numbers::pi;

void require(bool condition, const char* message, const char* what) {
  if (!condition) throw Error{ErrorCode::kUsage, message, what};
}

/// Band from `low` to `high` in cycles per sample; gain 1 at `unity`.
std::vector<double> windowed_sinc(const FirDesign& design, double low, double high, double unity) {
  require(design.taps % 2 == 1, "must be an odd number", "FIR taps");
  std::vector<double> taps =
      make_window({.kind = design.window, .length = design.taps, .periodic = false, .kaiser_beta = design.kaiser_beta});
  const std::size_t half = design.taps / 2;
  const auto middle = static_cast<double>(half);
  double gain = 0;
  for (std::size_t n = 0; n < taps.size(); ++n) {
    const double t = static_cast<double>(n) - middle;
    taps[n] *= t == 0 ? 2 * (high - low) : (std::sin(2 * kPi * high * t) - std::sin(2 * kPi * low * t)) / (kPi * t);
    gain += taps[n] * std::cos(2 * kPi * unity * t);
  }
  for (double& tap : taps) tap /= gain;
  return taps;
}

/// 0 < first < second < half the rate, second being optional.
void require_order(double sample_rate, double first_hz, double second_hz = 0) {
  require(sample_rate > 0 && std::isfinite(sample_rate), "must be above 0", "sample rate");
  require(first_hz > 0 && first_hz < sample_rate / 2, "must lie between 0 and half the sample rate", "FIR frequency");
  require(second_hz == 0 || (second_hz > first_hz && second_hz < sample_rate / 2),
          "must lie between the lower one and half the sample rate", "FIR upper frequency");
}

}  // namespace

std::vector<double> fir_low_pass(const FirDesign& design) {
  require_order(design.sample_rate, design.high_hz);
  return windowed_sinc(design, 0, design.high_hz / design.sample_rate, 0);
}

std::vector<double> fir_high_pass(const FirDesign& design) {
  require_order(design.sample_rate, design.low_hz);
  return windowed_sinc(design, design.low_hz / design.sample_rate, 0.5, 0.5);
}

std::vector<double> fir_band_pass(const FirDesign& design) {
  require(design.high_hz != 0, "is missing", "FIR upper frequency");
  require_order(design.sample_rate, design.low_hz, design.high_hz);
  const double low = design.low_hz / design.sample_rate, high = design.high_hz / design.sample_rate;
  return windowed_sinc(design, low, high, (low + high) / 2);
}

KaiserDesign kaiser_design(double attenuation_db, double transition_hz, double sample_rate) {
  require_order(sample_rate, transition_hz);
  require(attenuation_db >= 8 && attenuation_db <= 300, "must lie between 8 and 300 dB", "FIR attenuation");
  const double a = attenuation_db;
  const double beta = a > 50 ? 0.1102 * (a - 8.7) : a > 21 ? 0.5842 * std::pow(a - 21, 0.4) + 0.07886 * (a - 21) : 0;
  const double order = std::ceil((a - 7.95) / (2.285 * 2 * kPi * transition_hz / sample_rate));
  return {2 * ((static_cast<std::size_t>(order) + 1) / 2) + 1, beta};
}

}  // namespace unbraid::dsp
