#pragma once
// How much memory tensors take at once while something runs on the CPU.
//
//   const std::size_t bytes = peak_allocation([&] { model.forward(block); });
//
// Counts what torch's own allocator gives to this thread, above what was held before; kernels of oneDNN and BLAS have
// some buffers besides.

#include <cstddef>
#include <functional>

namespace unbraid::models {

std::size_t peak_allocation(const std::function<void()>& work);

}  // namespace unbraid::models
