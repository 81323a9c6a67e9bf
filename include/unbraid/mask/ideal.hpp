#pragma once
// Ideal masks: what time-frequency masking could achieve if the sources were known.
//
//   const mask::IdealMask wiener{.kind = mask::IdealKind::kWiener, .power = 2};
//   std::vector<dsp::Mask<float>> masks = mask::ideal_masks<float>(wiener, sources, mixture, pool);
//   dsp::Spectrogram<float> bass = mask::apply(masks[0], mixture, pool);
//
// Per channel, frame and bin, with sources S_i, mixture X and ε = epsilon:
//
//   kBinary          1 for the largest |S_i|, the first of equals; 0 for the others. Sums to 1, also in
//   silence. kBinaryThreshold 1 where |S_i| ≥ threshold · (|X| + ε): SiSEC's oracle (Stöter, Liutkus, Ito,
//   LVA/ICA 2018), where
//                    several or no sources may win a bin.
//   kRatio           |S_i|^p / (Σ_j |S_j|^p + ε), p = power: p = 1 is the magnitude ratio ("IRM"), p = 2 the
//   Wiener
//                    filter of known spectra (Liutkus and Badeau, ICASSP 2015, eq. 6). Sums to 1 up to ε.
//   kRatioRoot       √(|S_i|² / (Σ_j |S_j|² + ε)): the IRM of Wang, Narayanan, Wang (IEEE/ACM TASLP 22(12),
//   2014,
//                    eq. 3 with β = 1/2). Squares sum to 1.
//   kPhaseSensitive  Re(S_i / X): the real gain nearest to S_i (Erdogan et al., ICASSP 2015, eq. 8); clipped
//   to [0, 1]
//                    unless clip is off, when the masks sum to 1 wherever X = Σ S_j.
//   kPhaseSensitiveRatio  m_i / (Σ_j m_j + ε) with m_i = |S_i| cos(∠S_i − ∠X) clipped to [0, |X|]: nussl's
//   "psa".
//
// With ε = 0 (the default) a bin where the denominator is zero gets 0 from every soft mask; kBinary gives it
// to the first source. Note that ε adds to magnitudes for p = 1 and to powers for p = 2, so its weight
// depends on p and on the STFT's scaling. All masks lie in [0, 1], the unclipped phase-sensitive one
// excepted. Inputs must be finite. Thread-safe; the result does not depend on the number of threads. T is
// float or double.

#include <complex>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::mask {

enum class IdealKind { kBinary, kBinaryThreshold, kRatio, kRatioRoot, kPhaseSensitive, kPhaseSensitiveRatio };

struct IdealMask {
  IdealKind kind = IdealKind::kRatio;
  double power = 1;        ///< > 0, for kRatio
  double epsilon = 0;      ///< ≥ 0
  double threshold = 0.5;  ///< > 0, for kBinaryThreshold
  bool clip = true;        ///< for kPhaseSensitive

  void validate() const;
};

/// By name: "ibm", "ibm_threshold", "irm", "irm_root", "wiener<p>" ("wiener2", "wiener1.5"), "psm",
/// "psm_unclipped", "psa". kUsage lists them for anything else. epsilon is 0.
IdealMask ideal_mask(std::string_view name);

/// The mask of every source. All spectrograms must have one shape (kInternal otherwise); there is at least
/// one source. The mixture counts for kBinaryThreshold and the phase-sensitive kinds only.
template <class T>
std::vector<dsp::Mask<T>> ideal_masks(const IdealMask& mask, std::span<const dsp::Spectrogram<T>> sources,
                                      const dsp::Spectrogram<T>& mixture, ThreadPool& pool);

/// The same for one frame of one channel, without allocation: for programs that stream. sources[i] and
/// masks[i] have the mixture's length.
template <class T>
void ideal_masks_of_frame(const IdealMask& mask, std::span<const std::span<const std::complex<T>>> sources,
                          std::span<const std::complex<T>> mixture, std::span<const std::span<T>> masks);

/// Complex ideal ratio masks S_i / X (Williamson, Wang, Wang, IEEE/ACM TASLP 24(3), 2016, eq. 8–9): with them
/// the sources come back exactly. Magnitudes are limited to max_magnitude, which keeps bins near X = 0
/// finite; X = 0 gives 0.
template <class T>
std::vector<dsp::Spectrogram<T>> complex_ratio_masks(std::span<const dsp::Spectrogram<T>> sources, const dsp::Spectrogram<T>& mixture,
                                                     double max_magnitude, ThreadPool& pool);

}  // namespace unbraid::mask
