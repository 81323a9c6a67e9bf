#pragma once
// What long work is given by its caller: threads to use, somebody to tell, and a way to be stopped.
//
//   ThreadPool pool;
//   RunContext run{pool};
//   Stems stems = separator->process(block, run);

#include "unbraid/core/cancel.hpp"
#include "unbraid/core/progress.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid {

struct RunContext {
  ThreadPool& pool;
  Progress progress = {};
  CancelToken cancel = {};
};

}  // namespace unbraid
