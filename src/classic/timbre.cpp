// Sources by timbre: the spectra of a non-negative matrix factorisation, grouped by their cepstra.
//
// The magnitudes are factored into many components (nmf.hpp); every component's spectrum gets mel-frequency cepstral
// coefficients, which describe its colour apart from its pitch; k-means groups them; a group's share of the model is
// its mask (Spiertz, Gnann, "Source-filter based clustering for monaural blind source separation", DAFx 2009, section
// 3). nussl.separation.primitive.TimbreClustering takes the cosine transform of mel spectra that are not logarithmic;
// here they are decibels, as cepstra are defined. Coefficient 0, the level, is left out.
//
// Whole-track. The cost is that of the factorisation, see nmf.hpp.

#include <algorithm>
#include <cmath>
#include <utility>

#include "classic/kmeans.hpp"
#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "classic/source_names.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/classic/nmf.hpp"
#include "unbraid/dsp/mel.hpp"

namespace unbraid::classic {

namespace {

struct TimbreOptions {
  std::size_t sources, components, iterations, coefficients;
  double beta;
  std::uint64_t seed;
};

/// The cluster of each component. Components weigh by how much of the recording they explain.
std::vector<std::size_t> cluster_components(const NmfFactors<float>& factors, double sample_rate,
                                            const TimbreOptions& options) {
  const dsp::MelFilterBank bank({.sample_rate = sample_rate, .n_fft = 2 * (factors.bins - 1), .bands = 40});
  std::vector<double> features, weights;
  std::vector<float> power(factors.bins), mel(bank.bands()), cepstrum(options.coefficients + 1);
  for (std::size_t c = 0; c < factors.components; ++c) {
    const std::span<const float> spectrum = std::span(factors.dictionary).subspan(c * factors.bins, factors.bins);
    float greatest = 0;
    double level = 0, activity = 0;
    for (std::size_t k = 0; k < factors.bins; ++k) {
      power[k] = spectrum[k] * spectrum[k];
      greatest = std::max(greatest, power[k]);
      level += spectrum[k];
    }
    for (std::size_t m = 0; m < factors.frames; ++m) activity += factors.activations[m * factors.components + c];
    if (greatest > 0)
      for (float& p : power) p /= greatest;
    bank.apply<float>(power, mel);
    dsp::power_to_db<float>(mel);
    dsp::dct2<float>(mel, cepstrum);
    features.insert(features.end(), cepstrum.begin() + 1, cepstrum.end());
    weights.push_back(level * activity);
  }
  return kmeans(features, options.coefficients, weights, {.clusters = options.sources, .seed = options.seed}).labels;
}

std::vector<dsp::Mask<float>> timbre_masks(const dsp::Spectrogram<float>& mix, double sample_rate,
                                           const TimbreOptions& options, RunContext& run) {
  const dsp::Magnitudes<float> level = joint_magnitudes(mix, run.pool);
  std::vector<dsp::Mask<float>> masks(options.sources, dsp::Mask<float>(1, mix.frames(), mix.bins()));
  if (std::ranges::all_of(level.values(), [](float v) { return v == 0; })) return masks;
  NmfFactors<float> factors =
      nmf_random_start<float>(level.values(), mix.frames(), mix.bins(), options.components, options.seed);
  nmf<float>(level.values(), factors,
             {.components = options.components, .beta = options.beta, .iterations = options.iterations,
              .tolerance = 1e-5},
             run);
  const std::vector<std::size_t> cluster = cluster_components(factors, sample_rate, options);
  run.pool.parallel_for(mix.frames(), [&](std::size_t m) {
    std::vector<float> total(mix.bins());
    for (std::size_t c = 0; c < factors.components; ++c) {
      const float activation = factors.activations[m * factors.components + c];
      const auto out = masks[cluster[c]].frame(0, m);
      for (std::size_t k = 0; k < out.size(); ++k) {
        const float part = activation * factors.dictionary[c * factors.bins + k];
        out[k] += part;
        total[k] += part;
      }
    }
    for (dsp::Mask<float>& mask : masks)
      for (std::size_t k = 0; k < total.size(); ++k)
        mask.at(0, m, k) = total[k] > 0 ? mask.at(0, m, k) / total[k] : 1 / static_cast<float>(masks.size());
  }, 8);
  return masks;
}

}  // namespace

Method timbre_method() {
  Method method{
      .name = "timbre",
      .summary = "sources of different colour, by grouping the components of a non-negative matrix factorisation",
      .paper = "Spiertz, Gnann, Source-filter based clustering for monaural blind source separation, DAFx 2009",
      .stems = source_names(2),
      .parameters = {
          {.name = "sources", .help = "how many groups", .value = std::int64_t{2}, .minimum = 2, .maximum = 16},
          {.name = "window_ms", .help = "length of the analysis window, rounded to a power of two samples",
           .unit = "ms", .value = 46.0, .minimum = 1, .maximum = 1000},
          {.name = "components", .help = "components of the factorisation", .value = std::int64_t{30}, .minimum = 2,
           .maximum = 1000},
          {.name = "beta", .help = "divergence: 2 Euclidean, 1 Kullback-Leibler", .value = 1.0, .minimum = 0.1,
           .maximum = 5},
          {.name = "iterations", .help = "most iterations", .value = std::int64_t{100}, .minimum = 1,
           .maximum = 100000},
          {.name = "coefficients", .help = "cepstral coefficients that describe a timbre", .value = std::int64_t{13},
           .minimum = 1, .maximum = 39}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) {
    const TimbreOptions options{.sources = static_cast<std::size_t>(values.integer("sources")),
                                .components = static_cast<std::size_t>(values.integer("components")),
                                .iterations = static_cast<std::size_t>(values.integer("iterations")),
                                .coefficients = static_cast<std::size_t>(values.integer("coefficients")),
                                .beta = values.number("beta"),
                                .seed = seed};
    SeparatorInfo info{.stems = source_names(options.sources), .sample_rate = format.sample_rate,
                       .channels = format.channels, .blocks = WholeTrack{}};
    return make_masking_separator(
        info, stft_options(format.sample_rate, values.number("window_ms")),
        [options, rate = format.sample_rate](const dsp::Spectrogram<float>& mix, RunContext& run) {
          auto masks = timbre_masks(mix, rate, options, run);
          masks.pop_back();  // the last stem is what remains
          return masks;
        });
  };
  return method;
}

}  // namespace unbraid::classic
