#include "metrics/block_toeplitz.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <limits>

#include "metrics/split_complex.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::metrics {

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Columns = Eigen::Map<Eigen::MatrixXd, 0, Eigen::OuterStride<>>;

constexpr std::size_t kTile = 64;  ///< columns transformed at a time: both generators' tiles stay in L1

/// One elimination: a Householder reflection of the second generator's rows, then a hyperbolic rotation of row q of
/// the first against row 0 of the second.
struct Elimination {
  std::vector<double> v;  ///< I − v·vᵀ, so ‖v‖² = 2 (or v = 0: nothing to reflect)
  double rho;             ///< the rotation's sinh/cosh
  double root;            ///< √(1 − ρ²)
};

/// Applies eliminations to columns [first, last) of both generators.
void eliminate(std::span<const Elimination> steps, std::size_t p, double* a, double* b, std::size_t stride, std::size_t first,
               std::size_t last) {
  std::array<double, kTile> dots;
  const std::size_t count = last - first;
  for (std::size_t q = 0; q < steps.size(); ++q) {
    const Elimination& step = steps[q];
    dots.fill(0.0);
    for (std::size_t i = 0; i < p; ++i) {
      const double* row = b + i * stride + first;
      const double v = step.v[i];
      for (std::size_t c = 0; c < count; ++c) dots[c] += v * row[c];
    }
    for (std::size_t i = 0; i < p; ++i) {
      double* row = b + i * stride + first;
      const double v = step.v[i];
      for (std::size_t c = 0; c < count; ++c) row[c] -= v * dots[c];
    }
    double* __restrict up = a + q * stride + first;
    double* __restrict down = b + first;
    const double inverse_root = 1.0 / step.root;
    for (std::size_t c = 0; c < count; ++c) {
      up[c] = (up[c] - step.rho * down[c]) * inverse_root;
      down[c] = step.root * down[c] - step.rho * up[c];
    }
  }
}

/// The elimination that clears column q of the second generator's leading block; false when T is not positive
/// definite (to working precision).
bool next_elimination(std::size_t q, std::size_t p, const double* a, const double* b, std::size_t stride, Elimination& step) {
  step.v.assign(p, 0.0);
  double norm = 0;
  for (std::size_t i = 0; i < p; ++i) norm = std::hypot(norm, b[i * stride + q]);
  double head = b[q];
  if (norm > 0 && norm != std::abs(head)) {
    const double target = head > 0 ? -norm : norm;
    for (std::size_t i = 0; i < p; ++i) step.v[i] = b[i * stride + q];
    step.v[0] -= target;
    const double factor = 1.0 / std::sqrt(norm * (norm + std::abs(head)));
    for (double& v : step.v) v *= factor;
    head = target;
  }
  step.rho = head / a[q * stride + q];
  const double square = (1 - step.rho) * (1 + step.rho);
  step.root = std::sqrt(square);
  return square > 0;
}

}  // namespace

BlockToeplitz::BlockToeplitz(std::span<const double> first_row, std::size_t block_size, std::size_t blocks)
    : p_(block_size), blocks_(blocks), scale_(p_), first_row_(p_ * p_ * blocks_) {
  // A unit diagonal: loud and quiet signals weigh the same in every test against rounding.
  for (std::size_t i = 0; i < p_; ++i) scale_[i] = 1.0 / std::sqrt(first_row[i * p_ + i]);
  for (std::size_t m = 0; m < blocks_; ++m)
    for (std::size_t i = 0; i < p_; ++i)
      for (std::size_t j = 0; j < p_; ++j) first_row_[i * size() + m * p_ + j] = scale_[i] * scale_[j] * first_row[(m * p_ + i) * p_ + j];

  // (T·x)[t] = Σ_s h[t − s]·x[s] with h[d] = T₍₀,d₎ᵀ and h[−d] = T₍₀,d₎: a circular convolution once 2L − 1 ≤ its length.
  const dsp::RealFft<double> fft(std::bit_ceil(2 * blocks_));
  const std::size_t bins = padded_bins(fft.bins());
  spectra_.resize(p_ * p_ * 2 * bins);
  dsp::AlignedVector<double> time(fft.size());
  dsp::AlignedVector<std::complex<double>> spectrum(fft.bins());
  for (std::size_t i = 0; i < p_; ++i) {
    for (std::size_t j = 0; j < p_; ++j) {
      std::ranges::fill(time, 0.0);
      for (std::size_t m = 0; m < blocks_; ++m) time[m] = first_row_[j * size() + m * p_ + i];
      for (std::size_t m = 1; m < blocks_; ++m) time[fft.size() - m] = first_row_[i * size() + m * p_ + j];
      fft.forward(time, spectrum);
      double* re = spectra_.data() + (i * p_ + j) * 2 * bins;
      split(spectrum, re, re + bins);
    }
  }
}

