#pragma once
// One direction of one LSTM layer: the recurrence alone, after the inputs' products and before the weights' gradients.
//
//   i, f, o = σ(a + W h), g = tanh(a + W h),   c ← f ⊙ c + i ⊙ g,   h ← o ⊙ tanh(c)       (Hochreiter, Schmidhuber 1997;
//   Gers et al. 2000), a = W_in x + b_in + b_rec given; gates in torch's order i, f, g, o
//
// A framework spends a dozen calls on each step of a few thousand products; here a step is one product with weights laid
// out in the order of use and one pass over its values. Rows (the items of a batch) are independent: callers give each
// thread some of them, and no result depends on how they were divided.

#include <cstddef>
#include <vector>

namespace unbraid::nn {

/// B for many products a · B with few rows a.
class PackedMatrix {
 public:
  /// B[k][j] = values[k·inner_stride + j·column_stride].
  PackedMatrix(const float* values, std::size_t inner, std::size_t columns, std::size_t inner_stride, std::size_t column_stride);

  /// columns, filled up: what rows of the result must have room for.
  std::size_t padded_columns() const { return tiles_ * kTile; }
  /// c[r] += a[r] · B; rows a are a_stride floats apart, rows c padded_columns().
  void add_product(const float* a, std::size_t a_stride, std::size_t rows, float* c) const;

 private:
  static constexpr std::size_t kTile = 64;  // columns that are summed together
  std::size_t inner_, tiles_;
  std::vector<float> values_;  ///< [tile][inner][kTile]
};

/// Values of every step and row: those of step t, row r begin at data + t·step + r·row.
struct Sequence {
  float* data = nullptr;
  std::size_t step = 0, row = 0;
  float* at(std::size_t t, std::size_t r) const { return data + t * step + r * row; }
};

class LstmKernel {
 public:
  /// recurrent: W, [4·hidden][hidden], row-major.
  LstmKernel(const float* recurrent, std::size_t hidden);

  /// gates: a, 4·hidden values each; outputs: h, hidden values each. Starts from zeros; with backward from the last step
  /// to the first. For LstmGradientKernel also keeps c in `cells`, hidden values each, and i, f, g, o instead of a. May run
  /// concurrently on different rows.
  void run(const Sequence& gates, std::size_t steps, std::size_t rows, bool backward, const Sequence& outputs,
           const Sequence& cells = {}) const;

 private:
  std::size_t hidden_;
  PackedMatrix recurrent_;
};

class LstmGradientKernel {
 public:
  LstmGradientKernel(const float* recurrent, std::size_t hidden);

  /// What LstmKernel::run() kept, and ∂L/∂h in outputs, becomes ∂L/∂a in gates.
  void run(const Sequence& gates, std::size_t steps, std::size_t rows, bool backward, const Sequence& outputs, const Sequence& cells) const;

 private:
  std::size_t hidden_;
  PackedMatrix recurrent_;
};

}  // namespace unbraid::nn
