#include "unbraid/classic/nmf.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "classic/matrix.hpp"
#include "classic/symmetric_eigen.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::classic {

namespace {

constexpr double kSmall = std::numeric_limits<float>::epsilon();   ///< scikit-learn's guard of divisors
constexpr double kZero = std::numeric_limits<double>::epsilon();   ///< and what it takes for 0
constexpr std::size_t kBlock = 64;    ///< frames whose product is made at a time: 64·1025 floats are 256 KiB
constexpr std::size_t kSlices = 16;   ///< partial sums of the dictionary's update

template <class T>
using View = Eigen::Map<Matrix<T>>;
template <class T>
using ConstView = Eigen::Map<const Matrix<T>>;

Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

/// Calls body(block of v, block of activations) for the frames of slice s of `slices`, block after block.
template <class Body>
void for_blocks(std::size_t frames, std::size_t slice, std::size_t slices, const Body& body) {
  const std::size_t blocks = (frames + kBlock - 1) / kBlock;
  for (std::size_t b = blocks * slice / slices; b < blocks * (slice + 1) / slices; ++b)
    body(b * kBlock, std::min(kBlock, frames - b * kBlock));
}

/// From the product P of a block: what v is compared with in the numerator, v·P^(β−2), and in the denominator, P^(β−1).
template <class T>
void ratios(const Eigen::Ref<const Matrix<T>>& v, double beta, Matrix<T>& product, Matrix<T>& numerator) {
  const auto guarded = product.array().max(static_cast<T>(kSmall));
  if (beta == 1) {
    numerator = v.array() / guarded;
    return;  // the denominator is a sum of the other factor alone
  }
  if (beta == 0) {
    product = guarded.inverse();
    numerator = v.array() * product.array().square();
    return;
  }
  if (beta < 2)
    numerator = v.array() * guarded.pow(static_cast<T>(beta - 2));
  else
    numerator = v.array() * product.array().pow(static_cast<T>(beta - 2));
  if (beta < 1)
    product = guarded.pow(static_cast<T>(beta - 1)).eval();
  else
    product = product.array().pow(static_cast<T>(beta - 1)).eval();
}

/// factor *= (numerator / denominator)^γ, with the penalties and guards.
template <class Factor, class Numerator, class Denominator>
void multiply(Factor&& factor, const Numerator& numerator, const Denominator& denominator, double l1, double l2,
              double beta, bool zeroes) {
  using T = typename std::decay_t<Factor>::Scalar;
  const double gamma = beta < 1 ? 1 / (2 - beta) : beta > 2 ? 1 / (beta - 1) : 1;
  for (Eigen::Index r = 0; r < factor.rows(); ++r)
    for (Eigen::Index c = 0; c < factor.cols(); ++c) {
      T below = denominator(r, c);
      if (l1 > 0) below += static_cast<T>(l1);
      if (l2 > 0) below += static_cast<T>(l2) * factor(r, c);
      if (below == 0) below = static_cast<T>(kSmall);
      T ratio = numerator(r, c) / below;
      if (gamma != 1) ratio = std::pow(ratio, static_cast<T>(gamma));
      const T updated = factor(r, c) * ratio;
      factor(r, c) = zeroes && updated < static_cast<T>(kZero) ? T{0} : updated;
    }
}

template <class T>
class Updates {
 public:
  Updates(std::span<const T> v, const NmfFactors<T>& factors, const NmfOptions& options, RunContext& run)
      : v_(v.data(), index(factors.frames), index(factors.bins)),
        activations_(ConstView<T>(factors.activations.data(), index(factors.frames), index(factors.components))),
        dictionary_(ConstView<T>(factors.dictionary.data(), index(factors.components), index(factors.bins))),
        frames_(factors.frames),
        options_(options),
        run_(run) {}

  void store(NmfFactors<T>& factors) const {
    std::copy_n(activations_.data(), activations_.size(), factors.activations.begin());
    std::copy_n(dictionary_.data(), dictionary_.size(), factors.dictionary.begin());
  }

