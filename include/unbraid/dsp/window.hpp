#pragma once
// Window functions.
//
//   std::vector<double> w = dsp::make_window({.kind = dsp::WindowKind::kHann, .length = 2048});
//
// Periodic windows (the default; "DFT-even") are those of length N + 1 without their last point and suit the STFT;
// symmetric ones suit filter design. Length 1 gives {1}, length 0 is kUsage.

#include <cstddef>
#include <string_view>
#include <vector>

namespace unbraid::dsp {

enum class WindowKind { kHann, kSqrtHann, kHamming, kBlackmanHarris, kKaiser, kBoxcar };

struct WindowSpec {
  WindowKind kind = WindowKind::kHann;
  std::size_t length = 0;   ///< samples
  bool periodic = true;
  double kaiser_beta = 14;  ///< for kKaiser only
};

std::vector<double> make_window(const WindowSpec& spec);

/// "hann", "sqrt_hann", "hamming", "blackman_harris", "kaiser", "boxcar"; kUsage for anything else.
WindowKind window_kind(std::string_view name);
std::string_view to_string(WindowKind kind);

}  // namespace unbraid::dsp
