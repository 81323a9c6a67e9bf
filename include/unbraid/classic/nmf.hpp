#pragma once
// Non-negative matrix factorisation: a spectrogram as a few spectra (the dictionary) times their activations.
//
//   classic::NmfOptions options{.components = 30, .beta = 1, .iterations = 200};
//   auto factors = classic::nmf_random_start<float>(v, frames, bins, options.components, seed);
//   classic::nmf(v, factors, options, run);                        // v ≈ activations · dictionary
//
// Multiplicative updates for the beta divergence (2: Euclidean, 1: Kullback-Leibler, 0: Itakura-Saito, or any other):
// Févotte, Idier, "Algorithms for nonnegative matrix factorization with the β-divergence", Neural Computation 23(9),
// 2011, eq. 3.22 with the exponent of eq. 4.21 that makes every step a descent. Each iteration updates the dictionary,
// then the activations. Penalties: l1·Σx + l2/2·Σx². Supervised: keep the dictionary; semi-supervised: keep the first
// components of it. Starts: random, or NNDSVD (Boutsidis, Gallopoulos, "SVD based initialization: a head start for
// nonnegative matrix factorization", Pattern Recognition 41(4), 2008).
//
// Equals scikit-learn's solver "mu" for a given start, with its guards: products below 1.2e-7 count as that where
// they are divided by, a zero denominator as well; for beta < 1 (activations: ≤ 1) factors below 2.2e-16 become 0.
//
// Cost per iteration: 8·frames·bins·components flops (Euclidean: half), in tiles of frames and bins whose product,
// ratio and part of the update stay in the first-level cache (tile_product.hpp): a copy of the spectrogram, cut into those
// tiles, is read twice and no other array of its size exists. Sums run in an order of their own: results do not depend on
// the number of threads.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unbraid/core/run_context.hpp"

namespace unbraid::classic {

template <class T>
struct NmfFactors {
  std::size_t frames = 0, bins = 0, components = 0;
  std::vector<T> activations;  ///< [frame][component]
  std::vector<T> dictionary;   ///< [component][bin]
};

struct NmfOptions {
  std::size_t components = 30;
  double beta = 1;
  std::size_t iterations = 200;
  double tolerance = 0;  ///< stops when ten iterations lower the divergence by less than this share of the first; 0: never
  double l1_dictionary = 0, l2_dictionary = 0;
  double l1_activations = 0, l2_activations = 0;
  std::size_t fixed_components = 0;  ///< the first so many rows of the dictionary are kept

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// Runs the updates on v, [frame][bin], ≥ 0, from the given start; returns the iterations done. kUsage when shapes do
/// not agree, or when beta ≤ 0 and v holds a zero (the divergence is infinite there). run.progress counts iterations
/// of "factor". T is float or double.
template <class T>
std::size_t nmf(std::span<const T> v, NmfFactors<T>& factors, const NmfOptions& options, RunContext& run);

/// The divergence of v from the product: Σ d_β; half the squared error for beta 2.
template <class T>
double nmf_divergence(std::span<const T> v, const NmfFactors<T>& factors, double beta, ThreadPool& pool);

/// |normal| · √(mean of v / components), as scikit-learn scales it.
template <class T>
NmfFactors<T> nmf_random_start(std::span<const T> v, std::size_t frames, std::size_t bins, std::size_t components, std::uint64_t seed);

/// Deterministic: from the first singular vectors of v; zeros are filled with the mean of v, since a multiplicative
/// update cannot leave 0 (scikit-learn's "nndsvda"). components ≤ min(frames, bins); kUsage otherwise.
template <class T>
NmfFactors<T> nmf_nndsvd_start(std::span<const T> v, std::size_t frames, std::size_t bins, std::size_t components);

#define UNBRAID_NMF(T)                                                                                                         \
  extern template std::size_t nmf<T>(std::span<const T>, NmfFactors<T>&, const NmfOptions&, RunContext&);                      \
  extern template double nmf_divergence<T>(std::span<const T>, const NmfFactors<T>&, double, ThreadPool&);                     \
  extern template NmfFactors<T> nmf_random_start<T>(std::span<const T>, std::size_t, std::size_t, std::size_t, std::uint64_t); \
  extern template NmfFactors<T> nmf_nndsvd_start<T>(std::span<const T>, std::size_t, std::size_t, std::size_t);
UNBRAID_NMF(float)
UNBRAID_NMF(double)
#undef UNBRAID_NMF

}  // namespace unbraid::classic