/// Block row k of the factor holds p rows of size() − k·p columns, from the diagonal on.
std::size_t BlockToeplitz::row_offset(std::size_t k) const noexcept { return k == 0 ? 0 : p_ * (k * size() - p_ * (k * (k - 1) / 2)); }

bool BlockToeplitz::factor(double ridge, double* rows) const {
  const std::size_t n = size();
  // T₀₀ = UᵀU; generators A = U⁻ᵀ·[T₀ T₁ …] and B = U⁻ᵀ·[0 T₁ …], so that T − Z·T·Zᵀ = AᵀA − BᵀB, Z the shift by a block.
  RowMajor generator(p_, n);
  std::copy(first_row_.begin(), first_row_.end(), generator.data());
  generator.leftCols(p_).diagonal().array() += ridge;
  const Eigen::LLT<Eigen::MatrixXd> cholesky(generator.leftCols(p_));
  if (cholesky.info() != Eigen::Success) return false;
  cholesky.matrixL().solveInPlace(generator);
  generator.leftCols(p_).triangularView<Eigen::StrictlyLower>().setZero();
  RowMajor other = generator;
  double* const a = generator.data();
  double* b = other.data();

  std::copy_n(a, p_ * n, rows);
  std::vector<Elimination> steps(p_);
  for (std::size_t k = 1; k < blocks_; ++k) {
    // A shifted right by a block: its last p columns drop out. B's first block is done with.
    const std::size_t length = n - k * p_;
    b += p_;
    for (std::size_t q = 0; q < p_; ++q) {
      if (!next_elimination(q, p_, a, b, n, steps[q])) return false;
      // The leading block has to be up to date before its next column can be cleared.
      for (std::size_t c = q; c < p_; ++c) {
        double dot = 0;
        for (std::size_t i = 0; i < p_; ++i) dot += steps[q].v[i] * b[i * n + c];
        for (std::size_t i = 0; i < p_; ++i) b[i * n + c] -= steps[q].v[i] * dot;
        double& up = a[q * n + c];
        up = (up - steps[q].rho * b[c]) / steps[q].root;
        b[c] = steps[q].root * b[c] - steps[q].rho * up;
      }
    }
    double* const out = rows + row_offset(k);
    for (std::size_t first = p_; first < length; first += kTile) eliminate(steps, p_, a, b, n, first, std::min(first + kTile, length));
    for (std::size_t i = 0; i < p_; ++i) std::copy_n(a + i * n, length, out + i * length);
  }
  return true;
}

void BlockToeplitz::solve_factored(const double* rows, std::span<double> columns, std::size_t count) const {
  const auto n = static_cast<Eigen::Index>(size()), p = static_cast<Eigen::Index>(p_);
  Eigen::Map<Eigen::MatrixXd> x(columns.data(), n, static_cast<Eigen::Index>(count));
  for (std::size_t k = 0; k < blocks_; ++k) {  // Rᵀ·y = d
    const Eigen::Index at = static_cast<Eigen::Index>(k) * p, length = n - at;
    const Eigen::Map<const RowMajor> r(rows + row_offset(k), p, length);
    auto y = x.middleRows(at, p);
    r.leftCols(p).triangularView<Eigen::Upper>().transpose().solveInPlace(y);
    x.bottomRows(length - p).noalias() -= r.rightCols(length - p).transpose() * y;
  }
  for (std::size_t k = blocks_; k-- > 0;) {  // R·x = y
    const Eigen::Index at = static_cast<Eigen::Index>(k) * p, length = n - at;
    const Eigen::Map<const RowMajor> r(rows + row_offset(k), p, length);
    auto y = x.middleRows(at, p);
    y.noalias() -= r.rightCols(length - p) * x.bottomRows(length - p);
    r.leftCols(p).triangularView<Eigen::Upper>().solveInPlace(y);
  }
}

