#pragma once
// The neural part of the library, opened on first use.
//
//   auto model = catalog::neural_backend().open({.weights = "model.ckpt", .config = "config.yaml"}, {.device = "cpu"});
//
// Where libtorch's BLAS has threads of its own (Debian's OpenBLAS), a program should set the environment variable
// OMP_WAIT_POLICY=passive first, as `unbraid` does: a network takes half the time.

#include "unbraid/separator/neural.hpp"

namespace unbraid::catalog {

/// Opens libunbraid_nn once per process; safe from any thread. kUnsupported, with what to do, when this build has none.
const NeuralBackend& neural_backend();

}  // namespace unbraid::catalog
