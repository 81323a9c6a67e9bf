#pragma once
// Linear-phase FIR filters by the windowed-sinc method.
//
//   const auto taps = dsp::fir_low_pass({.sample_rate = 44100, .high_hz = 180, .taps = 2049});
//   dsp::filter_aligned(song, taps, bass, pool);             // convolution.hpp: delay compensated
//
// Ideal response sin(2πf(n − m)/rate) / (π(n − m)), m = (taps − 1)/2, times a symmetric window, scaled to
// gain 1 in the middle of the passband: what scipy.signal.firwin computes. The taps are symmetric and odd in
// number, so that the delay is m samples at all frequencies, and a whole number.
//
// kaiser_design() turns an attenuation and a transition width into taps and β: J. Kaiser, "Nonrecursive
// digital filter design using the I₀-sinh window function", ISCAS 1974.

#include <cstddef>
#include <vector>

#include "unbraid/dsp/window.hpp"

namespace unbraid::dsp {

struct FirDesign {
  double sample_rate = 0;
  double low_hz = 0;     ///< lower −6 dB point; 0 < low_hz < high_hz where there is one
  double high_hz = 0;    ///< upper −6 dB point, below half the sample rate
  std::size_t taps = 0;  ///< odd
  WindowKind window = WindowKind::kHamming;
  double kaiser_beta = 14;
};

/// Passes [0, high_hz]; low_hz is not used. kUsage for frequencies out of order and an even number of taps.
std::vector<double> fir_low_pass(const FirDesign& design);
/// Passes [low_hz, rate/2]; high_hz is not used.
std::vector<double> fir_high_pass(const FirDesign& design);
/// Passes [low_hz, high_hz].
std::vector<double> fir_band_pass(const FirDesign& design);

struct KaiserDesign {
  std::size_t taps;  ///< odd
  double beta;
};

/// For a ripple of −attenuation_db in passband and stopband and a transition transition_hz wide.
KaiserDesign kaiser_design(double attenuation_db, double transition_hz, double sample_rate);

}  // namespace unbraid::dsp
