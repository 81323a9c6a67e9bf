#pragma once
// Multichannel Wiener filtering with expectation maximisation: refines magnitude estimates by where sources
// sit between the channels.
//
//   std::vector<dsp::Spectrogram<float>> stems =
//       mask::wiener_em<float>(magnitudes, mixture, {.iterations = 1, .residual = true}, run);
//
// Duong, Vincent, Gribonval, "Under-determined reverberant audio source separation using a full-rank spatial
// covariance model" (IEEE TASLP 18(7), 2010) in the form of Nugraha, Liutkus, Vincent (IEEE/ACM TASLP 24(9),
// 2016, eq. 2–8), as the public programs norbert and open-unmix compute it: per bin and source
//   v_j[t] = mean over channels of |y_j[t]|²,     R_j = Σ_t y_j y_jᴴ / (ε + Σ_t v_j)
//   y_j[t] = v_j R_j (Σ_k v_k R_k + √ε I)⁻¹ x[t]
// After EM the sources no longer add up to the mixture exactly (relative error about √ε).
//
// Memory: the result; no copy of it is made. Bins run in parallel. T is float or double; the matrices are double for both,
// since those of sources panned between two channels are nearly singular.

#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::mask {

struct WienerEmOptions {
  std::size_t iterations = 1;  ///< 0 leaves the first estimate as it is
  bool softmask = true;        ///< start from v_j / (ε + Σ v) · x; otherwise from v_j with the mixture's phase
  bool residual = false;       ///< appends a source for what the first estimates leave over (open-unmix)
  double epsilon = 1e-10;      ///< > 0; norbert takes 2.2e−16 for double
  double scale = 10;           ///< the mixture's peak magnitude is brought down to this before EM, for the sake of ε

  void validate() const;
};

/// magnitudes: one per source, of the mixture's shape or with one channel that serves all. kInternal when
/// shapes differ, kUsage without a source. Can be cancelled between iterations.
template <class T>
std::vector<dsp::Spectrogram<T>> wiener_em(std::span<const dsp::Magnitudes<T>> magnitudes, const dsp::Spectrogram<T>& mixture,
                                           const WienerEmOptions& options, RunContext& run);

/// The EM iterations alone, in place, from complex first estimates of the sources (norbert's
/// expectation_maximization); residual and softmask do not count. One iteration from the true sources is the oracle
/// multichannel Wiener filter: their own powers and places, applied to the mixture.
template <class T>
void expectation_maximisation(std::vector<dsp::Spectrogram<T>>& sources, const dsp::Spectrogram<T>& mixture, const WienerEmOptions& options,
                              RunContext& run);

/// What is left of the mixture, max(0, |x|^alpha − Σ v_j), as a further source (norbert's residual_model).
/// With autoscale the v_j are first scaled in place, bin by bin, to fit the mixture in the least-squares
/// sense.
template <class T>
dsp::Magnitudes<T> residual_magnitudes(std::span<dsp::Magnitudes<T>> magnitudes, const dsp::Spectrogram<T>& mixture, double alpha,
                                       bool autoscale, ThreadPool& pool);

}  // namespace unbraid::mask
