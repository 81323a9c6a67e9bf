#pragma once
// SI-SDR and its family: scores that do not blame an estimate for being too loud or too quiet, and their counterparts
// that do.
//
//   const auto scores = metrics::scale_scores(references, estimates, {}, run);
//   scores.sources[0].channels[1].si_sdr                   // first source, right channel, dB
//   scores.sources[0].channels[1].si_sdr - scores.sources[0].mixture[1].si_sdr    // SI-SDRi
//
// Definition (Le Roux, Wisdom, Erdogan, Hershey, "SDR: half-baked or well done?", ICASSP 2019), per channel, for the
// reference s, its estimate ŝ and all references S, each with its mean removed:
//   α = ⟨ŝ, s⟩ / ‖s‖²,  e_res = ŝ − α·s,  e_interf = the projection of e_res on the span of S,  e_artif = e_res − e_interf
//   SI-SDR = ‖α·s‖² / ‖e_res‖²                 (eq. 3)       SNR = ‖s‖² / ‖s − ŝ‖²
//   SI-SIR = ‖α·s‖² / ‖e_interf‖²              (eq. 5)       SD-SDR = α²·SNR = ‖α·s‖² / ‖s − ŝ‖²   (eq. 6)
//   SI-SAR = ‖α·s‖² / ‖e_artif‖²                             SRR = 1 / (1 − 1/α)²: how far off the scale is
// in dB. A ratio with nothing below is +∞, with nothing above −∞, 0/0 is NaN. Improvements are differences to the
// scores of the mixture taken as the estimate; the mixture is the sum of the references unless one is given.
//
// A reference that is silent (constant) has no scores: `not_applicable` says so, its numbers are NaN, and it takes no
// part in e_interf. nussl stops with a singular matrix there, and where references are copies of one another; here
// the projection on what they span is taken. Equal to nussl.evaluation.BSSEvalScale to 1e-8 dB elsewhere.

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/run_context.hpp"

namespace unbraid::metrics {

struct ScaleScores {
  double si_sdr = std::numeric_limits<double>::quiet_NaN();
  double si_sir = std::numeric_limits<double>::quiet_NaN();
  double si_sar = std::numeric_limits<double>::quiet_NaN();
  double sd_sdr = std::numeric_limits<double>::quiet_NaN();
  double snr = std::numeric_limits<double>::quiet_NaN();
  double srr = std::numeric_limits<double>::quiet_NaN();
};

struct ScaleOptions {
  bool remove_mean = true;
  bool interference = true;  ///< SI-SIR and SI-SAR, which need every reference; NaN without
  bool permute = false;      ///< search for the estimates whose mean `permutation_key` is best; may be more than sources
  double ScaleScores::*permutation_key = &ScaleScores::si_sdr;
};

struct ScaleSource {
  std::vector<ScaleScores> channels;
  std::vector<ScaleScores> mixture;  ///< the same of the mixture, without SI-SIR and SI-SAR
  std::size_t estimate = 0;          ///< which estimate was scored
  std::string not_applicable = {};   ///< why there are no scores, or empty
};

struct ScaleResult {
  std::vector<ScaleSource> sources;  ///< in the order of the references
};

/// Views of one shape. mixture: empty for the sum of the references. kUsage when shapes differ, for fewer estimates
/// than references, and for permute with more than 8 estimates.
ScaleResult scale_scores(std::span<const AudioView> references, std::span<const AudioView> estimates, const ScaleOptions& options,
                         RunContext& run, AudioView mixture = {});

}  // namespace unbraid::metrics
