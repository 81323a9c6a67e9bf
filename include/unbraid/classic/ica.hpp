#pragma once
// As many independent sources as channels, from an instantaneous mixture, without knowing how it was mixed.
//
//   const classic::IcaResult ica = classic::fast_ica(recording, {}, run);      // sources, mixing matrix
//
// Hyvärinen, Oja, "Independent component analysis: algorithms and applications", Neural Networks 13(4-5), 2000:
// centring, whitening, then the fixed-point iteration of all components at once with symmetric orthogonalisation
// (eq. 40 and 45), contrast log cosh, exp or cube (eq. 25, 26). As sklearn.decomposition.FastICA(algorithm='parallel').
// Order and sign of independent components are arbitrary: here they are sorted by energy and have a positive greatest
// mixing coefficient.
//
// Whole-track. Time O(iterations·channels²·frames).

#include <cstddef>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/run_context.hpp"

namespace unbraid::classic {

struct IcaOptions {
  enum class Contrast { kLogCosh, kExp, kCube };
  Contrast contrast = Contrast::kLogCosh;
  std::size_t iterations = 200;  ///< at most
  double tolerance = 1e-6;       ///< of the change of direction of the unmixing rows

  /// kUsage when a value is out of its range.
  void validate() const;
};

struct IcaResult {
  std::size_t sources = 0;  ///< as many as the covariance has rank: fewer than channels when some repeat others
  std::size_t channels = 0;
  AudioBuffer activations;     ///< [source][frame], of variance 1
  std::vector<double> mixing;  ///< [channel][source]: recording = mixing · activations + mean
  std::vector<double> means;   ///< [channel]
};

/// run.progress counts iterations of "unmix".
IcaResult fast_ica(AudioView recording, const IcaOptions& options, RunContext& run);

}  // namespace unbraid::classic
