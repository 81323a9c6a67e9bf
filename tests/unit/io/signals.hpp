#pragma once
// Test signals, and the few calls that every test of this folder makes.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "unbraid/core/rng.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::io {

/// Uniform white noise in ±peak.
inline AudioBuffer noise(std::size_t channels, std::size_t frames, float peak, std::uint64_t seed = 1) {
  AudioBuffer audio(channels, frames);
  Rng rng(seed);
  for (float& x : audio.samples()) x = static_cast<float>(rng.uniform(-peak, peak));
  return audio;
}

/// Infinity when the shapes differ.
inline float max_difference(AudioView a, AudioView b) {
  if (a.channels() != b.channels() || a.frames() != b.frames()) return std::numeric_limits<float>::infinity();
  float largest = 0;
  for (std::size_t c = 0; c < a.channels(); ++c)
    for (std::size_t f = 0; f < a.frames(); ++f) largest = std::max(largest, std::fabs(a.channel(c)[f] - b.channel(c)[f]));
  return largest;
}

/// In blocks of an odd size, as a pipeline would.
inline WriteSummary write_audio(const std::filesystem::path& path, AudioView audio, const WriterOptions& options) {
  const auto writer = create_writer(path, options);
  for (std::size_t first = 0; first < audio.frames(); first += 3001)
    writer->write(audio.slice(first, std::min<std::size_t>(3001, audio.frames() - first)));
  return writer->finish();
}

inline std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put_bytes(const std::filesystem::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

}  // namespace unbraid::io
