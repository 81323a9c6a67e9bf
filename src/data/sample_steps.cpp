#include "data/sample_steps.hpp"

#include <algorithm>
#include <cmath>

namespace unbraid::data {

void round_to_format(AudioBuffer& audio, io::SampleFormat format) {
  if (format == io::SampleFormat::kFloat32) return;
  const float steps = std::ldexp(1.0f, io::bits(format) - 1);
  for (float& sample : audio.samples()) sample = std::clamp(std::nearbyint(sample * steps), -steps, steps - 1) / steps;
}

}  // namespace unbraid::data
