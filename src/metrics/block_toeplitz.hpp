#pragma once
// Symmetric positive (semi)definite block-Toeplitz systems T·X = D: what least-squares filters between several
// signals come down to.
//
//   BlockToeplitz t(first_row, 8, 512);     // 512 × 512 blocks of 8 × 8, from the 512 blocks of the first block row
//   double error = t.solve(d, 8);           // 8 right-hand sides, replaced by the solutions
//
// T is never formed. The generalised Schur algorithm (Kailath, Kung, Morf, "Displacement ranks of matrices and linear
// equations", J. Math. Anal. Appl. 68(2), 1979; in the mixed form that Bojanczyk, Brent, van Dooren and de Hoog, "A
// note on downdating the Cholesky factorization", SIAM J. Sci. Stat. Comput. 8(3), 1987, proved stable) finds the
// Cholesky factor in about p²·L²·p operations for L blocks of size p, L/12 times fewer than Cholesky itself. Iterative
// refinement with products by FFT then brings the residual down to rounding, and the residual is what solve() returns.
//
// A singular T (references that are copies of one another, signals shorter than the filters) has many solutions, of
// which all give the same projection. It is found by factoring T + δI with the smallest δ that works and refining
// against T itself, which converges in the range of T (iterated Tikhonov regularisation).

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "unbraid/dsp/aligned_vector.hpp"

namespace unbraid::metrics {

struct Damping {
  double below = 0.0, ridge = 0.0;  ///< 0: never
};

class BlockToeplitz {
 public:
  /// first_row[m · p² + i · p + j] is entry (i, j) of block (0, m); block (0, 0) is symmetric. Every diagonal entry
  /// must be positive.
  BlockToeplitz(std::span<const double> first_row, std::size_t block_size, std::size_t blocks);

  std::size_t size() const noexcept { return p_ * blocks_; }

  /// Column c of the right-hand sides is rows[c · size() …], entry t · p + i belonging to block row t. Gives the
  /// largest relative residual ‖D − T·X‖ / ‖D‖ of all columns. kInternal when no solution can be found (NaN).
  ///
  /// When T, scaled to a unit diagonal, has eigenvalues below damping.below, T + damping.ridge·I is solved instead (and
  /// its residual given): the solution stays small in directions that T hardly knows.
  double solve(std::span<double> columns, std::size_t count, const Damping& damping = {}) const;

 private:
  bool factor(double ridge, double* rows) const;
  void solve_factored(const double* rows, std::span<double> columns, std::size_t count) const;
  /// residual = d − (T + ridge·I)·x, column by column; the largest ‖residual‖ / ‖d‖.
  double residual(std::span<const double> d, std::span<const double> x, std::span<double> residual, std::size_t count,
                  double ridge = 0.0) const;
  /// Of the scaled T, by inverse iteration; an upper bound that is close enough to tell powers of ten apart.
  double smallest_eigenvalue(const double* rows) const;
  std::size_t row_offset(std::size_t block_row) const noexcept;

  std::size_t p_;
  std::size_t blocks_;
  std::vector<double> scale_;             ///< per row of a block: 1 / √ of T's diagonal
  dsp::AlignedVector<double> first_row_;  ///< [i][m · p + j], scaled to a unit diagonal
  dsp::AlignedVector<double> spectra_;    ///< [i][j][re, im][bin] of the circulant that T is a corner of
};

}  // namespace unbraid::metrics
