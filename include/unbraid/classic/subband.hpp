#pragma once
// A recording cut into frequency bands that add up to it exactly.
//
//   std::vector<AudioBuffer> bands = classic::split_bands(song, {.edges_hz = {200, 2000}}, 44100, pool);   // 3 bands
//
// Every edge has a low-pass filter without delay, and a band is the difference of the low-passed signals at its two
// edges; so the bands sum to the input whatever the filters are (perfect reconstruction), and each edge lies 6 dB down
// in both of its bands.
//   kFir            windowed sinc with Kaiser's window: 60 dB of stop band, transition width as given. Kaiser,
//                   "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974.
//   kLinkwitzRiley  a Butterworth filter of half the order run forwards and backwards: the magnitudes of Linkwitz,
//                   Riley, "Active crossover networks for noncoincident drivers", JAES 24(1), 1976, without their
//                   phase. The high band, 1 − |B|², is the squared Butterworth high-pass, so both fall at the same slope.
// Streaming: context_frames() is how far an output sample looks.

#include <cstddef>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid::classic {

struct BandOptions {
  enum class Filter { kFir, kLinkwitzRiley };
  std::vector<double> edges_hz;  ///< ascending, > 0; one at or above half the rate gives an empty band above it
  Filter filter = Filter::kFir;
  double transition = 0.5;  ///< of the FIR filters, as a share of the edge's frequency, 0 < transition ≤ 2
  std::size_t order = 4;    ///< of the Linkwitz-Riley filters: 2, 4 or 8, that is 12, 24 or 48 dB per octave

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// edges + 1 bands from low to high, of the signal's shape.
std::vector<AudioBuffer> split_bands(AudioView signal, const BandOptions& options, double sample_rate, ThreadPool& pool);

/// The low-passed signal at one edge.
AudioBuffer low_band(AudioView signal, double edge_hz, const BandOptions& options, double sample_rate, ThreadPool& pool);

/// Samples to each side that an output sample depends on; for the recursive filters to 1e-7 of their peak.
std::size_t context_frames(const BandOptions& options, double sample_rate);

}  // namespace unbraid::classic
