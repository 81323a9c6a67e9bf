#pragma once
// The oracle's multichannel Wiener filter: the true sources' powers and places, applied to the mixture.

#include <cstddef>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/run_context.hpp"

namespace unbraid::evaluate {

/// audio: every stem, then the mixture, of one stretch of a track over which sources are taken to stand still (open-unmix
/// takes some seconds). Estimates of all stems, as long as the stretch. kCancelled.
std::vector<AudioBuffer> wiener_estimates(const std::vector<AudioBuffer>& audio, std::size_t window, std::size_t hop, RunContext& run);

}  // namespace unbraid::evaluate
