// Instruments by their spectra, learnt beforehand (nmf_dictionary.hpp): the mixture's activations of all spectra are
// found, and a stem's share of the model is its mask. Semi-supervised: some components more, learnt from the mixture
// itself, take what the dictionary does not know; they are the stem "rest".
//
// Smaragdis, Raj, Shashanka, "Supervised and semi-supervised separation of sounds from single-channel mixtures", ICA
// 2007. Whole-track. Cost: that of nmf.hpp, half of it when nothing is learnt from the mixture.

#include <algorithm>
#include <memory>

#include "classic/component_groups.hpp"
#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/classic/nmf.hpp"
#include "unbraid/classic/nmf_dictionary.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

struct Options {
  NmfDictionary dictionary;
  std::size_t iterations, free_components;
  double sparsity;
  std::uint64_t seed;
  std::size_t stems() const { return dictionary.stems.size() + (free_components > 0 ? 1 : 0); }
};

std::vector<dsp::Mask<float>> masks_of(const dsp::Spectrogram<float>& mix, const Options& options, RunContext& run) {
  dsp::Magnitudes<float> level = joint_magnitudes(mix, run.pool);
  const float peak = std::ranges::max(level.values());
  if (!(peak > 0)) return std::vector(options.stems(), dsp::Mask<float>(1, mix.frames(), mix.bins()));
  for (float& v : level.values()) v /= peak;

  std::vector<float> known;
  std::vector<std::size_t> group;
  for (std::size_t s = 0; s < options.dictionary.stems.size(); ++s) {
    known.insert(known.end(), options.dictionary.spectra[s].begin(), options.dictionary.spectra[s].end());
    group.insert(group.end(), options.dictionary.components(s), s);
  }
  const std::size_t fixed = group.size(), components = fixed + options.free_components;
  group.insert(group.end(), options.free_components, options.stems() - 1);
  NmfFactors<float> factors = nmf_random_start<float>(level.values(), mix.frames(), mix.bins(), components, options.seed);
  std::ranges::copy(known, factors.dictionary.begin());
  nmf<float>(level.values(), factors,
             {.components = components,
              .beta = 1,
              .iterations = options.iterations,
              .l1_activations = options.sparsity,
              .fixed_components = fixed},
             run);
  return group_masks(factors, group, options.stems(), run.pool);
}

}  // namespace

Method nmf_supervised_method() {
  Method method{.name = "nmf_supervised",
                .summary = "the instruments of a dictionary that unbraid train nmf has learnt",
                .paper =
                    "Smaragdis, Raj, Shashanka, Supervised and semi-supervised separation of sounds from single-channel "
                    "mixtures, ICA 2007",
                .parameters = {{.name = "dictionary", .help = "file of unbraid train nmf", .value = std::string(), .required = true},
                               {.name = "iterations", .help = "iterations", .value = std::int64_t{50}, .minimum = 1, .maximum = 100000},
                               {.name = "sparsity",
                                .help = "penalty on the sum of the activations, at a spectrogram's peak of 1",
                                .value = 0.0,
                                .minimum = 0,
                                .maximum = 1000},
                               {.name = "free_components",
                                .help = "components learnt from the mixture itself, which give the stem rest",
                                .value = std::int64_t{0},
                                .minimum = 0,
                                .maximum = 1000}},
                .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) {
    const auto options =
        std::make_shared<const Options>(Options{.dictionary = load_dictionary(values.text("dictionary")),
                                                .iterations = static_cast<std::size_t>(values.integer("iterations")),
                                                .free_components = static_cast<std::size_t>(values.integer("free_components")),
                                                .sparsity = values.number("sparsity"),
                                                .seed = seed});
    const NmfDictionary& dictionary = options->dictionary;
    SeparatorInfo info{
        .stems = dictionary.stems, .sample_rate = dictionary.sample_rate, .channels = format.channels, .blocks = WholeTrack{}};
    if (options->free_components > 0) info.stems.push_back("rest");
    const dsp::StftOptions stft{.window = {.kind = dsp::WindowKind::kHann, .length = dictionary.window}, .hop = dictionary.hop};
    return make_masking_separator(info, stft,
                                  [options](const dsp::Spectrogram<float>& mix, RunContext& run) { return masks_of(mix, *options, run); });
  };
  return method;
}

}  // namespace unbraid::classic
