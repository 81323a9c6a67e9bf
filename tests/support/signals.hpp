#pragma once
// Signals for tests, and comparing them.

#include <algorithm>
#include <cmath>
#include <limits>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::testing {

/// White noise, uniform in ±amplitude; the same for the same seed.
inline AudioBuffer noise(std::size_t channels, std::size_t frames, std::uint64_t seed, double amplitude = 1.0) {
  AudioBuffer buffer(channels, frames);
  Rng rng(seed);
  for (float& sample : buffer.samples()) sample = static_cast<float>(rng.uniform(-amplitude, amplitude));
  return buffer;
}

/// The largest |a − b|; infinite when the shapes differ or a difference is not a number.
inline double largest_difference(AudioView a, AudioView b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a.channels() != b.channels() || a.frames() != b.frames()) return kInfinity;
  double largest = 0.0;
  for (std::size_t c = 0; c < a.channels(); ++c)
    for (std::size_t i = 0; i < a.frames(); ++i) {
      const double difference = std::abs(static_cast<double>(a.channel(c)[i]) - b.channel(c)[i]);
      largest = std::isnan(difference) ? kInfinity : std::max(largest, difference);
    }
  return largest;
}

}  // namespace unbraid::testing
