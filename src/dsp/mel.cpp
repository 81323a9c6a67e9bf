#include "unbraid/dsp/mel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {

namespace {

// Slaney's scale: where it turns logarithmic, and its two slopes.
constexpr double kHzPerMel = 200.0 / 3;
constexpr double kTurnHz = 1000;
constexpr double kTurnMel = kTurnHz / kHzPerMel;
const double kLogStep = std::log(6.4) / 27;

double high_of(const MelOptions& options) { return options.high_hz == 0 ? options.sample_rate / 2 : options.high_hz; }

}  // namespace

double hz_to_mel(double hz, MelScale scale) {
  if (scale == MelScale::kHtk) return 2595 * std::log10(1 + hz / 700);
  return hz < kTurnHz ? hz / kHzPerMel : kTurnMel + std::log(hz / kTurnHz) / kLogStep;
}

double mel_to_hz(double mel, MelScale scale) {
  if (scale == MelScale::kHtk) return 700 * (std::pow(10, mel / 2595) - 1);
  return mel < kTurnMel ? mel * kHzPerMel : kTurnHz * std::exp(kLogStep * (mel - kTurnMel));
}

void MelOptions::validate() const {
  if (!(sample_rate > 0) || !std::isfinite(sample_rate)) throw Error{ErrorCode::kUsage, "must be above 0", "sample rate"};
  if (n_fft == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "mel n_fft"};
  if (bands == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "mel bands"};
  if (!(low_hz >= 0 && low_hz < high_of(*this) && high_of(*this) <= sample_rate / 2))
    throw Error{ErrorCode::kUsage, "must satisfy 0 ≤ low < high ≤ half the sample rate", "mel frequencies"};
}

MelFilterBank::MelFilterBank(const MelOptions& options) : bins_((options.validate(), options.n_fft / 2 + 1)), bands_(options.bands) {
  const double low = hz_to_mel(options.low_hz, options.scale), high = hz_to_mel(high_of(options), options.scale);
  const auto corner = [&](std::size_t index) {
    if (index == 0) return options.low_hz;  // the ends exactly, so that a bin there weighs nothing
    if (index == options.bands + 1) return high_of(options);
    const double share = static_cast<double>(index) / static_cast<double>(options.bands + 1);
    return mel_to_hz(low + (high - low) * share, options.scale);
  };
  const double bin_hz = options.sample_rate / static_cast<double>(options.n_fft);
  for (std::size_t b = 0; b < bands_.size(); ++b) {
    const double left = corner(b), centre = corner(b + 1), right = corner(b + 2);
    const double area = options.norm == MelNorm::kSlaney ? 2 / (right - left) : 1;
    Band& band = bands_[b];
    for (std::size_t k = 0; k < bins_; ++k) {
      const double f = static_cast<double>(k) * bin_hz;
      const double weight = std::min((f - left) / (centre - left), (right - f) / (right - centre));
      if (weight <= 0) continue;
      if (band.weights.empty()) band.first = k;
      band.weights.push_back(weight * area);
    }
  }
}

template <class T>
void MelFilterBank::apply(std::span<const T> spectrum, std::span<T> mel) const {
  if (spectrum.size() != bins_ || mel.size() != bands_.size())
    throw Error{ErrorCode::kInternal, "spectrum of the wrong length", "mel filter bank"};
  for (std::size_t b = 0; b < bands_.size(); ++b) {
    double sum = 0;
    for (std::size_t i = 0; i < bands_[b].weights.size(); ++i)
      sum += bands_[b].weights[i] * static_cast<double>(spectrum[bands_[b].first + i]);
    mel[b] = static_cast<T>(sum);
  }
}

template <class T>
void power_to_db(std::span<T> power, const DecibelOptions& options) {
  if (!(options.floor > 0) || !(options.range_db >= 0))
    throw Error{ErrorCode::kUsage, "needs a floor above 0 and a range of at least 0", "decibels"};
  const double reference_db = 10 * std::log10(std::max(options.reference, options.floor));
  double loudest = -std::numeric_limits<double>::infinity();
  for (T& value : power) {
    const double db = 10 * std::log10(std::max(static_cast<double>(value), options.floor)) - reference_db;
    loudest = std::max(loudest, db);
    value = static_cast<T>(db);
  }
  const T least = static_cast<T>(loudest - options.range_db);
  for (T& value : power) value = std::max(value, least);
}

template <class T>
void dct2(std::span<const T> x, std::span<T> coefficients) {
  if (coefficients.size() > x.size()) throw Error{ErrorCode::kInternal, "more coefficients than values", "DCT"};
  const std::size_t size = x.size();
  for (std::size_t k = 0; k < coefficients.size(); ++k) {
    double sum = 0;
    for (std::size_t n = 0; n < size; ++n) {
      // The angle repeats every 4N steps; reduced as a whole number it stays exact.
      const auto step = static_cast<double>(k * (2 * n + 1) % (4 * size));
      sum += static_cast<double>(x[n]) * std::cos(std::numbers::pi * step / static_cast<double>(2 * size));
    }
    coefficients[k] = static_cast<T>(sum * std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(size)));
  }
}

template void MelFilterBank::apply<float>(std::span<const float>, std::span<float>) const;
template void MelFilterBank::apply<double>(std::span<const double>, std::span<double>) const;
template void power_to_db<float>(std::span<float>, const DecibelOptions&);
template void power_to_db<double>(std::span<double>, const DecibelOptions&);
template void dct2<float>(std::span<const float>, std::span<float>);
template void dct2<double>(std::span<const double>, std::span<double>);

}  // namespace unbraid::dsp
