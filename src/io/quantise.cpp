#include "io/quantise.hpp"

#include <cmath>

namespace unbraid::io {

namespace {

constexpr double kPerWord = 1.0 / 4294967296.0;  // 2^-32

double triangular(Rng& rng) {
  const double first = rng.bits32();
  return (first - rng.bits32()) * kPerWord;
}

}  // namespace

Quantiser::Quantiser(int bits, std::size_t channels, const DitherOptions& options) : bits_(bits) {
  if (!options.dither) return;
  for (std::size_t c = 0; c < channels; ++c) dither_.emplace_back(options.dither_seed, c);
}

void Quantiser::interleave(AudioView block, std::int32_t* target) {
  const double scale = std::ldexp(1.0, bits_ - 1);
  const double lowest = -scale;
  const double highest = scale - 1.0;
  const int shift = 32 - bits_;
  const std::size_t channels = block.channels();
  std::uint64_t clipped = 0;
  for (std::size_t c = 0; c < channels; ++c) {
    const auto samples = block.channel(c);
    Rng* const dither = dither_.empty() ? nullptr : &dither_[c];
    for (std::size_t f = 0; f < samples.size(); ++f) {
      double value = samples[f] * scale;
      if (dither) value += triangular(*dither);
      value = std::nearbyint(value);
      const bool fits = value >= lowest && value <= highest;  // false for NaN
      clipped += !fits;
      if (!fits) value = value > highest ? highest : value < lowest ? lowest : 0.0;
      const auto bits = static_cast<std::uint32_t>(static_cast<std::int32_t>(value)) << shift;
      target[f * channels + c] = static_cast<std::int32_t>(bits);
    }
  }
  clipped_ += clipped;
}

void interleave(AudioView block, float* target) {
  const std::size_t channels = block.channels();
  for (std::size_t c = 0; c < channels; ++c) {
    const auto samples = block.channel(c);
    for (std::size_t f = 0; f < samples.size(); ++f) target[f * channels + c] = samples[f];
  }
}

void deinterleave(const float* source, MutableAudioView target) {
  const std::size_t channels = target.channels();
  for (std::size_t c = 0; c < channels; ++c) {
    const auto samples = target.channel(c);
    for (std::size_t f = 0; f < samples.size(); ++f) samples[f] = source[f * channels + c];
  }
}

std::uint64_t make_finite(const float* source, std::size_t count, std::size_t stride, float* target) {
  std::uint64_t outside = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float x = source[i];
    outside += !(std::fabs(x) <= 1.0f);
    target[i * stride] = std::isfinite(x) ? x : std::isnan(x) ? 0.0f : std::copysign(1.0f, x);
  }
  return outside;
}

}  // namespace unbraid::io
