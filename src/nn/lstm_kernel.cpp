#include "nn/lstm_kernel.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace unbraid::nn {

namespace {

constexpr std::size_t kTile = 64;  // gate values that are summed in registers together

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define UNBRAID_LSTM_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define UNBRAID_LSTM_CLONES
#endif

/// eˣ to about 1e-7, as straight arithmetic that compilers vectorise: 2ⁿ · p(r), |r| ≤ ln 2 / 2, p of degree 6.
inline float exponential(float x) {
  constexpr float kLog2e = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F, kLimit = 87.0F;
  x = std::min(std::max(x, -kLimit), kLimit);
  const float shifted = x * kLog2e + 12582912.0F;  // 1.5 · 2²³: rounds to the nearest integer
  const float n = shifted - 12582912.0F;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  const float p = 1 + r * (1 + r * (0.5F + r * (1.6666667e-1F + r * (4.1666668e-2F + r * (8.3333310e-3F + r * 1.3888890e-3F)))));
  return p * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

inline float sigmoid(float x) { return 1 / (1 + exponential(-x)); }
inline float hyperbolic_tangent(float x) { return 1 - 2 / (1 + exponential(2 * x)); }

/// gates[tile·kTile + j] += Σ_k h[k] · weights[tile][k][j]
UNBRAID_LSTM_CLONES void add_recurrent(const float* __restrict weights, const float* __restrict h, std::size_t hidden, std::size_t tiles,
                                       float* __restrict gates) {
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    float sum[kTile];
    for (std::size_t j = 0; j < kTile; ++j) sum[j] = gates[tile * kTile + j];
    for (std::size_t k = 0; k < hidden; ++k, weights += kTile) {
      const float value = h[k];
      for (std::size_t j = 0; j < kTile; ++j) sum[j] += value * weights[j];
    }
    for (std::size_t j = 0; j < kTile; ++j) gates[tile * kTile + j] = sum[j];
  }
}

UNBRAID_LSTM_CLONES void apply_gates(const float* __restrict gates, std::size_t hidden, float* __restrict c, float* __restrict h) {
  for (std::size_t u = 0; u < hidden; ++u) {
    const float kept = sigmoid(gates[hidden + u]) * c[u];
    c[u] = kept + sigmoid(gates[u]) * hyperbolic_tangent(gates[2 * hidden + u]);
    h[u] = sigmoid(gates[3 * hidden + u]) * hyperbolic_tangent(c[u]);
  }
}

}  // namespace

LstmKernel::LstmKernel(const float* recurrent, std::size_t hidden)
    : hidden_(hidden), tiles_((4 * hidden + kTile - 1) / kTile), weights_(tiles_ * hidden * kTile) {
  for (std::size_t gate = 0; gate < 4 * hidden; ++gate)
    for (std::size_t k = 0; k < hidden; ++k)
      weights_[(gate / kTile * hidden + k) * kTile + gate % kTile] = recurrent[gate * hidden + k];
}

void LstmKernel::run(const float* inputs, std::size_t steps, bool backward, float* outputs, std::size_t stride) const {
  std::vector<float> gates(tiles_ * kTile), c(hidden_), h(hidden_);
  for (std::size_t i = 0; i < steps; ++i) {
    const std::size_t t = backward ? steps - 1 - i : i;
    std::copy_n(inputs + t * 4 * hidden_, 4 * hidden_, gates.data());
    add_recurrent(weights_.data(), h.data(), hidden_, tiles_, gates.data());
    apply_gates(gates.data(), hidden_, c.data(), h.data());
    std::copy_n(h.data(), hidden_, outputs + t * stride);
  }
}

}  // namespace unbraid::nn
