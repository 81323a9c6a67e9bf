#pragma once
// The SI-SDR of the Slakh oracle notebook, with its ε arithmetic: for reproducing its tables, not for new ones.
//
//   double db = metrics::si_sdr_seed(reference, estimate);
//
// With n the shorter length, no mean removed and ε = 1e-10:
//   α = ⟨ŝ, s⟩ / (‖s‖² + ε),   SI-SDR = 10·log₁₀((‖α·s‖² + ε) / (‖ŝ − α·s‖² + ε))
// The ε make a silent reference score 0.00 dB when the estimate is silent too, and some large negative number when it
// is not: neither is a measurement. scale_scores() reports such references as not applicable.

#include <span>

namespace unbraid::metrics {

double si_sdr_seed(std::span<const float> reference, std::span<const float> estimate, double epsilon = 1e-10);
double si_sdr_seed(std::span<const double> reference, std::span<const double> estimate, double epsilon = 1e-10);

}  // namespace unbraid::metrics
