// Bands as the ear has them, which add up to the recording exactly.
//
// The centres lie equally spaced on the scale of equivalent rectangular bandwidths (Glasberg, Moore, "Derivation of
// auditory filter shapes from notched-noise data", Hearing Research 47, 1990: ERB(f) = 24.7·(4.37·f/1000 + 1) Hz, number
// 21.4·log₁₀(1 + 0.00437·f)). A band weighs each bin of the spectrogram by the power response of the gammatone filter of
// order 4, |G(f)|² = (1 + ((f − f_c)/(1.019·ERB(f_c)))²)^−4 (Patterson, Holdsworth, "A functional model of neural activity
// patterns and auditory images", 1996), divided by the sum over the bands: the weights of a bin sum to 1, and there is no
// phase to put right. Below the first centre and above the last, their bands take everything.
//
// Streaming. Cost: an STFT and one inverse per band.

#include <algorithm>
#include <cmath>
#include <vector>

#include "classic/masking_separator.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

double erb_number(double hz) { return 21.4 * std::log10(1 + 0.00437 * hz); }
double hz_of_erb_number(double number) { return (std::pow(10, number / 21.4) - 1) / 0.00437; }

/// [band][bin], each bin's sum 1.
std::vector<std::vector<float>> weights(std::size_t bands, double low_hz, double high_hz, std::size_t bins, double hz_per_bin) {
  std::vector<std::vector<double>> response(bands, std::vector<double>(bins));
  const double first = erb_number(low_hz), last = erb_number(high_hz);
  for (std::size_t b = 0; b < bands; ++b) {
    const double share = static_cast<double>(b) / static_cast<double>(bands - 1);
    const double centre = hz_of_erb_number(first + share * (last - first));
    const double width = 1.019 * 24.7 * (4.37 * centre / 1000 + 1);
    for (std::size_t k = 0; k < bins; ++k) {
      const double hz = std::clamp(static_cast<double>(k) * hz_per_bin, low_hz, high_hz);
      const double distance = (hz - centre) / width;
      response[b][k] = std::pow(1 + distance * distance, -4);
    }
  }
  std::vector<std::vector<float>> result(bands, std::vector<float>(bins));
  for (std::size_t k = 0; k < bins; ++k) {
    double total = 0;
    for (const auto& band : response) total += band[k];
    for (std::size_t b = 0; b < bands; ++b) result[b][k] = static_cast<float>(response[b][k] / total);
  }
  return result;
}

std::vector<std::string> band_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t b = 1; b <= count; ++b) names.push_back("band" + std::to_string(b));
  return names;
}

}  // namespace

Method gammatone_method() {
  Method method{
      .name = "gammatone",
      .summary = "frequency bands as wide as the ear's, which sum to the recording exactly",
      .paper =
          "Patterson, Holdsworth, A functional model of neural activity patterns and auditory images, 1996; Glasberg, "
          "Moore, Hearing Research 47, 1990",
      .stems = band_names(8),
      .parameters = {{.name = "bands", .help = "how many bands", .value = std::int64_t{8}, .minimum = 2, .maximum = 128},
                     {.name = "low_hz", .help = "centre of the lowest band", .unit = "Hz", .value = 80.0, .minimum = 1, .maximum = 1e5},
                     {.name = "high_hz",
                      .help = "centre of the highest band; at most half the sample rate",
                      .unit = "Hz",
                      .value = 12000.0,
                      .minimum = 2,
                      .maximum = 1e6},
                     window_parameter(93.0)}};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    const auto bands = static_cast<std::size_t>(values.integer("bands"));
    const double low_hz = values.number("low_hz"), high_hz = std::min(values.number("high_hz"), format.sample_rate / 2);
    if (!(high_hz > low_hz)) throw Error{ErrorCode::kUsage, "must lie above low_hz and below half the rate", "high_hz"};
    const dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    const std::size_t bins = stft.window.length / 2 + 1;
    const auto weight = weights(bands, low_hz, high_hz, bins, format.sample_rate / static_cast<double>(stft.window.length));
    SeparatorInfo info{.stems = band_names(bands),
                       .sample_rate = format.sample_rate,
                       .channels = format.channels,
                       .blocks = streaming_blocks(stft, format.sample_rate, 0)};
    return make_masking_separator(info, stft, [weight](const dsp::Spectrogram<float>& mix, RunContext& run) {
      std::vector<dsp::Mask<float>> masks(weight.size() - 1, dsp::Mask<float>(1, mix.frames(), mix.bins()));
      run.pool.parallel_for(
          mix.frames(),
          [&](std::size_t m) {
            for (std::size_t b = 0; b < masks.size(); ++b) std::ranges::copy(weight[b], masks[b].frame(0, m).begin());
          },
          16);
      return masks;
    });
  };
  return method;
}

}  // namespace unbraid::classic
