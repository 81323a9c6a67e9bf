#pragma once
// From many scores to one: over windows, channels and tracks.
//
//   double sdr = metrics::median(scores.sources[0].sdr);
//
// Values that are not finite stand for "not applicable" (a silent window) or "nothing to measure" (an infinite ratio)
// and are left out, as museval does; the result is NaN when nothing is left.

#include <cstddef>
#include <span>

namespace unbraid::metrics {

/// The middle value; of an even number, the mean of the two in the middle.
double median(std::span<const double> values);

/// The same, but infinite where no value is finite and one is infinite: a perfect estimate, not one without a score.
double median_or_infinity(std::span<const double> values);

double mean(std::span<const double> values);

/// √(Σ (x − mean)² / (n − ddof)): ddof 0 is the population's (NumPy, TensorFlow), 1 the sample's (pandas).
double standard_deviation(std::span<const double> values, std::size_t ddof = 0);

/// How many values count.
std::size_t finite_count(std::span<const double> values);

}  // namespace unbraid::metrics
