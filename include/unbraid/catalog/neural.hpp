#pragma once
// The neural part of the library, opened on first use.
//
//   fmt::print("{}\n", catalog::neural_backend().description());      // "libtorch 1.13.0, CPU"
//
// Where libtorch's BLAS has threads of its own (Debian's OpenBLAS), a program should set the environment variable
// OMP_WAIT_POLICY=passive first, as `unbraid` does: a network takes half the time.

#include "unbraid/separator/neural.hpp"

namespace unbraid::catalog {

/// Opens libunbraid_nn once per process; safe from any thread. kUnsupported, with what to do, when this build has none.
const NeuralBackend& neural_backend();

}  // namespace unbraid::catalog
