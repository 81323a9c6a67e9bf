#pragma once
// The hyperbolic tangent of a matrix by vector instructions; Eigen's own goes through libm, number by number.
//
//   y = tanh_of(y);
//
// tanh x = 1 − 2/(exp(2x) + 1), within 4e-16 of it. Near 0 that is an absolute error, not one of the last digit.

#include "classic/matrix.hpp"

namespace unbraid::classic {

inline Matrix<double> tanh_of(const Matrix<double>& x) { return 1 - 2 / ((2 * x.array()).exp() + 1); }

}  // namespace unbraid::classic
