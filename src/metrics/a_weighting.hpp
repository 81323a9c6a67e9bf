#pragma once
// A-weighting as a short linear-phase filter.

#include <cstddef>
#include <vector>

namespace unbraid::metrics {

/// The taps, odd in number, whose response is the least-squares fit to the bilinear transform of the A-weighting curve
/// of IEC 61672 (poles at 20.598997, 107.65265, 737.86223 and 12194.217 Hz, 0 dB at 1 kHz). The curve is sampled at k of
/// 512 steps to the Nyquist frequency and joined by straight lines between points 0–1, 2–3, …; what lies between
/// those pairs does not count. That is what auraloss has from scipy.signal.firls.
std::vector<double> a_weighting_taps(double sample_rate, std::size_t taps = 101);

}  // namespace unbraid::metrics
