#pragma once
// The greatest eigenvalues of a symmetric matrix, over LAPACK.
//
//   const Eigenpairs pairs = greatest_eigenpairs(gram, 30);    // pairs.vectors.row(0) belongs to the greatest

#include <cstddef>

#include "classic/matrix.hpp"

namespace unbraid::classic {

struct Eigenpairs {
  Eigen::VectorXd values;  ///< greatest first
  Matrix<double> vectors;  ///< one row per value, of length 1
};

/// The `count` greatest eigenvalues; fewer when the matrix is smaller. kInternal when LAPACK does not converge.
Eigenpairs greatest_eigenpairs(Matrix<double> symmetric, std::size_t count);

/// All eigenvalues above a bound.
Eigenpairs eigenpairs_above(Matrix<double> symmetric, double bound);

}  // namespace unbraid::classic
