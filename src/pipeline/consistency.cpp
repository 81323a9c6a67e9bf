#include "unbraid/pipeline/consistency.hpp"

#include <cmath>

#include "unbraid/core/error.hpp"

namespace unbraid {

namespace {

constexpr double kSmoothingSeconds = 0.02;
constexpr double kSilentPower = 1e-20;  // −200 dBFS

double missing(float mix, std::span<float* const> stems, std::size_t frame) {
  double rest = mix;
  for (const float* stem : stems) rest -= stem[frame];
  return rest;
}

}  // namespace

MixConsistency::MixConsistency(std::size_t stems, double sample_rate)
    : forget_(1.0 - std::exp(-1.0 / (kSmoothingSeconds * sample_rate))), power_(stems, 0.0) {}

void MixConsistency::apply(AudioView mix, Stems& stems) {
  const std::size_t count = stems.size();
  if (count != power_.size()) throw Error{ErrorCode::kInternal, "another number of stems than before"};
  const std::size_t channels = mix.channels();
  std::vector<float*> rows(channels * count);  // [channel][stem]
  for (std::size_t i = 0; i < count; ++i) {
    if (stems[i].audio.channels() != channels || stems[i].audio.frames() != mix.frames())
      throw Error{ErrorCode::kInternal, "stems of another shape than the mixture"};
    for (std::size_t c = 0; c < channels; ++c) rows[c * count + i] = stems[i].audio.channel(c).data();
  }

  std::vector<double> weights(count);
  for (std::size_t t = 0; t < mix.frames(); ++t) {
    double total = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      double power = 0.0;
      for (std::size_t c = 0; c < channels; ++c) power += static_cast<double>(rows[c * count + i][t]) * rows[c * count + i][t];
      power_[i] += forget_ * (power - power_[i]);
      weights[i] = power_[i] > kSilentPower ? power_[i] : 0.0;
      total += weights[i];
    }
    for (double& weight : weights) weight = total > 0.0 ? weight / total : 1.0 / static_cast<double>(count);

    for (std::size_t c = 0; c < channels; ++c) {
      const std::span<float* const> here(rows.data() + c * count, count);
      const double rest = missing(mix.channel(c)[t], here, t);
      float* quietest = nullptr;
      for (std::size_t i = 0; i < count; ++i) {
        here[i][t] = static_cast<float>(here[i][t] + weights[i] * rest);
        if (weights[i] > 0.0 && (!quietest || std::abs(here[i][t]) < std::abs(quietest[t]))) quietest = here[i];
      }
      if (quietest) quietest[t] = static_cast<float>(quietest[t] + missing(mix.channel(c)[t], here, t));
    }
  }
}

}  // namespace unbraid
