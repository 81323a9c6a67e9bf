#pragma once
// Non-negative matrix factor deconvolution: components that are short patterns in time, such as the decay of a drum.
//
//   classic::ConvolutiveOptions options{.components = 8, .span_frames = 8, .iterations = 50};
//   auto factors = classic::convolutive_start<float>(v, frames, bins, options, seed);
//   classic::nmf_convolutive(v, factors, options, run);       // v[m] ≈ Σ_τ Σ_c activations[m − τ][c] · patterns[τ][c]
//
// Smaragdis, "Non-negative matrix factor deconvolution; extraction of multiple sound sources from monophonic inputs",
// ICA 2004, for the model (eq. 4). The updates are the multiplicative ones of the Kullback-Leibler divergence for all τ
// together, which never raise it (O'Grady, Pearlmutter, "Convolutive non-negative matrix factorisation with a sparseness
// constraint", MLSP 2006, eqs. 6 and 7 without sparseness); Smaragdis averages updates of single τ, which may. Frames
// before the first and after the last do not exist: they count in neither numerator nor denominator. With a span of one
// frame this is nmf() with beta 1.
//
// Cost per iteration: 8·frames·bins·components·span flops; memory: one more spectrogram. Sums are cut in a fixed way:
// results do not depend on the number of threads.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unbraid/core/run_context.hpp"

namespace unbraid::classic {

struct ConvolutiveOptions {
  std::size_t components = 8;
  std::size_t span_frames = 8;  ///< length of a pattern
  std::size_t iterations = 50;

  /// kUsage when a value is 0.
  void validate() const;
};

template <class T>
struct ConvolutiveFactors {
  std::size_t frames = 0, bins = 0, components = 0, span = 0;
  std::vector<T> activations;  ///< [frame][component]: where patterns begin
  std::vector<T> patterns;     ///< [frame of the pattern][component][bin]
};

/// |normal| · √(mean of v / (components · span)).
template <class T>
ConvolutiveFactors<T> convolutive_start(std::span<const T> v, std::size_t frames, std::size_t bins, const ConvolutiveOptions& options,
                                        std::uint64_t seed);

/// Runs the updates on v, [frame][bin], ≥ 0: each iteration the patterns, then the activations. kUsage when shapes do
/// not agree. run.progress counts iterations of "factor". T is float or double.
template <class T>
void nmf_convolutive(std::span<const T> v, ConvolutiveFactors<T>& factors, const ConvolutiveOptions& options, RunContext& run);

/// The model's frames of the chosen components: out, [frame][bin], is overwritten.
template <class T>
void convolutive_model(const ConvolutiveFactors<T>& factors, std::span<const bool> chosen, std::span<T> out, ThreadPool& pool);

#define UNBRAID_CONVOLUTIVE(T)                                                                                                        \
  extern template ConvolutiveFactors<T> convolutive_start<T>(std::span<const T>, std::size_t, std::size_t, const ConvolutiveOptions&, \
                                                             std::uint64_t);                                                          \
  extern template void nmf_convolutive<T>(std::span<const T>, ConvolutiveFactors<T>&, const ConvolutiveOptions&, RunContext&);        \
  extern template void convolutive_model<T>(const ConvolutiveFactors<T>&, std::span<const bool>, std::span<T>, ThreadPool&);
UNBRAID_CONVOLUTIVE(float)
UNBRAID_CONVOLUTIVE(double)
#undef UNBRAID_CONVOLUTIVE

}  // namespace unbraid::classic
