#pragma once
// The audio of the metric fixtures, as the scores take it.

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/fixtures.hpp"
#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::testing {

/// A FLAC or WAV file of 16 bits; every value is exact in float32.
inline AudioBuffer load_audio(const std::filesystem::path& relative) { return std::move(io::read_audio(fixtures() / relative).samples); }

inline std::vector<AudioBuffer> load_all(const std::filesystem::path& folder, const nlohmann::json& names) {
  std::vector<AudioBuffer> result;
  for (const std::string name : names) result.push_back(load_audio(folder / name));
  return result;
}

/// An array (source, frame[, channel]); int16 counts as value / 32768.
inline std::vector<AudioBuffer> load_sources(const std::filesystem::path& relative) {
  const Npy array = load_npy(relative);
  const double scale = array.dtype == "<i2" ? 1.0 / 32768 : 1.0;
  const std::size_t sources = array.shape[0], frames = array.shape[1];
  const std::size_t channels = array.shape.size() > 2 ? array.shape[2] : 1;
  std::vector<AudioBuffer> result;
  for (std::size_t s = 0; s < sources; ++s) {
    AudioBuffer audio(channels, frames);
    for (std::size_t n = 0; n < frames; ++n)
      for (std::size_t c = 0; c < channels; ++c)
        audio.channel(c)[n] = static_cast<float>(scale * array.real[(s * frames + n) * channels + c]);
    result.push_back(std::move(audio));
  }
  return result;
}

inline std::vector<AudioView> views(const std::vector<AudioBuffer>& buffers) { return {buffers.begin(), buffers.end()}; }

}  // namespace unbraid::testing
