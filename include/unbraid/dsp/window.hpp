#pragma once
// Window functions.
//
//   std::vector<double> w = dsp::make_window({.kind = dsp::WindowKind::kHann, .length = 2048});
//
// With M = N for periodic windows (the default, "DFT-even", for the STFT) and M = N - 1 for symmetric ones
// (for filter design), and φ = 2πn/M:
//   Hann             (1 − cos φ) / 2 = sin²(φ/2)
//   sqrt-Hann        sin(φ/2)
//   Hamming          0.54 − 0.46 cos φ
//   Blackman         0.42 − 0.5 cos φ + 0.08 cos 2φ
//   Blackman-Harris  0.35875 − 0.48829 cos φ + 0.14128 cos 2φ − 0.01168 cos 3φ
//                    (Harris, Proc. IEEE 66(1), 1978, four terms, −92 dB)
//   Kaiser           I₀(β √(1 − (2n/M − 1)²)) / I₀(β)
//   boxcar           1
// as in scipy.signal.get_window. Length 1 gives {1}. kUsage for length 0 and for a β that is negative, above
// 700 (I₀ would overflow) or not a number.

#include <cstddef>
#include <string_view>
#include <vector>

namespace unbraid::dsp {

enum class WindowKind { kHann, kSqrtHann, kHamming, kBlackman, kBlackmanHarris, kKaiser, kBoxcar };

struct WindowSpec {
  WindowKind kind = WindowKind::kHann;
  std::size_t length = 0;  ///< samples
  bool periodic = true;
  double kaiser_beta = 14;  ///< for kKaiser only
};

std::vector<double> make_window(const WindowSpec& spec);

/// "hann", "sqrt_hann", "hamming", "blackman", "blackman_harris", "kaiser", "boxcar"; kUsage for anything
/// else.
WindowKind window_kind(std::string_view name);
std::string_view to_string(WindowKind kind);

}  // namespace unbraid::dsp
