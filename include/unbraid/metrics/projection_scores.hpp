#pragma once
// The SDR, SIR and SAR of the DeepConvSep notebook: BSS Eval with filters of a single tap.
//
//   std::vector<metrics::ProjectionScores> scores = metrics::projection_scores(references, estimates);
//   scores[source].sdr[channel]
//
// Per channel, with S all references, cut to the estimates' length:
//   s_target = ⟨ŝ, s⟩ / ‖s‖² · s,   P_S ŝ = S·(SᵀS)⁻¹·Sᵀŝ,   e_interf = P_S ŝ − s_target,   e_artif = ŝ − P_S ŝ
//   SDR = ‖s_target‖² / ‖e_interf + e_artif‖²,   SIR = ‖s_target‖² / ‖e_interf‖²,
//   SAR = ‖s_target + e_interf‖² / ‖e_artif‖²                                                            (in dB)
// (Vincent, Gribonval, Févotte, IEEE TASLP 14(4), 2006, eq. 9–11, with time-invariant gains as allowed distortions).
// Not comparable with the 512-tap scores of bss_eval(). The notebook averages channels and songs with mean() and the
// population's standard_deviation() of summary.hpp, here without the silent ones. evaluate::aggregate() gives the sample's.
//
// A silent reference has no scores (NaN) and takes no part in the projection; references that are copies of one
// another leave the projection well defined, which the notebook's inverse does not. SIR is +∞ for a single source.

#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid::metrics {

struct ProjectionScores {
  std::vector<double> sdr, sir, sar;  ///< dB, one per channel; NaN: not applicable
};

/// One view per source, references at least as long as estimates. kUsage when counts, channels or lengths do not fit.
std::vector<ProjectionScores> projection_scores(std::span<const AudioView> references, std::span<const AudioView> estimates);

}  // namespace unbraid::metrics
