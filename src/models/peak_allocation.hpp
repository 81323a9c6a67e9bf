#pragma once
// How much memory tensors take at once while something runs on the CPU.
//
//   const std::size_t bytes = peak_allocation([&] { model.forward(block); });
//   limit_allocation(1 << 30, [&] { model = make_model(family, config); });      // a configuration may claim any size
//
// Counts what torch's own allocator gives to this thread, above what was held before; kernels of oneDNN and BLAS have
// some buffers besides.

#include <cstddef>
#include <functional>

namespace unbraid::models {

std::size_t peak_allocation(const std::function<void()>& work);

/// kFormat, from inside the work, as soon as its tensors would take more than so many bytes at once. Every tensor counts as at
/// least a kilobyte, which is what a module around it takes.
void limit_allocation(std::size_t bytes, const std::function<void()>& work);

}  // namespace unbraid::models
