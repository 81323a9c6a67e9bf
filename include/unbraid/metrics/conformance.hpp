#pragma once
// The conformance number: which scores this build computes.
//
//   fmt::print("scores of conformance {}\n", metrics::kConformance);
//
// Results carry this number. Scores of equal numbers are comparable; a change that moves any score on the signal below
// by more than 1e-6 (dB, or parts of 100) must raise it, and say when and why here:
//
//   1  first version: BSS Eval as museval 0.4.1 and mir_eval 0.7, the scale family as nussl 1.1.9, the rest as
//      Music-Source-Separation-Training of 2025 (auraloss, torch-log-wmse 0.3.1, torch-l1-snr).
//   2  22 November 2026: BSS Eval damps its filters where references hold less than −110 dB of their power. The
//      signal below has none and scores as before; band-limited references get ISR, SIR and SAR that mean something.
//   3  30 November 2026: scores of single channels (SI-SDR, its family, projection) are averaged over all channels in which
//      the reference sounds, so that one that is lost in the estimate leaves no score; and values that are not finite have
//      no score in any metric. All others, and the signal below, score as before.
//
// The signal: two stereo sources of 1.5 s at 44.1 kHz, first-order low-passed noise of Rng with a panorama; estimates
// are each source at 0.9 with a tenth of the other and white noise. A test compares with the table.

#include <span>
#include <string_view>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/run_context.hpp"

namespace unbraid::metrics {

inline constexpr int kConformance = 3;

struct ConformanceSignal {
  std::vector<AudioBuffer> references, estimates;
  AudioBuffer mixture;
};
ConformanceSignal conformance_signal();

struct ConformanceScore {
  std::string_view name;  ///< "bsseval_v4.SIR"
  double value;           ///< of the first source; the first window or channel where there are several
};

/// What this build computes on the signal.
std::vector<ConformanceScore> conformance_scores(RunContext& run);
/// What every build of this conformance number computes.
std::span<const ConformanceScore> expected_conformance_scores();

}  // namespace unbraid::metrics
