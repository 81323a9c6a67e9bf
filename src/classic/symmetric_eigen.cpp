#include "classic/symmetric_eigen.hpp"

#include <lapacke.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

/// range 'I': the eigenvalues number first … n (counted from 1, ascending); 'V': those in (bound, ∞).
Eigenpairs solve(Matrix<double>& symmetric, char range, lapack_int first, double bound) {
  const auto n = static_cast<lapack_int>(symmetric.rows());
  if (n == 0) return {};
  lapack_int found = 0;
  std::vector<double> values(static_cast<std::size_t>(n));
  const lapack_int most = range == 'I' ? n - first + 1 : n;
  Matrix<double> vectors(most, n);  // column-major for LAPACK: each vector is a row here
  std::vector<lapack_int> support(2 * static_cast<std::size_t>(n));
  const lapack_int status =
      LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', range, 'L', n, symmetric.data(), n, bound,
                     std::numeric_limits<double>::max(), first, n, 0.0, &found, values.data(), vectors.data(), n,
                     support.data());
  if (status != 0) throw Error{ErrorCode::kInternal, "LAPACK found no eigenvalues", "dsyevr"};
  Eigenpairs pairs{Eigen::Map<Eigen::VectorXd>(values.data(), found).reverse(),
                   vectors.topRows(found).colwise().reverse()};
  return pairs;
}

}  // namespace

Eigenpairs greatest_eigenpairs(Matrix<double> symmetric, std::size_t count) {
  const auto n = static_cast<lapack_int>(symmetric.rows());
  const auto wanted = std::min(n, static_cast<lapack_int>(count));
  if (wanted == 0) return {};
  return solve(symmetric, 'I', n - wanted + 1, 0.0);
}

Eigenpairs eigenpairs_above(Matrix<double> symmetric, double bound) { return solve(symmetric, 'V', 1, bound); }

}  // namespace unbraid::classic
