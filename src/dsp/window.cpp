#include "unbraid/dsp/window.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {

namespace {

constexpr std::array<std::pair<WindowKind, std::string_view>, 7> kNames{{
    {WindowKind::kHann, "hann"},
    {WindowKind::kSqrtHann, "sqrt_hann"},
    {WindowKind::kHamming, "hamming"},
    {WindowKind::kBlackman, "blackman"},
    {WindowKind::kBlackmanHarris, "blackman_harris"},
    {WindowKind::kKaiser, "kaiser"},
    {WindowKind::kBoxcar, "boxcar"},
}};

/// Modified Bessel function I₀(x) = Σ ((x/2)^k / k!)²; all terms are positive, so nothing cancels.
double bessel_i0(double x) {
  double term = 1, sum = 1;
  for (int k = 1; term > sum * 1e-17; ++k) {
    const double factor = x / (2 * k);
    term *= factor * factor;
    sum += term;
  }
  return sum;
}

/// The window at position n of a period M, n ≤ M/2: the rest follows by symmetry.
double value(const WindowSpec& spec, double n, double period) {
  const double phase = 2 * std::numbers::pi * n / period;
  switch (spec.kind) {
    case WindowKind::kHann: return std::pow(std::sin(phase / 2), 2);  // exact near zero, where 1 − cos cancels
    case WindowKind::kSqrtHann: return std::sin(phase / 2);
    case WindowKind::kHamming: return 0.54 - 0.46 * std::cos(phase);
    case WindowKind::kBlackman: return 0.42 - 0.5 * std::cos(phase) + 0.08 * std::cos(2 * phase);
    case WindowKind::kBlackmanHarris:
      return 0.35875 - 0.48829 * std::cos(phase) + 0.14128 * std::cos(2 * phase) - 0.01168 * std::cos(3 * phase);
    case WindowKind::kKaiser: {
      // 1 − (2n/M − 1)² = 4·(n/M)·(1 − n/M), without the cancellation.
      const double arch = 2 * std::sqrt(n / period * (1 - n / period));
      return bessel_i0(spec.kaiser_beta * arch) / bessel_i0(spec.kaiser_beta);
    }
    case WindowKind::kBoxcar: return 1;
  }
  throw Error{ErrorCode::kInternal, "unknown window kind"};
}

}  // namespace

std::vector<double> make_window(const WindowSpec& spec) {
  if (spec.length == 0) throw Error{ErrorCode::kUsage, "a window needs at least one sample"};
  if (spec.kind == WindowKind::kKaiser && !(spec.kaiser_beta >= 0 && spec.kaiser_beta <= 700))
    throw Error{ErrorCode::kUsage, "must lie between 0 and 700", "Kaiser beta"};
  if (spec.length == 1) return {1};
  const std::size_t period = spec.periodic ? spec.length : spec.length - 1;
  std::vector<double> window(spec.length);
  for (std::size_t n = 0; n < spec.length; ++n)
    window[n] = value(spec, static_cast<double>(std::min(n, period - n)), static_cast<double>(period));
  return window;
}

WindowKind window_kind(std::string_view name) {
  for (const auto& [kind, its_name] : kNames)
    if (its_name == name) return kind;
  std::string known;
  for (const auto& [kind, its_name] : kNames) known += (known.empty() ? "" : ", ") + std::string(its_name);
  throw Error{ErrorCode::kUsage, "unknown window; there are " + known, std::string(name)};
}

std::string_view to_string(WindowKind kind) {
  for (const auto& [its_kind, name] : kNames)
    if (its_kind == kind) return name;
  throw Error{ErrorCode::kInternal, "unknown window kind"};
}

}  // namespace unbraid::dsp