  void update_dictionary() {
    const Eigen::Index fixed = index(options_.fixed_components);
    if (fixed >= dictionary_.rows()) return;
    const double beta = options_.beta;
    std::vector<Matrix<T>> numerators(kSlices), denominators(kSlices);
    run_.pool.parallel_for(kSlices, [&](std::size_t slice) {
      Matrix<T> numerator = Matrix<T>::Zero(dictionary_.rows(), dictionary_.cols());
      Matrix<T> denominator;
      if (beta == 2)
        denominator = Matrix<T>::Zero(dictionary_.rows(), dictionary_.rows());
      else if (beta != 1)
        denominator = Matrix<T>::Zero(dictionary_.rows(), dictionary_.cols());
      Matrix<T> product, ratio;
      for_blocks(frames_, slice, kSlices, [&](std::size_t first, std::size_t count) {
        const auto v = v_.middleRows(index(first), index(count));
        const auto a = activations_.middleRows(index(first), index(count));
        if (beta == 2) {
          numerator.noalias() += a.transpose() * v;
          denominator.noalias() += a.transpose() * a;
          return;
        }
        product.noalias() = a * dictionary_;
        ratios<T>(v, beta, product, ratio);
        numerator.noalias() += a.transpose() * ratio;
        if (beta != 1) denominator.noalias() += a.transpose() * product;
      });
      numerators[slice] = std::move(numerator);
      denominators[slice] = std::move(denominator);
    });
    for (std::size_t slice = 1; slice < kSlices; ++slice) {
      numerators[0] += numerators[slice];
      denominators[0] += denominators[slice];
    }
    Matrix<T> denominator;
    if (beta == 2)
      denominator.noalias() = denominators[0] * dictionary_;
    else if (beta == 1)
      denominator = activations_.colwise().sum().transpose().replicate(1, dictionary_.cols());
    else
      denominator = std::move(denominators[0]);
    const Eigen::Index free = dictionary_.rows() - fixed;
    multiply(dictionary_.bottomRows(free), numerators[0].bottomRows(free), denominator.bottomRows(free),
             options_.l1_dictionary, options_.l2_dictionary, beta, beta < 1);
  }

  void update_activations() {
    const double beta = options_.beta;
    Matrix<T> gram;
    if (beta == 2) gram.noalias() = dictionary_ * dictionary_.transpose();
    const Eigen::Matrix<T, 1, Eigen::Dynamic> sums = dictionary_.rowwise().sum().transpose();
    run_.pool.parallel_for(kSlices, [&](std::size_t slice) {
      Matrix<T> product, ratio, numerator, denominator;
      for_blocks(frames_, slice, kSlices, [&](std::size_t first, std::size_t count) {
        const auto v = v_.middleRows(index(first), index(count));
        auto a = activations_.middleRows(index(first), index(count));
        if (beta == 2) {
          numerator.noalias() = v * dictionary_.transpose();
          denominator.noalias() = a * gram;
        } else {
          product.noalias() = a * dictionary_;
          ratios<T>(v, beta, product, ratio);
          numerator.noalias() = ratio * dictionary_.transpose();
          if (beta == 1)
            denominator = sums.replicate(a.rows(), 1);
          else
            denominator.noalias() = product * dictionary_.transpose();
        }
        multiply(a, numerator, denominator, options_.l1_activations, options_.l2_activations, beta, beta <= 1);
      });
    });
  }

 private:
  ConstView<T> v_;
  Matrix<T> activations_, dictionary_;  ///< copies: Eigen's sums depend on the alignment, which is fixed in its own memory
  std::size_t frames_;
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
      if (beta == 1)
        sum += (x > kSmall ? x * std::log(x / guarded) : 0) - x + p;
      else if (beta == 0)
        sum += x / guarded - std::log(x / guarded) - 1;
      else
        sum += (std::pow(x, beta) - beta * x * std::pow(guarded, beta - 1) + (beta - 1) * std::pow(guarded, beta)) /
               (beta * (beta - 1));
    }
  return sum;
}

template <class T>
void check_shapes(std::span<const T> v, const NmfFactors<T>& factors) {
  if (v.size() != factors.frames * factors.bins ||
      factors.activations.size() != factors.frames * factors.components ||
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
  require(l1_dictionary >= 0 && l2_dictionary >= 0 && l1_activations >= 0 && l2_activations >= 0,
          "a penalty must not be negative", "l1, l2");
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
  while (iteration < options.iterations) {
    run.cancel.check();
    updates.update_dictionary();
    updates.update_activations();
    ++iteration;
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
NmfFactors<T> nmf_random_start(std::span<const T> v, std::size_t frames, std::size_t bins, std::size_t components,
                               std::uint64_t seed) {
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
    const double products[] = {left_parts[0].norm() * right_parts[0].norm(),
                               left_parts[1].norm() * right_parts[1].norm()};
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

#define UNBRAID_NMF(T)                                                                                       \
  template std::size_t nmf<T>(std::span<const T>, NmfFactors<T>&, const NmfOptions&, RunContext&);           \
  template double nmf_divergence<T>(std::span<const T>, const NmfFactors<T>&, double, ThreadPool&);          \
  template NmfFactors<T> nmf_random_start<T>(std::span<const T>, std::size_t, std::size_t, std::size_t,      \
                                             std::uint64_t);                                                 \
  template NmfFactors<T> nmf_nndsvd_start<T>(std::span<const T>, std::size_t, std::size_t, std::size_t);
UNBRAID_NMF(float)
UNBRAID_NMF(double)
#undef UNBRAID_NMF

}  // namespace unbraid::classic
