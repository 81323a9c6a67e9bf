#include "unbraid/classic/nmf.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "classic/matrix.hpp"
#include "classic/symmetric_eigen.hpp"
#include "classic/tile_product.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/dsp/aligned_vector.hpp"

namespace unbraid::classic {

using dsp::AlignedVector;

namespace {

constexpr double kSmall = std::numeric_limits<float>::epsilon();  ///< scikit-learn's guard of divisors
constexpr double kZero = std::numeric_limits<double>::epsilon();  ///< and what it takes for 0
constexpr std::size_t kBlock = 64;                                ///< frames whose product is made at a time for the divergence
constexpr std::size_t kSlices = 16;                               ///< partial sums of the divergence
constexpr std::size_t kTileFrames = 48;  ///< a tile of 48 × 64 floats is 12 KiB: it stays in the first-level cache
constexpr std::size_t kTileBins = 64;

template <class T>
using View = Eigen::Map<Matrix<T>>;
template <class T>
using ConstView = Eigen::Map<const Matrix<T>>;

Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

/// Calls body(first frame, frames) for the blocks of slice s of `slices`, one after the other.
template <class Body>
void for_blocks(std::size_t frames, std::size_t slice, std::size_t slices, const Body& body) {
  const std::size_t blocks = (frames + kBlock - 1) / kBlock;
  for (std::size_t b = blocks * slice / slices; b < blocks * (slice + 1) / slices; ++b)
    body(b * kBlock, std::min(kBlock, frames - b * kBlock));
}

/// The spectrogram cut into tiles that lie one behind another, so that a tile is one stretch of memory. What is beyond the
/// last frame or bin is 0.
template <class T>
class TiledSpectrogram {
 public:
  static constexpr std::size_t kSize = kTileFrames * kTileBins;

  TiledSpectrogram(std::span<const T> v, std::size_t frames, std::size_t bins, ThreadPool& pool)
      : across_((bins + kTileBins - 1) / kTileBins), values_((frames + kTileFrames - 1) / kTileFrames * across_ * kSize) {
    pool.parallel_for(
        frames,
        [&](std::size_t m) {
          for (std::size_t k = 0; k < bins; k += kTileBins)
            std::copy_n(&v[m * bins + k], std::min(kTileBins, bins - k), &values_[place(m, k)]);
        },
        kTileFrames);
  }

  /// From this frame on, the bins from this one on that lie in the same tile; kTileBins values per frame.
  const T* tile(std::size_t frame, std::size_t bin) const { return &values_[place(frame, bin)]; }

 private:
  std::size_t place(std::size_t frame, std::size_t bin) const {
    return (frame / kTileFrames * across_ + bin / kTileBins) * kSize + frame % kTileFrames * kTileBins;
  }

  std::size_t across_;
  AlignedVector<T> values_;
};

/// What the model of a tile weighs the tile with. Beta 1 needs the numerator alone, beta 2 no model at all.
template <class T>
struct Weights {
  alignas(64) T numerator[TiledSpectrogram<T>::kSize];    ///< v·P^(β−2) for the product P of the factors
  alignas(64) T denominator[TiledSpectrogram<T>::kSize];  ///< P^(β−1)
};

template <class T>
class Updates {
 public:
  Updates(std::span<const T> v, const NmfFactors<T>& factors, const NmfOptions& options, RunContext& run)
      : frames_(factors.frames),
        bins_(factors.bins),
        components_(factors.components),
        wide_components_(padded<T>(factors.components)),
        wide_bins_(padded<T>(factors.bins)),
        v_(v, frames_, bins_, run.pool),
        activations_(frames_ * wide_components_),
        dictionary_(components_ * wide_bins_),
        turned_(wide_bins_ * wide_components_),
        options_(options),
        run_(run) {
    for (std::size_t m = 0; m < frames_; ++m)
      std::copy_n(&factors.activations[m * components_], components_, &activations_[m * wide_components_]);
    for (std::size_t c = 0; c < components_; ++c) std::copy_n(&factors.dictionary[c * bins_], bins_, &dictionary_[c * wide_bins_]);
    for (std::size_t k = 0; k < bins_; k += kTileBins) turn(k, std::min(kTileBins, bins_ - k));
  }