double BlockToeplitz::residual(std::span<const double> d, std::span<const double> x, std::span<double> out, std::size_t count,
                               double ridge) const {
  const std::size_t n = size();
  const dsp::RealFft<double> fft(std::bit_ceil(2 * blocks_));
  const std::size_t bins = padded_bins(fft.bins());
  dsp::AlignedVector<double> time(fft.size()), xs(p_ * 2 * bins), sum(2 * bins);
  dsp::AlignedVector<std::complex<double>> spectrum(fft.bins());
  double largest = 0;
  for (std::size_t c = 0; c < count; ++c) {
    for (std::size_t j = 0; j < p_; ++j) {
      std::ranges::fill(time, 0.0);
      for (std::size_t t = 0; t < blocks_; ++t) time[t] = x[c * n + t * p_ + j];
      fft.forward(time, spectrum);
      split(spectrum, xs.data() + j * 2 * bins, xs.data() + (j * 2 + 1) * bins);
    }
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < p_; ++i) {
      std::ranges::fill(sum, 0.0);
      for (std::size_t j = 0; j < p_; ++j) {
        const double* h = spectra_.data() + (i * p_ + j) * 2 * bins;
        const double* y = xs.data() + j * 2 * bins;
        multiply_add({h, h + bins}, {y, y + bins}, sum.data(), sum.data() + bins, bins);
      }
      join(sum.data(), sum.data() + bins, spectrum);
      fft.inverse(spectrum, time);
      for (std::size_t t = 0; t < blocks_; ++t) {
        const std::size_t at = c * n + t * p_ + i;
        out[at] = d[at] - time[t] - ridge * x[at];
        error += out[at] * out[at];
        norm += d[at] * d[at];
      }
    }
    if (norm > 0) largest = std::max(largest, std::sqrt(error / norm));
    if (std::isnan(error)) return error;
  }
  return largest;
}

double BlockToeplitz::smallest_eigenvalue(const double* rows) const {
  constexpr int kIterations = 8;
  std::vector<double> x(size());
  Rng rng(1);
  for (double& value : x) value = rng.normal();
  double eigenvalue = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kIterations; ++i) {
    double norm = 0;
    for (const double value : x) norm += value * value;
    norm = std::sqrt(norm);
    if (i > 0) eigenvalue = 1 / norm;  // x was T⁻¹ times a unit vector
    if (!(norm > 0) || !std::isfinite(norm)) return 0;
    for (double& value : x) value /= norm;
    solve_factored(rows, x, 1);
  }
  return eigenvalue;
}

double BlockToeplitz::solve(std::span<double> columns, std::size_t count, const Damping& damping) const {
  // Below kExact nothing is left to refine. A factor that does not get to kGood is none of T's: the next ridge is tried.
  constexpr double kExact = 1e-13, kGood = 1e-12, kAcceptable = 1e-8;
  constexpr int kRefinements = 40;
  const std::size_t n = size();
  for (std::size_t c = 0; c < count; ++c)
    for (std::size_t at = 0; at < n; ++at) columns[c * n + at] *= scale_[at % p_];
  const std::vector<double> d(columns.begin(), columns.end());

  const auto rows = std::make_unique_for_overwrite<double[]>(row_offset(blocks_));
  std::vector<double> x(d.size()), correction(d.size());
  double best = std::numeric_limits<double>::infinity();
  const auto refine = [&](double kept_ridge) {  // the system is T + kept_ridge·I, whatever was factored
    std::ranges::fill(x, 0.0);
    correction = d;
    double before = 1.0;
    for (int step = 0; step < kRefinements; ++step) {
      solve_factored(rows.get(), correction, count);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += correction[i];
      const double error = residual(d, x, correction, count, kept_ridge);
      if (error < best) {
        best = error;
        std::ranges::copy(x, columns.begin());
      }
      if (best <= kExact || !(error < 0.5 * before)) break;
      before = error;
    }
  };
  bool factored = factor(0.0, rows.get());
  if (damping.ridge > 0 && (!factored || smallest_eigenvalue(rows.get()) < damping.below)) {
    if (factor(damping.ridge, rows.get())) refine(damping.ridge);
  } else {
    for (const double ridge : {0.0, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9}) {
      if (ridge > 0) factored = factor(ridge, rows.get());
      if (factored) refine(0.0);
      if (best <= kGood) break;
    }
  }
  if (!(best <= kAcceptable)) throw Error{ErrorCode::kInternal, "the filters' normal equations could not be solved"};
  for (std::size_t c = 0; c < count; ++c)
    for (std::size_t at = 0; at < n; ++at) columns[c * n + at] *= scale_[at % p_];
  return best;
}

}  // namespace unbraid::metrics
