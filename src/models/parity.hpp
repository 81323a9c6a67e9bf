#pragma once
// Comparing a model with what its reference implementation gave: `unbraid models parity FOLDER`.

#include <filesystem>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/separator/neural.hpp"

namespace unbraid::models {

/// tolerance: largest absolute difference for outputs; intermediate values may differ by 1e-4 of their peak, since they
/// are not audio.
std::vector<ParityFile> run_parity(const std::filesystem::path& folder, double tolerance, const SeparateTrack& separate, RunContext& run);

}  // namespace unbraid::models
