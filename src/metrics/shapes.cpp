#include "metrics/shapes.hpp"

#include <fmt/format.h>

#include "unbraid/core/error.hpp"

namespace unbraid::metrics {

void require_same_shape(AudioView reference, AudioView estimate) {
  if (reference.channels() != estimate.channels() || reference.frames() != estimate.frames())
    throw Error{ErrorCode::kUsage, fmt::format("an estimate of {} channels × {} frames for a reference of {} × {}", estimate.channels(),
                                               estimate.frames(), reference.channels(), reference.frames())};
  if (reference.empty()) throw Error{ErrorCode::kUsage, "nothing to score: no samples"};
}

}  // namespace unbraid::metrics
