#pragma once
// The repetitive background and the sparse foreground of a recording, as a low-rank and a sparse matrix.
//
//   classic::LowRankSparse parts = classic::rpca(v, frames, bins, {}, run);       // v = low_rank + sparse
//   dsp::Mask<float> background = classic::rpca_mask(magnitudes, {}, run);
//
// Candès, Li, Ma, Wright, "Robust principal component analysis?", JACM 58(3), 2011, eq. 1.1 with λ = 1/√max(frames,
// bins), solved by the inexact augmented Lagrange multiplier method of Lin, Chen, Ma, arXiv:1009.5055, algorithm 5;
// for singing voice: Huang, Chen, Smaragdis, Hasegawa-Johnson, "Singing-voice separation from monaural recordings using
// robust principal component analysis", ICASSP 2012.
//
// The singular values are thresholded through the eigenvectors of the smaller Gram matrix: three products with the matrix
// and a symmetric eigenvalue problem of its smaller side per iteration, not a singular value decomposition. In double precision the
// squaring loses what is below 1e-8 of the greatest singular value, which no threshold of the first 45 iterations reaches.
//
// Equals nussl.separation.factorization.RPCA with hard masks. nussl's masks are hard even when soft ones are asked for,
// and silence divides by zero there; here soft masks are soft and silence is background.
//
// Whole-track. About 30 iterations of O(frames·bins·min(frames, bins)). Memory: 5·frames·bins doubles for one channel, v and
// the result among them, 6 where there are fewer frames than bins, and 4·min(frames, bins)² for the eigenvectors.

#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct RpcaOptions {
  std::size_t iterations = 100;  ///< at most
  double tolerance = 1e-7;       ///< of ‖v − low_rank − sparse‖ against ‖v‖
  double gain = 1;               ///< > 0: weight of the sparse part in the mask
  bool hard = false;             ///< masks of 0 and 1: 1 where gain·|sparse| ≤ |low_rank|
  std::size_t first_bin = 0;     ///< the bins below belong to the background

  /// kUsage when a value is out of its range.
  void validate() const;
};

struct LowRankSparse {
  std::vector<double> low_rank, sparse;  ///< [frame][bin]
  std::size_t rank = 0;                  ///< of low_rank
  std::size_t iterations = 0;
  double error = 0;  ///< ‖v − low_rank − sparse‖ / ‖v‖
};

/// Splits v, [frame][bin]. run.progress counts iterations of "factor", of options.iterations; most often about 30 are enough.
LowRankSparse rpca(std::span<const double> v, std::size_t frames, std::size_t bins, const RpcaOptions& options, RunContext& run);

/// The mask of the background, [channel][frame][bin] in 0 … 1: |low_rank| / (|low_rank| + gain·|sparse|). T is float or
/// double.
template <class T>
dsp::Mask<T> rpca_mask(const dsp::Magnitudes<T>& magnitudes, const RpcaOptions& options, RunContext& run);

extern template dsp::Mask<float> rpca_mask<float>(const dsp::Magnitudes<float>&, const RpcaOptions&, RunContext&);
extern template dsp::Mask<double> rpca_mask<double>(const dsp::Magnitudes<double>&, const RpcaOptions&, RunContext&);

}  // namespace unbraid::classic
