#pragma once
// The processors that networks may use. libtorch shares its loops among threads of OpenMP's, OpenBLAS its matrix products
// among threads of its own, and both are settings of the whole process.

#include <cstdint>
#include <functional>

namespace unbraid::nn {

/// At most so many for whatever is computed from now on.
void use_threads(int count);

/// Calls work(from, to) for parts of [0, count) of `least` or more, side by side where there are threads.
void parallel_for(std::int64_t count, std::int64_t least, const std::function<void(std::int64_t, std::int64_t)>& work);

/// Calls work(first, n) for n ≤ at_once of the rows at a time until all are done, several calls side by side, the operations
/// of each on one thread: no thread waits for another until the end, and what a call makes stays in its processor's cache.
/// Not for work whose gradient is wanted.
void for_rows(std::int64_t rows, std::int64_t at_once, const std::function<void(std::int64_t, std::int64_t)>& work);

}  // namespace unbraid::nn