  void store(NmfFactors<T>& factors) const {
    for (std::size_t m = 0; m < frames_; ++m)
      std::copy_n(&activations_[m * wide_components_], components_, &factors.activations[m * components_]);
    for (std::size_t c = 0; c < components_; ++c) std::copy_n(&dictionary_[c * wide_bins_], bins_, &factors.dictionary[c * bins_]);
  }

  void update_dictionary() {
    const std::size_t fixed = options_.fixed_components;
    if (fixed >= components_) return;
    const std::size_t free = components_ - fixed;
    const double beta = options_.beta;
    const AlignedVector<T> gram = beta == 2 ? gram_of_activations() : AlignedVector<T>();
    std::vector<T> sums(beta == 1 ? components_ : 0);
    if (beta == 1)
      for (std::size_t m = 0; m < frames_; ++m)
        for (std::size_t c = 0; c < components_; ++c) sums[c] += activations_[m * wide_components_ + c];

    run_.pool.parallel_for((bins_ + kTileBins - 1) / kTileBins, [&](std::size_t t) {
      const std::size_t first = t * kTileBins;
      const std::size_t valid = std::min(kTileBins, bins_ - first), width = padded<T>(valid);
      T* const spectra = &dictionary_[first];
      const auto weights = std::make_unique<Weights<T>>();
      AlignedVector<T> numerator(free * kTileBins), denominator(free * kTileBins);
      for (std::size_t m = 0; m < frames_; m += kTileFrames) {
        const std::size_t rows = std::min(kTileFrames, frames_ - m);
        const T* const weighed = weigh(m, rows, first, width, *weights);
        const Strided<T> starts{&activations_[m * wide_components_ + fixed], 1, wide_components_};
        add_product<T>(free, width, rows, starts, weighed, kTileBins, numerator.data(), kTileBins);
        if (beta != 1 && beta != 2)
          add_product<T>(free, width, rows, starts, weights->denominator, kTileBins, denominator.data(), kTileBins);
      }
      if (beta == 2)
        add_product<T>(free, width, components_, {&gram[fixed * wide_components_], wide_components_, 1}, spectra, wide_bins_,
                       denominator.data(), kTileBins);
      if (beta == 1)
        for (std::size_t c = 0; c < free; ++c) std::fill_n(&denominator[c * kTileBins], valid, sums[fixed + c]);
      for (std::size_t c = 0; c < free; ++c)
        multiply(spectra + (fixed + c) * wide_bins_, &numerator[c * kTileBins], &denominator[c * kTileBins], valid, options_.l1_dictionary,
                 options_.l2_dictionary, beta < 1);
      turn(first, valid);
    });
  }

  void update_activations() {
    const double beta = options_.beta;
    std::vector<T> sums(beta == 1 ? wide_components_ : 0);
    if (beta == 1)
      for (std::size_t k = 0; k < bins_; ++k)
        for (std::size_t c = 0; c < wide_components_; ++c) sums[c] += turned_[k * wide_components_ + c];
    AlignedVector<T> gram(beta == 2 ? components_ * wide_components_ : 0);
    if (beta == 2)
      add_product<T>(components_, wide_components_, bins_, {dictionary_.data(), wide_bins_, 1}, turned_.data(), wide_components_,
                     gram.data(), wide_components_);

    run_.pool.parallel_for((frames_ + kTileFrames - 1) / kTileFrames, [&](std::size_t b) {
      const std::size_t m = b * kTileFrames, rows = std::min(kTileFrames, frames_ - m);
      const auto weights = std::make_unique<Weights<T>>();
      AlignedVector<T> numerator(rows * wide_components_), denominator(rows * wide_components_);
      for (std::size_t first = 0; first < bins_; first += kTileBins) {
        const std::size_t valid = std::min(kTileBins, bins_ - first);
        const T* const weighed = weigh(m, rows, first, padded<T>(valid), *weights);
        const T* const spectra = &turned_[first * wide_components_];
        add_product<T>(rows, wide_components_, valid, {weighed, kTileBins, 1}, spectra, wide_components_, numerator.data(),
                       wide_components_);
        if (beta != 1 && beta != 2)
          add_product<T>(rows, wide_components_, valid, {weights->denominator, kTileBins, 1}, spectra, wide_components_, denominator.data(),
                         wide_components_);
      }
      T* const starts = &activations_[m * wide_components_];
      if (beta == 2)
        add_product<T>(rows, wide_components_, components_, {starts, wide_components_, 1}, gram.data(), wide_components_,
                       denominator.data(), wide_components_);
      for (std::size_t r = 0; r < rows; ++r) {
        T* const below = &denominator[r * wide_components_];
        if (beta == 1) std::ranges::copy(sums, below);
        multiply(starts + r * wide_components_, &numerator[r * wide_components_], below, components_, options_.l1_activations,
                 options_.l2_activations, beta <= 1);
      }
    });
  }

