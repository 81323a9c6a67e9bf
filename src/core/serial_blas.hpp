#pragma once
// How many threads OpenBLAS uses, which is a setting of the whole process.
//
//   const SerialBlas serial;                    // until the end of the scope: on the thread that calls it
//   cblas_dgemm(…);
//
// Work is shared by the thread pool of RunContext, or by libtorch's. Threads that the library started beside it would run
// on processors that the caller did not give, and cut sums in another way for every number of them.

namespace unbraid {

/// Of other implementations than OpenBLAS the number stays as it is.
void set_blas_threads(int count);

/// The first one to come sets the number to 1, the last one to go puts back what it was.
class SerialBlas {
 public:
  SerialBlas();
  ~SerialBlas();
  SerialBlas(const SerialBlas&) = delete;
  SerialBlas& operator=(const SerialBlas&) = delete;
};

}  // namespace unbraid
