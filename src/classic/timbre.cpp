// Sources by timbre: the spectra of a non-negative matrix factorisation, grouped by their cepstra (component_groups.hpp).
//
// The magnitudes are factored into many components (nmf.hpp); a group's share of the model is its mask.
// nussl.separation.primitive.TimbreClustering takes the cosine transform of mel spectra that are not logarithmic; here
// they are decibels, as cepstra are defined.
//
// Whole-track. The cost is that of the factorisation, see nmf.hpp.

#include <algorithm>

#include "classic/component_groups.hpp"
#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "classic/unnamed_sources.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/classic/nmf.hpp"

namespace unbraid::classic {

namespace {

struct TimbreOptions {
  std::size_t sources, components, iterations, coefficients;
  double beta;
  std::uint64_t seed;
};

std::vector<dsp::Mask<float>> timbre_masks(const dsp::Spectrogram<float>& mix, double sample_rate, const TimbreOptions& options,
                                           RunContext& run) {
  const dsp::Magnitudes<float> level = joint_magnitudes(mix, run.pool);
  if (std::ranges::all_of(level.values(), [](float v) { return v == 0; }))
    return std::vector(options.sources, dsp::Mask<float>(1, mix.frames(), mix.bins()));
  NmfFactors<float> factors = nmf_random_start<float>(level.values(), mix.frames(), mix.bins(), options.components, options.seed);
  nmf<float>(level.values(), factors,
             {.components = options.components, .beta = options.beta, .iterations = options.iterations, .tolerance = 1e-5}, run);
  const auto group = group_by_timbre(factors.dictionary, factors.bins, component_levels(factors), sample_rate,
                                     {.groups = options.sources, .coefficients = options.coefficients, .seed = options.seed}, run);
  return group_masks(factors, group, options.sources, run.pool);
}

}  // namespace

Method timbre_method() {
  Method method{
      .name = "timbre",
      .summary = "sources of different colour, by grouping the components of a non-negative matrix factorisation",
      .paper = "Spiertz, Gnann, Source-filter based clustering for monaural blind source separation, DAFx 2009",
      .stems = source_names(2),
      .parameters =
          {sources_parameter(2),
           window_parameter(46.0),
           {.name = "components", .help = "components of the factorisation", .value = std::int64_t{30}, .minimum = 2, .maximum = 1000},
           {.name = "beta", .help = "divergence: 2 Euclidean, 1 Kullback-Leibler", .value = 1.0, .minimum = 0.1, .maximum = 5},
           {.name = "iterations", .help = "most iterations", .value = std::int64_t{100}, .minimum = 1, .maximum = 100000},
           {.name = "coefficients",
            .help = "cepstral coefficients that describe a timbre",
            .value = std::int64_t{13},
            .minimum = 1,
            .maximum = 39}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) {
    const TimbreOptions options{.sources = number_of_sources(values),
                                .components = static_cast<std::size_t>(values.integer("components")),
                                .iterations = static_cast<std::size_t>(values.integer("iterations")),
                                .coefficients = static_cast<std::size_t>(values.integer("coefficients")),
                                .beta = values.number("beta"),
                                .seed = seed};
    return make_masking_separator(info_of_sources(format, options.sources), stft_options(format.sample_rate, values.number("window_ms")),
                                  [options, rate = format.sample_rate](const dsp::Spectrogram<float>& mix, RunContext& run) {
                                    return timbre_masks(mix, rate, options, run);
                                  });
  };
  return method;
}

}  // namespace unbraid::classic
