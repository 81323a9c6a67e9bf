#pragma once
// Audio of the fixtures, as exact as it is stored.
//
//   const FixtureAudio mix = load_audio("classic/repet_background.flac");   // 16-bit samples are value / 32768

#include <cstddef>
#include <filesystem>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid::testing {

struct FixtureAudio {
  std::size_t channels = 0;
  std::size_t frames = 0;
  double sample_rate = 0;       ///< Hz
  std::vector<double> samples;  ///< [channel][frame]

  PlanarView<const double> view() const { return {samples.data(), channels, frames, frames}; }
  AudioBuffer to_float() const;
};

/// Any file that libsndfile reads. std::runtime_error when it does not.
FixtureAudio load_audio(const std::filesystem::path& relative);

}  // namespace unbraid::testing