 private:
  /// What the numerator of an update sums over the tile of frames m … and bins first …; the denominator goes to weights.
  const T* weigh(std::size_t m, std::size_t rows, std::size_t first, std::size_t width, Weights<T>& weights) const {
    const double beta = options_.beta;
    const T* const v = v_.tile(m, first);
    if (beta == 2) return v;
    T* const numerator = weights.numerator;
    T* const denominator = weights.denominator;
    const T small = static_cast<T>(kSmall);
    const auto product = [&](auto finish) {
      for_product<T>(rows, width, components_, {&activations_[m * wide_components_], wide_components_, 1}, &dictionary_[first], wide_bins_,
                     [finish](std::size_t r, std::size_t k, Lanes<T> p) { finish(r * kTileBins + k, p); });
    };
    if (beta == 1) {
      product([=](std::size_t i, Lanes<T> p) { put(numerator + i, quotient<T>(get(v + i), p > small ? p : Lanes<T>{} + small)); });
    } else if (beta == 0) {
      product([=](std::size_t i, Lanes<T> p) {
        const Lanes<T> inverse = quotient<T>(Lanes<T>{} + 1, p > small ? p : Lanes<T>{} + small);
        put(denominator + i, inverse);
        put(numerator + i, get(v + i) * inverse * inverse);
      });
    } else {
      product([=](std::size_t i, Lanes<T> p) {
        for (std::size_t j = 0; j < lanes<T>; ++j) {
          const T guarded = std::max(p[j], small);
          numerator[i + j] = v[i + j] * std::pow(beta < 2 ? guarded : p[j], static_cast<T>(beta - 2));
          denominator[i + j] = std::pow(beta < 1 ? guarded : p[j], static_cast<T>(beta - 1));
        }
      });
    }
    return weights.numerator;
  }

  /// Copies some bins of the dictionary to its transposition.
  void turn(std::size_t first, std::size_t count) {
    for (std::size_t k = first; k < first + count; ++k)
      for (std::size_t c = 0; c < components_; ++c) turned_[k * wide_components_ + c] = dictionary_[c * wide_bins_ + k];
  }

  AlignedVector<T> gram_of_activations() const {
    constexpr std::size_t kRows = 12;
    AlignedVector<T> gram(components_ * wide_components_);
    run_.pool.parallel_for((components_ + kRows - 1) / kRows, [&](std::size_t b) {
      const std::size_t c = b * kRows;
      add_product<T>(std::min(kRows, components_ - c), wide_components_, frames_, {&activations_[c], 1, wide_components_},
                     activations_.data(), wide_components_, &gram[c * wide_components_], wide_components_);
    });
    return gram;
  }

  /// factor *= (numerator / denominator)^γ, with the penalties and guards.
  void multiply(T* factor, const T* numerator, T* denominator, std::size_t count, double l1, double l2, bool zeroes) const {
    const double beta = options_.beta;
    const double gamma = beta < 1 ? 1 / (2 - beta) : beta > 2 ? 1 / (beta - 1) : 1;
    if (l1 > 0 || l2 > 0)
      for (std::size_t i = 0; i < count; ++i) denominator[i] += static_cast<T>(l1) + static_cast<T>(l2) * factor[i];
    const T small = static_cast<T>(kSmall), least = zeroes ? static_cast<T>(kZero) : T{0};
    const auto update = [&](const auto& power) {
      for (std::size_t i = 0; i < count; ++i) {
        const T updated = factor[i] * power(numerator[i] / (denominator[i] == 0 ? small : denominator[i]));
        factor[i] = updated < least ? T{0} : updated;
      }
    };
    if (gamma == 1) update([](T ratio) { return ratio; });
    else update([&](T ratio) { return std::pow(ratio, static_cast<T>(gamma)); });
  }

