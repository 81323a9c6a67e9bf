#pragma once
// A fixed set of threads for data-parallel loops.
//
//   ThreadPool pool(4);
//   pool.parallel_for(frames, [&](std::size_t frame) { transform(frame); });
//
// Results must not depend on which thread runs an index: write only what belongs to that index. Then every output is
// the same for every thread count. A parallel_for inside a parallel_for runs inline. The first exception thrown by a
// body stops the loop and is rethrown to the caller.

#include <cstddef>
#include <functional>
#include <memory>

namespace unbraid {

class ThreadPool {
 public:
  /// threads: 0 means as many as this process may use (its CPU affinity). The caller is one of them. kResource when so many
  /// cannot be started.
  explicit ThreadPool(std::size_t threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t threads() const noexcept;

  /// Calls body(i) once for every i in [0, count), in any order; returns when all are done. `grain` consecutive
  /// indices go to one thread at a time.
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body, std::size_t grain = 1);

  /// As parallel_for, with body(first, last) for the half-open range of a grain: for loops with scratch memory.
  void parallel_ranges(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)>& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unbraid
