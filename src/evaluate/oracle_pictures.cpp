#include <algorithm>
#include <cmath>
#include <vector>

#include "evaluate/oracle_sources.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/evaluate/oracle.hpp"
#include "unbraid/mask/ideal.hpp"

namespace unbraid::evaluate {

namespace {

constexpr float kFloorDb = -80;

OraclePicture picture_of(std::string name, const dsp::Spectrogram<float>& x, float peak) {
  OraclePicture picture{.name = std::move(name), .frames = x.frames(), .bins = x.bins(), .low = kFloorDb, .high = 0};
  for (const std::complex<float> value : x.values()) {
    picture.values.push_back(std::max(20 * std::log10(std::abs(value) / peak + 1e-20f), kFloorDb));
  }
  return picture;
}

}  // namespace

void oracle_pictures(const data::Track& track, const OracleOptions& options, double seconds, RunContext& run,
                     const std::function<void(const OraclePicture&)>& draw) {
  options.validate();
  const OracleSources sources(track, options.trim_s > 0 ? std::min(options.trim_s, seconds) : seconds);
  const std::size_t window = window_samples(options, sources.info().sample_rate);
  const dsp::Stft<float> stft({.window = {.length = window}, .hop = options.hop ? options.hop : window / 4});
  std::vector<dsp::Spectrogram<float>> spectra;
  for (const AudioBuffer& audio : sources.read(0, sources.info().frames, run.pool)) {
    run.cancel.check();
    spectra.push_back(stft.forward(PlanarView<const float>(audio.channel(0).data(), 1, audio.frames(), audio.frames()), run.pool));
  }
  const dsp::Spectrogram<float> mixture = std::move(spectra.back());
  spectra.pop_back();

  float peak = 1e-20f;  // a silent mixture is drawn as silence
  for (const std::complex<float> value : mixture.values()) peak = std::max(peak, std::abs(value));
  draw(picture_of("mix", mixture, peak));
  for (std::size_t s = 0; s < spectra.size(); ++s) draw(picture_of(sources.labels()[s], spectra[s], peak));
  for (const std::string& name : options.masks) {
    if (name == kComplexRatioMask || name == kMultichannelWiener) continue;  // not a picture of gains
    const auto masks = mask::ideal_masks<float>(mask::ideal_mask(name), spectra, mixture, run.pool);
    for (std::size_t s = 0; s < masks.size(); ++s) {
      run.cancel.check();
      draw({.name = name + " " + sources.labels()[s],
            .frames = mixture.frames(),
            .bins = mixture.bins(),
            .values = {masks[s].values().begin(), masks[s].values().end()}});
    }
  }
}

}  // namespace unbraid::evaluate
