#pragma once
// What REPET, REPET-SIM, 2DFT and RPCA share: a mask per channel for the background, from magnitudes of a whole track.
//
//   return make_background_separator(format, stft, [=](const dsp::Magnitudes<float>& v, RunContext& run) {
//     return repet_sim_mask(v, options, run);
//   });

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"

namespace unbraid::classic {

/// The stems of such methods.
inline std::vector<std::string> background_stems() { return {"background", "foreground"}; }

inline Parameter high_pass_parameter(std::string source = {}) {
  return {.name = "high_pass_hz",
          .help = "below, everything is background",
          .unit = "Hz",
          .value = 100.0,
          .minimum = 0,
          .maximum = 1e6,
          .source = std::move(source)};
}

/// The first bin above high_pass_hz.
inline std::size_t first_bin(const ParameterValues& values, double sample_rate, const dsp::StftOptions& stft) {
  const double hz_per_bin = sample_rate / static_cast<double>(stft.window.length);
  return static_cast<std::size_t>(std::lround(values.number("high_pass_hz") / hz_per_bin));
}

using BackgroundMask = std::function<dsp::Mask<float>(const dsp::Magnitudes<float>&, RunContext&)>;

/// working_bytes: those of `mask`, by the frames of the recording.
inline std::unique_ptr<Separator> make_background_separator(
    const StreamFormat& format, const dsp::StftOptions& stft, BackgroundMask mask,
    std::function<std::size_t(std::size_t)> working_bytes = [](std::size_t) { return std::size_t{0}; }) {
  SeparatorInfo info{.stems = background_stems(),
                     .sample_rate = format.sample_rate,
                     .channels = format.channels,
                     .blocks = WholeTrack{},
                     .working_bytes = std::move(working_bytes)};
  return make_masking_separator(std::move(info), stft, [mask = std::move(mask)](const dsp::Spectrogram<float>& mix, RunContext& run) {
    std::vector<dsp::Mask<float>> masks;
    masks.push_back(mask(magnitudes(mix, run.pool), run));
    return masks;
  });
}

}  // namespace unbraid::classic
