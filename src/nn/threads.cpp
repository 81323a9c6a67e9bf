#include "nn/threads.hpp"

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <algorithm>

#ifndef _OPENMP
#error "libtorch's loops are OpenMP's: without it they would run on one thread and say nothing"
#endif

#include "core/serial_blas.hpp"

namespace unbraid::nn {

void use_threads(int count) {
  if (at::get_num_threads() != count) at::set_num_threads(count);
  set_blas_threads(count);
}

void parallel_for(std::int64_t count, std::int64_t least, const std::function<void(std::int64_t, std::int64_t)>& work) {
  at::parallel_for(0, count, least, work);
}

void for_rows(std::int64_t rows, std::int64_t at_once, const std::function<void(std::int64_t, std::int64_t)>& work) {
  const SerialBlas serial;
  const at::ThreadLocalState state;  // no gradients, bfloat16 or not: as here
  const std::int64_t calls = (rows + at_once - 1) / at_once;
  parallel_for(calls, 1, [&](std::int64_t from, std::int64_t to) {
    const at::ThreadLocalStateGuard as_there(state);
    for (std::int64_t i = from; i < to; ++i) work(i * at_once, std::min(at_once, rows - i * at_once));
  });
}

}  // namespace unbraid::nn
