#pragma once
// BSS Eval: how much of an estimate is the source, its distortion, interference from other sources, and artifacts.
//
//   const auto scores = metrics::bss_eval(references, estimates, metrics::BssEvalOptions::v4(44100), run);
//   scores.sources[0].sdr[12];                                     // first source, window 12, dB
//   metrics::median(scores.sources[0].sdr);                        // leaves out what is not applicable
//
// References and estimates: one view per source, all with the same channels and frames; estimate j is meant to be
// reference j unless `permute` is set.
//
// Definition. An estimate ŝ of source j is split (Vincent, Gribonval, Févotte, "Performance measurement in blind audio
// source separation", IEEE TASLP 14(4), 2006; for images Vincent et al., "First stereo audio source separation
// evaluation campaign", ICA 2007, eq. 3–7) by orthogonal projection on delayed references, delays 0 … L − 1:
//   P_j ŝ = projection on the channels of reference j,   P ŝ = projection on all references,
//   ŝ = s + e_spat + e_interf + e_artif,   e_spat = P_j ŝ − s,   e_interf = P ŝ − P_j ŝ,   e_artif = ŝ − P ŝ
//   SDR = ‖s‖² / ‖e_spat + e_interf + e_artif‖²      ISR = ‖s‖² / ‖e_spat‖²
//   SIR = ‖s + e_spat‖² / ‖e_interf‖²                SAR = ‖s + e_spat + e_interf‖² / ‖e_artif‖²
// in dB, 10·log₁₀, energies summed over the channels and the L − 1 samples of tail. With the criteria for sources the
// filtered source P_j ŝ takes the place of s and there is no ISR (NaN). A ratio with nothing below is +∞.
//
// Versions. v3 computes the filters anew in every window (mir_eval, MATLAB BSS_EVAL 3.0); v4 once per track, and
// applies them to every window by itself, without the samples before it (Stöter, Liutkus, Ito, "The 2018 signal
// separation evaluation campaign", LVA/ICA 2018; museval). There are ⌊(frames − window + hop) / hop⌋ windows, one when
// the window is longer than the track; what is left at the end is not scored.
//
// Not applicable (NaN). A window in which any reference or estimate is silent has no scores for any source, as in the
// references. A source that is silent throughout, or an estimate that is silent or not finite throughout its filters,
// has no scores at all, and `not_applicable` says why; the references stop with an error there. With compat, exactly
// museval's rules: a source counts as silent when the sum of its channels is zero (so L = −R is silent), a source
// silent throughout is kUnsupported, and one window without scores makes permute keep the given order. Without it,
// silence means every channel, and permute ignores windows without scores.
//
// Bands without sound. Where references hold next to nothing in some band (decoded from a codec that cuts at 20 kHz, at
// 48 kHz, in float), the least-squares filters are free to be huge there, and ISR, SIR and SAR of windows mean nothing:
// museval says SAR 0.0 dB for good estimates. In v4, if a direction lies below −110 dB of a reference's power, all are
// therefore damped by −80 dB (Tikhonov), the noise of a 16-bit file at −20 dBFS; compat leaves them to chance, as the
// references do.
//
// Equal to museval and mir_eval to well below 1e-6 dB; see tests/golden/metrics. Double precision throughout; results
// do not depend on the number of threads. Memory: views are read in place; the filters take L²·(sources·channels)²·4
// bytes while they are solved.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/run_context.hpp"

namespace unbraid::metrics {

enum class BssCriteria {
  kImages,  ///< against the source as it is: bss_eval_images, museval
  kSources  ///< against the filtered source: bss_eval_sources. Flatters estimates that lack whole frequency ranges.
};

struct BssEvalOptions {
  std::size_t window_frames = 44100;  ///< 0: the whole signal
  std::size_t hop_frames = 44100;     ///< ignored for the whole signal
  std::size_t filter_length = 512;    ///< taps, L
  bool framewise_filters = false;     ///< v3
  BssCriteria criteria = BssCriteria::kImages;
  bool permute = false;  ///< search for the order of estimates with the best mean SIR
  bool compat = false;   ///< museval's rules for silence, to the letter

  /// museval's defaults: windows of one second, side by side.
  static BssEvalOptions v4(double sample_rate);
  /// mir_eval's bss_eval_images / bss_eval_sources over the whole signal.
  static BssEvalOptions v3(BssCriteria criteria = BssCriteria::kImages);

  /// kUsage for a filter or hop of length zero.
  void validate() const;
};

struct BssSourceScores {
  std::vector<double> sdr, isr, sir, sar;  ///< dB, one per window; NaN: not applicable
  std::string not_applicable = {};         ///< why there are no scores at all, or empty
};

struct BssEvalResult {
  std::vector<BssSourceScores> sources;          ///< in the order of the references
  std::vector<std::size_t> window_start_frames;  ///< one per window
  /// permutation[w][j]: the estimate that was scored as source j; one entry for all windows unless framewise_filters.
  std::vector<std::vector<std::size_t>> permutation;
  double residual = 0;  ///< largest relative residual of the filters' normal equations: how exact the filters are
};

/// The whole evaluation in memory. kUsage when shapes differ, for no sources, and for permute with more than 8.
BssEvalResult bss_eval(std::span<const AudioView> references, std::span<const AudioView> estimates, const BssEvalOptions& options,
                       RunContext& run);

/// BSS Eval v4 in two passes over a track that need not be in memory:
///   BssEvalV4 eval(4, 2, options);
///   for (block : track) eval.measure(block.references, block.estimates, run);      // blocks of any length
///   eval.solve(run);
///   for (stretch : track) eval.score(stretch.references, stretch.estimates, run);  // whole windows
///   BssEvalResult scores = eval.result();
/// For one thread; the work itself is shared among run.pool's threads.
class BssEvalV4 {
 public:
  BssEvalV4(std::size_t sources, std::size_t channels, const BssEvalOptions& options);
  ~BssEvalV4();
  BssEvalV4(BssEvalV4&&) noexcept;
  BssEvalV4& operator=(BssEvalV4&&) noexcept;

  /// First pass: the next frames of the track.
  void measure(std::span<const AudioView> references, std::span<const AudioView> estimates, RunContext& run);
  /// Between the passes: the filters.
  void solve(RunContext& run);
  /// Second pass: the windows that lie in the next stretch of the track. Windows start every hop_frames frames of the
  /// stretch, so give (k − 1)·hop + window frames for k windows and go on k·hop frames later. A stretch shorter than
  /// the window is a window.
  void score(std::span<const AudioView> references, std::span<const AudioView> estimates, RunContext& run);
  /// After the second pass.
  BssEvalResult result() const;

 private:
  friend BssEvalResult bss_eval(std::span<const AudioView>, std::span<const AudioView>, const BssEvalOptions&, RunContext&);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unbraid::metrics
