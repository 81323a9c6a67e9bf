#pragma once
// One direction of one LSTM layer over one sequence, for inference: the recurrence alone, after the inputs' products.
//
//   i, f, o = σ(a + W h), g = tanh(a + W h),   c ← f ⊙ c + i ⊙ g,   h ← o ⊙ tanh(c)       (Hochreiter, Schmidhuber 1997;
//   Gers et al. 2000), a = W_in x + b_in + b_rec given; gates in torch's order i, f, g, o
//
// A framework spends a dozen calls on each step of a few thousand products; here a step is one pass over weights that are
// laid out in the order of use.

#include <cstddef>
#include <vector>

namespace unbraid::nn {

class LstmKernel {
 public:
  /// recurrent: [4·hidden][hidden], row-major.
  LstmKernel(const float* recurrent, std::size_t hidden);

  /// inputs: a, [steps] rows of 4·hidden. outputs: [steps] rows of hidden, `stride` floats apart. Starts from zeros; with
  /// backward from the last step to the first. May run concurrently.
  void run(const float* inputs, std::size_t steps, bool backward, float* outputs, std::size_t stride) const;

 private:
  std::size_t hidden_, tiles_;
  std::vector<float> weights_;  ///< [tile][hidden][kTile]
};

}  // namespace unbraid::nn
