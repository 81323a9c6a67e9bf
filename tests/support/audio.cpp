#include "support/audio.hpp"

#include <sndfile.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "support/fixtures.hpp"

namespace unbraid::testing {

AudioBuffer FixtureAudio::to_float() const {
  AudioBuffer out(channels, frames);
  std::ranges::transform(samples, out.samples().begin(), [](double x) { return static_cast<float>(x); });
  return out;
}

FixtureAudio load_audio(const std::filesystem::path& relative) {
  const std::filesystem::path path = fixtures() / relative;
  SF_INFO info{};
  const std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> file(sf_open(path.c_str(), SFM_READ, &info), sf_close);
  if (!file) throw std::runtime_error(path.string() + ": " + sf_strerror(nullptr));
  FixtureAudio audio{.channels = static_cast<std::size_t>(info.channels),
                     .frames = static_cast<std::size_t>(info.frames),
                     .sample_rate = static_cast<double>(info.samplerate)};
  std::vector<double> interleaved(audio.channels * audio.frames);
  const sf_count_t read = sf_readf_double(file.get(), interleaved.data(), info.frames);
  if (read != info.frames) throw std::runtime_error(path.string() + ": shorter than it says");
  audio.samples.resize(interleaved.size());
  for (std::size_t c = 0; c < audio.channels; ++c)
    for (std::size_t i = 0; i < audio.frames; ++i) audio.samples[c * audio.frames + i] = interleaved[i * audio.channels + c];
  return audio;
}

}  // namespace unbraid::testing
