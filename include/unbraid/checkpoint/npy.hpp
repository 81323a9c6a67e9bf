#pragma once
// NumPy's .npy arrays (format 1.0 to 3.0).
//
//   checkpoint::Tensor x = checkpoint::load_npy("input.npy");      // [channels, frames]
//
// Booleans, integers, float16, float32 and float64 in C order, little-endian; kUnsupported for others, kFormat for a
// damaged file. The tensor points into the mapped file.

#include <filesystem>

#include "unbraid/checkpoint/tensor.hpp"

namespace unbraid::checkpoint {

Tensor load_npy(const std::filesystem::path& path);

}  // namespace unbraid::checkpoint
