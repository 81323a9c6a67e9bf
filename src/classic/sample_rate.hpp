#pragma once
// The rates that methods take.

#include "unbraid/core/error.hpp"

namespace unbraid::classic {

/// kUsage for a rate that is not above 0 Hz and up to 10 MHz.
inline void require_sample_rate(double hz) {
  if (!(hz > 0 && hz <= 1e7)) throw Error{ErrorCode::kUsage, "must lie above 0 and up to 10 MHz", "sample_rate"};
}

}  // namespace unbraid::classic
