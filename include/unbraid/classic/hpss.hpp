#pragma once
// Harmonic/percussive separation by median filtering: masks from magnitudes.
//
//   classic::HpssMasks masks = classic::hpss_masks(magnitudes, {.kernel_frames = 31, .kernel_bins = 31}, pool);
//
// Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010: a horizontal median H of the
// magnitudes along time keeps what lasts, a vertical one P along frequency keeps what is broad (eq. 1 and 2); soft
// masks compare them (eq. 5 and 6). Driedger, Müller, Disch, "Extending harmonic-percussive separation of audio
// signals", ISMIR 2014: a margin > 1 asks H (P) to win by that factor; what neither wins is the residual.
// Equals librosa.decompose.hpss. Cost per bin: about 8·kernel/16 vector instructions, see median.hpp.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct HpssOptions {
  std::size_t kernel_frames = 31;  ///< of the median along time that estimates the harmonic part, ≥ 1
  std::size_t kernel_bins = 31;    ///< of the median along frequency that estimates the percussive part, ≥ 1
  double margin_harmonic = 1;      ///< H must exceed this many times P, ≥ 1
  double margin_percussive = 1;    ///< P must exceed this many times H, ≥ 1
  double power = 2;                ///< exponent of the soft masks, > 0; infinity gives hard masks

  /// kUsage when a value is out of its range.
  void validate() const;
  /// Whether something may be left over: some margin is above 1.
  bool has_residual() const { return margin_harmonic != 1 || margin_percussive != 1; }
};

struct HpssMasks {
  dsp::Mask<float> harmonic;    ///< [channel][frame][bin], 0 … 1
  dsp::Mask<float> percussive;  ///< their sum is ≤ 1, and 1 where both margins are 1
                                ///< and the power is finite
};

HpssMasks hpss_masks(const dsp::Magnitudes<float>& magnitudes, const HpssOptions& options, ThreadPool& pool);

/// x^power / (x^power + reference^power) for x, reference ≥ 0; for infinite power 1 where x > reference, else 0.
/// Where both are below the smallest normal number: 1/2 with split_zeros, else 0. As librosa.util.softmask.
template <class T>
inline T soft_mask(T x, T reference, double power, bool split_zeros) {
  if (std::isinf(power)) return x > reference ? T{1} : T{0};
  const T largest = std::max(x, reference);
  const bool silent = largest < std::numeric_limits<T>::min();
  const T scale = silent ? T{1} : largest;  // the powers of what is at most 1 neither overflow nor both vanish
  const T a = std::pow(x / scale, static_cast<T>(power));
  const T b = std::pow(reference / scale, static_cast<T>(power));
  return silent ? (split_zeros ? T{1} / 2 : T{0}) : a / (a + b);
}

}  // namespace unbraid::classic
