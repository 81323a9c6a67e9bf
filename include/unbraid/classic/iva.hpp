#pragma once
// Independent vector analysis: as many sources as channels, recorded with delays and echo.
//
//   const auto images = classic::fast_iva(mix, {}, run);     // images[1]: the second source as each channel hears it
//
// Lee, Kim, Lee, "Fast fixed-point independent vector analysis algorithms for convolutive blind source separation",
// Signal Processing 87(8), 2007: ICA in every frequency bin of the STFT, tied together by a contrast of all bins of a
// source, so that bins need no sorting afterwards. With the whitened mixture z, the source y = wᴴz, its power over the
// bins r = Σ_k |y_k|² and G(r) = √r, one step per bin and source (their eq. 16) is
//   w ← E[G′ + |y|² G″]·w − E[conj(y) G′ z],      then W ← (W Wᴴ)^(−1/2) W.
// The scale of each bin follows from the mixing matrix, the inverse of the unmixing one (minimal distortion: Matsuoka,
// Nakashima, ICA 2001): every source comes as it sounds in every channel.
//
// Cost per iteration: 8·channels²·frames·bins complex operations.

#include <cstddef>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct IvaOptions {
  std::size_t iterations = 60;
  double tolerance = 1e-6;  ///< stops when no unmixing vector turns by more

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// The images of the sources in the recording: of each, [channel][frame][bin]; they sum to the mixture. kUnsupported for
/// less than two channels and more than 16. Bins in which the channels are linearly dependent give all to the first source.
/// run.progress counts iterations of "unmix".
std::vector<dsp::Spectrogram<float>> fast_iva(const dsp::Spectrogram<float>& mix, const IvaOptions& options, RunContext& run);

}  // namespace unbraid::classic
