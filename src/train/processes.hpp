#pragma once
// The processes that train one model together, each on its share of every batch.
//
//   const std::unique_ptr<Processes> all = join_processes();         // as torchrun or Slurm started them
//   all->average(gradients);                                         // the same everywhere afterwards
//   if (all->rank() == 0) write();
//
// Started alone, the only process is number 0 of 1 and nothing is sent. Otherwise the environment says who is who, as
// torchrun sets it: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT; under Slurm SLURM_PROCID and SLURM_NTASKS stand in for the
// first two. They talk through libtorch's c10d with Gloo, over TCP. Every process must call the same functions in the same
// order.

#include <torch/torch.h>

#include <memory>

namespace unbraid::train {

class Processes {
 public:
  virtual ~Processes() = default;
  int rank() const { return rank_; }
  int count() const { return count_; }

  /// In place: the mean over the processes, of float32 on any device.
  virtual void average(torch::Tensor& values) const = 0;
  /// In place: what process 0 has. Also makes everybody wait for it.
  virtual void share(torch::Tensor& values) const = 0;

 protected:
  Processes(int rank, int count) : rank_(rank), count_(count) {}

 private:
  int rank_, count_;
};

/// Number 0 of 1, whatever the environment says.
std::unique_ptr<Processes> only_process();

/// kUsage for an environment that contradicts itself, kUnsupported when this build has no Gloo, kIo when the others cannot be
/// reached.
std::unique_ptr<Processes> join_processes();

/// Which of the processes on this machine this one is: LOCAL_RANK, or SLURM_LOCALID; 0 when neither is set. kUsage.
int local_rank();

}  // namespace unbraid::train
