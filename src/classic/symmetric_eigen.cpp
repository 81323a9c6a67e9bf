#include "classic/symmetric_eigen.hpp"

#include <lapacke.h>

#include <algorithm>
#include <vector>

#include "core/serial_blas.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

/// The eigenvalues number first … n, counted from 1, ascending.
Eigenpairs solve_from(Matrix<double>& symmetric, lapack_int first) {
  const SerialBlas serial;
  const auto n = static_cast<lapack_int>(symmetric.rows());
  if (n == 0) return {};
  lapack_int found = 0;
  std::vector<double> values(static_cast<std::size_t>(n));
  Matrix<double> vectors(n - first + 1, n);  // column-major for LAPACK: each vector is a row here
  std::vector<lapack_int> support(2 * static_cast<std::size_t>(n));
  const lapack_int status = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', n, symmetric.data(), n, 0.0, 0.0, first, n, 0.0, &found,
                                           values.data(), vectors.data(), n, support.data());
  if (status != 0) throw Error{ErrorCode::kInternal, "LAPACK found no eigenvalues", "dsyevr"};
  Eigenpairs pairs{Eigen::Map<Eigen::VectorXd>(values.data(), found).reverse(), vectors.topRows(found).colwise().reverse()};
  return pairs;
}

}  // namespace

Eigenpairs greatest_eigenpairs(Matrix<double> symmetric, std::size_t count) {
  const auto n = static_cast<lapack_int>(symmetric.rows());
  const auto wanted = std::min(n, static_cast<lapack_int>(count));
  if (wanted == 0) return {};
  return solve_from(symmetric, n - wanted + 1);
}

Eigenpairs eigenpairs_above(Matrix<double> symmetric, double bound) {
  const auto n = static_cast<lapack_int>(symmetric.rows());
  if (n == 0) return {};
  const SerialBlas serial;
  // Divide and conquer finds all of them, and in less time than bisection takes for a third of them.
  Eigen::VectorXd values(n);
  if (LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', n, symmetric.data(), n, values.data()) != 0)
    throw Error{ErrorCode::kInternal, "LAPACK found no eigenvalues", "dsyevd"};
  Eigen::Index found = 0;
  while (found < n && values(n - 1 - found) > bound) ++found;
  return {values.tail(found).reverse(), symmetric.bottomRows(found).colwise().reverse()};
}

}  // namespace unbraid::classic
