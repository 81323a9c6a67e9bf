#pragma once
// Dense matrices for the factorisations: Eigen, row-major as spectrograms are.
//
// Products run on the thread that asks for them and are summed in an order that depends on their sizes only; callers
// cut the work into pieces of fixed size and share them over the pool, so results do not depend on the thread count.

// GCC's own vector intrinsics warn of the uninitialised values that they use on purpose (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Core>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace unbraid::classic {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace unbraid::classic
