#pragma once
// From the components of a factorisation to sources: which belong together, and the masks of the groups.
//
//   const auto group = group_by_timbre(spectra, components, bins, weights, 44100, {.groups = 3, .seed = seed}, run);
//   std::vector<dsp::Mask<float>> masks = group_masks(factors, group, 3, pool);
//
// Every component's spectrum gets mel-frequency cepstral coefficients, which describe its colour apart from its pitch;
// k-means groups them (Spiertz, Gnann, "Source-filter based clustering for monaural blind source separation", DAFx 2009,
// section 3). Coefficient 0, the level, is left out.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unbraid/classic/nmf.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct TimbreGrouping {
  std::size_t groups = 2;
  std::size_t coefficients = 13;  ///< cepstral coefficients that describe a timbre, 1 … 39
  std::uint64_t seed = 0;
};

/// The group of each component. spectra: [component][bin] magnitudes; weights: how much of the recording each explains.
std::vector<std::size_t> group_by_timbre(std::span<const float> spectra, std::size_t bins, std::span<const double> weights,
                                         double sample_rate, const TimbreGrouping& options, RunContext& run);

/// Σ dictionary row · Σ its activations: what a component contributes.
std::vector<double> component_levels(const NmfFactors<float>& factors);

/// A group's share of the model, one mask per group, one channel, summing to 1; equal shares where the model is 0.
std::vector<dsp::Mask<float>> group_masks(const NmfFactors<float>& factors, std::span<const std::size_t> group, std::size_t groups,
                                          ThreadPool& pool);

}  // namespace unbraid::classic
