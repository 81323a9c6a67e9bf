#pragma once
// Keeps OpenBLAS on the thread that calls it, for as long as somebody needs that.
//
//   const SerialBlas serial;                    // until the end of the scope
//   cblas_dgemm(…);
//
// Work is shared by the thread pool of RunContext. Threads that the library started beside it would run on processors
// that the caller did not give, and cut sums in another way for every number of them. The number is a setting of the
// whole process: the first one to come sets it to 1, the last one to go puts back what it was.

#include <cstddef>
#include <mutex>

// Of OpenBLAS; absent from other implementations, which then keep their own rules.
extern "C" {
int openblas_get_num_threads(void) __attribute__((weak));
void openblas_set_num_threads(int) __attribute__((weak));
}

namespace unbraid::classic {

class SerialBlas {
 public:
  SerialBlas() {
    const std::lock_guard lock(mutex);
    if (users++ > 0 || !openblas_get_num_threads || !openblas_set_num_threads) return;
    before = openblas_get_num_threads();
    openblas_set_num_threads(1);
  }
  ~SerialBlas() {
    const std::lock_guard lock(mutex);
    if (--users == 0 && before > 0) openblas_set_num_threads(before), before = 0;
  }
  SerialBlas(const SerialBlas&) = delete;
  SerialBlas& operator=(const SerialBlas&) = delete;

 private:
  static inline std::mutex mutex;
  static inline std::size_t users = 0;
  static inline int before = 0;
};

}  // namespace unbraid::classic
