// Blind sources by non-negative matrix factorisation, with every choice of nmf.hpp at hand; the components are grouped
// by timbre (component_groups.hpp), and a group's share of the model is its mask.
//
// Virtanen, "Monaural sound source separation by nonnegative matrix factorization with temporal continuity and
// sparseness criteria", IEEE TASLP 15(3), 2007, for the use; the updates are those of nmf.hpp. Itakura-Saito (beta 0)
// is meant for power spectra (Févotte, Bertin, Durrieu, Neural Computation 21(3), 2009): set spectrum=power with it.
//
// Whole-track. Cost: that of nmf.hpp.

#include <algorithm>
#include <cmath>

#include "classic/component_groups.hpp"
#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "classic/unnamed_sources.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/classic/nmf.hpp"

namespace unbraid::classic {

namespace {

struct Options {
  std::size_t sources;
  NmfOptions nmf;
  bool nndsvd, power;
  std::uint64_t seed;
};

std::vector<dsp::Mask<float>> masks_of(const dsp::Spectrogram<float>& mix, double sample_rate, const Options& options, RunContext& run) {
  dsp::Magnitudes<float> level = joint_magnitudes(mix, run.pool);
  const float peak = std::ranges::max(level.values());
  if (!(peak > 0)) return std::vector(options.sources, dsp::Mask<float>(1, mix.frames(), mix.bins()));
  // At a peak of 1 the guards of nmf.hpp lie below everything audible, whatever the recording's level. Divergences with
  // beta ≤ 0 are infinite at 0, hence the floor, 120 dB below. They weigh the quiet as much as the loud: for them all is
  // lifted until the floor, too, lies well above the guards.
  constexpr float kFloor = 1e-6f, kLiftedFloor = 1e-3f;
  const bool floored = options.nmf.beta <= 0;
  const float floor = options.power ? kFloor * kFloor : kFloor;
  for (float& v : level.values()) {
    v = v / peak;
    if (options.power) v *= v;
    if (floored) v = std::max(v, floor);
  }
  NmfOptions nmf_options = options.nmf;
  nmf_options.components = std::min(nmf_options.components, options.nndsvd ? std::min(mix.frames(), mix.bins()) : nmf_options.components);
  NmfFactors<float> factors = options.nndsvd
                                  ? nmf_nndsvd_start<float>(level.values(), mix.frames(), mix.bins(), nmf_options.components)
                                  : nmf_random_start<float>(level.values(), mix.frames(), mix.bins(), nmf_options.components, options.seed);
  if (floored) {
    const float lift = kLiftedFloor / floor;
    for (float& v : level.values()) v *= lift;
    for (std::vector<float>* factor : {&factors.activations, &factors.dictionary})
      for (float& x : *factor) x *= std::sqrt(lift);
    nmf_options.l1_activations *= std::pow(lift, nmf_options.beta - 0.5);  // against a divergence that grows by lift^beta
  }
  nmf<float>(level.values(), factors, nmf_options, run);
  std::vector<float> spectra = factors.dictionary;
  if (options.power)
    for (float& s : spectra) s = std::sqrt(s);
  const auto group = group_by_timbre(spectra, factors.bins, component_levels(factors), sample_rate,
                                     {.groups = options.sources, .seed = options.seed}, run);
  return group_masks(factors, group, options.sources, run.pool);
}

}  // namespace

Method nmf_method() {
  Method method{
      .name = "nmf",
      .summary = "sources of different colour, by non-negative matrix factorisation with all its choices",
      .paper =
          "Virtanen, Monaural sound source separation by nonnegative matrix factorization with temporal continuity "
          "and sparseness criteria, IEEE TASLP 15(3), 2007",
      .stems = source_names(4),
      .parameters =
          {sources_parameter(4),
           window_parameter(46.0),
           {.name = "components", .help = "components of the factorisation", .value = std::int64_t{40}, .minimum = 2, .maximum = 1000},
           {.name = "beta",
            .help = "divergence: 2 Euclidean, 1 Kullback-Leibler, 0 Itakura-Saito",
            .value = 1.0,
            .minimum = -1,
            .maximum = 5},
           {.name = "spectrum", .help = "what is factored", .value = std::string("magnitude"), .choices = {"magnitude", "power"}},
           {.name = "start",
            .help = "random (by the seed), or from the singular vectors (NNDSVD)",
            .value = std::string("random"),
            .choices = {"random", "nndsvd"}},
           {.name = "iterations", .help = "most iterations", .value = std::int64_t{100}, .minimum = 1, .maximum = 100000},
           {.name = "sparsity",
            .help = "penalty on the sum of the activations, at a spectrogram's peak of 1",
            .value = 0.0,
            .minimum = 0,
            .maximum = 1000}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) {
    const Options options{.sources = number_of_sources(values),
                          .nmf = {.components = static_cast<std::size_t>(values.integer("components")),
                                  .beta = values.number("beta"),
                                  .iterations = static_cast<std::size_t>(values.integer("iterations")),
                                  .tolerance = 1e-5,
                                  .l1_activations = values.number("sparsity")},
                          .nndsvd = values.text("start") == "nndsvd",
                          .power = values.text("spectrum") == "power",
                          .seed = seed};
    return make_masking_separator(info_of_sources(format, options.sources), stft_options(format.sample_rate, values.number("window_ms")),
                                  [options, rate = format.sample_rate](const dsp::Spectrogram<float>& mix, RunContext& run) {
                                    return masks_of(mix, rate, options, run);
                                  });
  };
  return method;
}

}  // namespace unbraid::classic