  std::size_t frames_, bins_, components_;
  std::size_t wide_components_, wide_bins_;  ///< rounded up to whole vectors; what is beyond stays 0
  TiledSpectrogram<T> v_;
  AlignedVector<T> activations_;  ///< [frame][wide component]
  AlignedVector<T> dictionary_;   ///< [component][wide bin]
  AlignedVector<T> turned_;       ///< [wide bin][wide component]: the dictionary, transposed
  const NmfOptions& options_;
  RunContext& run_;
};

/// d_β(v | p), summed over a block. Terms with v = 0 follow the limit.
template <class T>
double divergence(const Eigen::Ref<const Matrix<T>>& v, const Matrix<T>& product, double beta) {
  double sum = 0;
  for (Eigen::Index i = 0; i < v.rows(); ++i)
    for (Eigen::Index j = 0; j < v.cols(); ++j) {
      const double x = v(i, j), p = product(i, j);
      if (beta == 2) {
        sum += (x - p) * (x - p) / 2;
        continue;
      }
      const double guarded = std::max(p, kSmall);
      if (beta == 1) sum += (x > kSmall ? x * std::log(x / guarded) : 0) - x + p;
      else if (beta == 0) sum += x / guarded - std::log(x / guarded) - 1;
      else sum += (std::pow(x, beta) - beta * x * std::pow(guarded, beta - 1) + (beta - 1) * std::pow(guarded, beta)) / (beta * (beta - 1));
    }
  return sum;
}

template <class T>
void check_shapes(std::span<const T> v, const NmfFactors<T>& factors) {
  if (v.size() != factors.frames * factors.bins || factors.activations.size() != factors.frames * factors.components ||
      factors.dictionary.size() != factors.components * factors.bins)
    throw Error{ErrorCode::kUsage, "the spectrogram and its factors have different shapes", "nmf"};
}

template <class T>
double mean(std::span<const T> v) {
  double sum = 0;
  for (const T x : v) sum += x;
  return v.empty() ? 0 : sum / static_cast<double>(v.size());
}

}  // namespace

void NmfOptions::validate() const {
  const auto require = [](bool holds, const char* message, const char* option) {
    if (!holds) throw Error{ErrorCode::kUsage, message, option};
  };
  require(components >= 1, "must be at least 1", "components");
  require(std::isfinite(beta), "must be finite", "beta");
  require(tolerance >= 0, "must not be negative", "tolerance");
  require(l1_dictionary >= 0 && l2_dictionary >= 0 && l1_activations >= 0 && l2_activations >= 0, "a penalty must not be negative",
          "l1, l2");
}

template <class T>
std::size_t nmf(std::span<const T> v, NmfFactors<T>& factors, const NmfOptions& options, RunContext& run) {
  options.validate();
  check_shapes(v, factors);
  if (options.beta <= 0 && std::ranges::any_of(v, [](T x) { return !(x > 0); }))
    throw Error{ErrorCode::kUsage, "a divergence with beta ≤ 0 is infinite at zeros: add a little noise", "beta"};
  Updates<T> updates(v, factors, options, run);
  const bool stops = options.tolerance > 0;
  const double start = stops ? nmf_divergence(v, factors, options.beta, run.pool) : 0;
  double last = start;
  std::size_t iteration = 0;
  run.progress.start("factor", options.iterations, "iterations");
  while (iteration < options.iterations) {
    run.cancel.check();
    updates.update_dictionary();
    updates.update_activations();
    ++iteration;
    run.progress.advance(1);
    if (!stops || iteration % 10 != 0) continue;
    updates.store(factors);
    const double now = nmf_divergence(v, factors, options.beta, run.pool);
    if (last - now < options.tolerance * start) break;
    last = now;
  }
  updates.store(factors);
  return iteration;
}

template <class T>
double nmf_divergence(std::span<const T> v, const NmfFactors<T>& factors, double beta, ThreadPool& pool) {
  check_shapes(v, factors);
  const ConstView<T> all(v.data(), index(factors.frames), index(factors.bins));
  const ConstView<T> activations(factors.activations.data(), index(factors.frames), index(factors.components));
  const ConstView<T> dictionary(factors.dictionary.data(), index(factors.components), index(factors.bins));
  std::vector<double> sums(kSlices);
  pool.parallel_for(kSlices, [&](std::size_t slice) {
    Matrix<T> product;
    for_blocks(factors.frames, slice, kSlices, [&](std::size_t first, std::size_t count) {
      product.noalias() = activations.middleRows(index(first), index(count)) * dictionary;
      sums[slice] += divergence<T>(all.middleRows(index(first), index(count)), product, beta);
    });
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

template <class T>
NmfFactors<T> nmf_random_start(std::span<const T> v, std::size_t frames, std::size_t bins, std::size_t components, std::uint64_t seed) {
  NmfFactors<T> factors{frames, bins, components, std::vector<T>(frames * components), std::vector<T>(components * bins)};
  const double scale = std::sqrt(mean(v) / static_cast<double>(components));
  Rng activations(seed, 0), dictionary(seed, 1);
  for (T& x : factors.activations) x = static_cast<T>(scale * std::abs(activations.normal()));
  for (T& x : factors.dictionary) x = static_cast<T>(scale * std::abs(dictionary.normal()));
  return factors;
}

template <class T>
NmfFactors<T> nmf_nndsvd_start(std::span<const T> v, std::size_t frames, std::size_t bins, std::size_t components) {
  if (components > std::min(frames, bins))
    throw Error{ErrorCode::kUsage, "more components than the spectrogram has frames or bins", "components"};
  NmfFactors<T> factors{frames, bins, components, std::vector<T>(frames * components), std::vector<T>(components * bins)};
  // v = U S Vᵀ: the columns of V are the eigenvectors of vᵀv, those of U·S follow by multiplication.
  const Matrix<double> all = ConstView<T>(v.data(), index(frames), index(bins)).template cast<double>();
  const Eigenpairs pairs = greatest_eigenpairs(all.transpose() * all, components);
  const Matrix<double> scaled_left = all * pairs.vectors.transpose();
  View<T> activations(factors.activations.data(), index(frames), index(components));
  View<T> dictionary(factors.dictionary.data(), index(components), index(bins));
  for (Eigen::Index k = 0; k < index(components); ++k) {
    const double value = std::sqrt(std::max(0.0, pairs.values(k)));
    if (value == 0) continue;
    const Eigen::VectorXd right = pairs.vectors.row(k).transpose();
    const Eigen::VectorXd left = scaled_left.col(k) / value;
    // Of the positive and the negative parts, the pair with the greater product; the first vectors have one sign.
    const Eigen::VectorXd left_parts[] = {left.cwiseMax(0), (-left).cwiseMax(0)};
    const Eigen::VectorXd right_parts[] = {right.cwiseMax(0), (-right).cwiseMax(0)};
    const double products[] = {left_parts[0].norm() * right_parts[0].norm(), left_parts[1].norm() * right_parts[1].norm()};
    const int sign = products[0] > products[1] ? 0 : 1;
    if (products[sign] == 0) continue;
    const double scale = std::sqrt(value * products[sign]);
    activations.col(k) = (left_parts[sign] * (scale / left_parts[sign].norm())).template cast<T>();
    dictionary.row(k) = (right_parts[sign] * (scale / right_parts[sign].norm())).transpose().template cast<T>();
  }
  const auto fill = static_cast<T>(mean(v));
  for (std::vector<T>* factor : {&factors.activations, &factors.dictionary})
    for (T& x : *factor)
      if (x < static_cast<T>(1e-6)) x = fill;  // scikit-learn's threshold of zero
  return factors;
}

#define UNBRAID_NMF(T)                                                                                                  \
  template std::size_t nmf<T>(std::span<const T>, NmfFactors<T>&, const NmfOptions&, RunContext&);                      \
  template double nmf_divergence<T>(std::span<const T>, const NmfFactors<T>&, double, ThreadPool&);                     \
  template NmfFactors<T> nmf_random_start<T>(std::span<const T>, std::size_t, std::size_t, std::size_t, std::uint64_t); \
  template NmfFactors<T> nmf_nndsvd_start<T>(std::span<const T>, std::size_t, std::size_t, std::size_t);
UNBRAID_NMF(float)
UNBRAID_NMF(double)
#undef UNBRAID_NMF

}  // namespace unbraid::classic
