#include "unbraid/catalog/neural.hpp"

#include "unbraid/core/plugin.hpp"

namespace unbraid::catalog {

const NeuralBackend& neural_backend() {
  static const NeuralBackend* const backend = plugin_function<const NeuralBackend*()>("nn", "unbraid_nn")();
  return *backend;
}

}  // namespace unbraid::catalog
