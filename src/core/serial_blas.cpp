#include "core/serial_blas.hpp"

#include <cstddef>
#include <mutex>

// Of OpenBLAS; absent from other implementations, which then keep their own rules.
extern "C" {
int openblas_get_num_threads(void) __attribute__((weak));
void openblas_set_num_threads(int) __attribute__((weak));
}

namespace unbraid {

namespace {

std::mutex mutex;
std::size_t users = 0;
int wanted = 0;  ///< when the last user has gone

}  // namespace

void set_blas_threads(int count) {
  if (!openblas_get_num_threads || !openblas_set_num_threads) return;
  const std::lock_guard lock(mutex);
  if (users > 0) wanted = count;
  else if (openblas_get_num_threads() != count) openblas_set_num_threads(count);
}

SerialBlas::SerialBlas() {
  if (!openblas_get_num_threads || !openblas_set_num_threads) return;
  const std::lock_guard lock(mutex);
  if (users++ > 0) return;
  wanted = openblas_get_num_threads();
  if (wanted != 1) openblas_set_num_threads(1);
}

SerialBlas::~SerialBlas() {
  if (!openblas_get_num_threads || !openblas_set_num_threads) return;
  const std::lock_guard lock(mutex);
  if (--users == 0 && wanted != 1) openblas_set_num_threads(wanted);
}

}  // namespace unbraid
