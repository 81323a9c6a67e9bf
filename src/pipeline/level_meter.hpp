#pragma once
// Energy and peak of a signal that passes by in blocks.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/pipeline/report.hpp"

namespace unbraid {

class LevelMeter {
 public:
  void add(AudioView block) {
    for (std::size_t c = 0; c < block.channels(); ++c)
      for (const float x : block.channel(c)) {
        energy_ += static_cast<double>(x) * x;
        peak_ = std::max(peak_, std::abs(x));
        over_full_scale_ += std::abs(x) > 1.0f;
      }
    samples_ += block.channels() * block.frames();
  }

  double energy() const { return energy_; }
  /// Samples beyond ±1.
  std::uint64_t over_full_scale() const { return over_full_scale_; }
  /// dB of full scale; −∞ for silence and for nothing at all.
  double rms_db() const { return samples_ > 0 ? 10.0 * std::log10(energy_ / static_cast<double>(samples_)) : -HUGE_VAL; }
  double peak_db() const { return 20.0 * std::log10(static_cast<double>(peak_)); }

 private:
  double energy_ = 0.0;
  float peak_ = 0.0f;
  std::uint64_t samples_ = 0;
  std::uint64_t over_full_scale_ = 0;
};

/// How far stems are from adding up to their mixture.
class ResidualMeter {
 public:
  void add(AudioView mix, std::span<const AudioView> stems) {
    for (std::size_t c = 0; c < mix.channels(); ++c)
      for (std::size_t t = 0; t < mix.frames(); ++t) {
        const double x = mix.channel(c)[t];
        double rest = x;
        for (const AudioView& stem : stems) rest -= stem.channel(c)[t];
        mixture_ += x * x;
        residual_ += rest * rest;
      }
  }

  /// Level of the residual against the mixture, not below kExactDb; NaN when the mixture is silent or a stem has values that
  /// are no numbers.
  double db() const {
    // NaN is kept where it comes first.
    return mixture_ > 0.0 ? std::max(10.0 * std::log10(residual_ / mixture_), kExactDb) : std::nan("");
  }

 private:
  double mixture_ = 0.0;
  double residual_ = 0.0;
};

}  // namespace unbraid
