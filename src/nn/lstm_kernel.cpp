#include "nn/lstm_kernel.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace unbraid::nn {

namespace {

#if defined(__AVX512F__)
constexpr std::size_t kLanes = 16, kRows = 6, kVectors = 4;  // 24 sums, 4 weights and a factor: 29 of 32 registers
#elif defined(__AVX__)
constexpr std::size_t kLanes = 8, kRows = 6, kVectors = 2;  // 15 of 16
#else
constexpr std::size_t kLanes = 4, kRows = 4, kVectors = 2;
#endif

using Vector [[gnu::vector_size(kLanes * sizeof(float))]] = float;
using Unaligned [[gnu::vector_size(kLanes * sizeof(float)), gnu::aligned(alignof(float)), gnu::may_alias]] = float;

/// c[r][j] += Σ_k a[r][k] · b[k][j], kRowCount rows and kVectors vectors of columns, the sums in registers.
template <std::size_t kRowCount>
void add_block(const float* a, std::size_t a_stride, const float* b, std::size_t b_stride, std::size_t inner, float* c,
               std::size_t c_stride) {
  Vector sum[kRowCount][kVectors];
  for (std::size_t r = 0; r < kRowCount; ++r)
    for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = *reinterpret_cast<const Unaligned*>(c + r * c_stride + v * kLanes);
  for (std::size_t k = 0; k < inner; ++k, b += b_stride) {
    Vector weights[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) weights[v] = *reinterpret_cast<const Unaligned*>(b + v * kLanes);
    for (std::size_t r = 0; r < kRowCount; ++r) {
      const float factor = a[r * a_stride + k];
      for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] += factor * weights[v];
    }
  }
  for (std::size_t r = 0; r < kRowCount; ++r)
    for (std::size_t v = 0; v < kVectors; ++v) *reinterpret_cast<Unaligned*>(c + r * c_stride + v * kLanes) = sum[r][v];
}

template <std::size_t kRowCount = kRows>
void add_rows(std::size_t rows, const float* a, std::size_t a_stride, const float* b, std::size_t b_stride, std::size_t inner, float* c,
              std::size_t c_stride) {
  if constexpr (kRowCount > 0) {
    for (; rows >= kRowCount; rows -= kRowCount, a += kRowCount * a_stride, c += kRowCount * c_stride)
      add_block<kRowCount>(a, a_stride, b, b_stride, inner, c, c_stride);
    if (rows > 0) add_rows<kRowCount - 1>(rows, a, a_stride, b, b_stride, inner, c, c_stride);
  }
}

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

/// a becomes i, f, g, o; c and h those of this step.
void apply_gates(float* __restrict gates, std::size_t hidden, float* __restrict c, float* __restrict h) {
  for (std::size_t u = 0; u < hidden; ++u) {
    const float i = sigmoid(gates[u]), f = sigmoid(gates[hidden + u]);
    const float g = hyperbolic_tangent(gates[2 * hidden + u]), o = sigmoid(gates[3 * hidden + u]);
    gates[u] = i;
    gates[hidden + u] = f;
    gates[2 * hidden + u] = g;
    gates[3 * hidden + u] = o;
    c[u] = f * c[u] + i * g;
    h[u] = o * hyperbolic_tangent(c[u]);
  }
}

/// i, f, g, o become ∂L/∂a. dh: ∂L/∂h of this step; dc: ∂L/∂c from the step behind it, and then for the one before.
void gate_gradients(float* __restrict gates, std::size_t hidden, const float* __restrict c, const float* __restrict previous_c,
                    const float* __restrict dh, float* __restrict dc) {
  for (std::size_t u = 0; u < hidden; ++u) {
    const float i = gates[u], f = gates[hidden + u], g = gates[2 * hidden + u], o = gates[3 * hidden + u];
    const float squashed = hyperbolic_tangent(c[u]);
    const float d = dc[u] + dh[u] * o * (1 - squashed * squashed);
    gates[u] = d * g * i * (1 - i);
    gates[hidden + u] = d * previous_c[u] * f * (1 - f);
    gates[2 * hidden + u] = d * i * (1 - g * g);
    gates[3 * hidden + u] = dh[u] * squashed * o * (1 - o);
    dc[u] = d * f;
  }
}

}  // namespace

PackedMatrix::PackedMatrix(const float* values, std::size_t inner, std::size_t columns, std::size_t inner_stride, std::size_t column_stride)
    : inner_(inner), tiles_((columns + kTile - 1) / kTile), values_(tiles_ * inner * kTile) {
  for (std::size_t j = 0; j < columns; ++j)
    for (std::size_t k = 0; k < inner; ++k)
      values_[(j / kTile * inner + k) * kTile + j % kTile] = values[k * inner_stride + j * column_stride];
}

void PackedMatrix::add_product(const float* a, std::size_t a_stride, std::size_t rows, float* c) const {
  for (std::size_t tile = 0; tile < tiles_; ++tile)
    for (std::size_t column = 0; column < kTile; column += kVectors * kLanes)
      add_rows(rows, a, a_stride, values_.data() + tile * inner_ * kTile + column, kTile, inner_, c + tile * kTile + column,
               padded_columns());
}

LstmKernel::LstmKernel(const float* recurrent, std::size_t hidden)
    : hidden_(hidden), recurrent_(recurrent, hidden, 4 * hidden, 1, hidden) {}

void LstmKernel::run(const Sequence& gates, std::size_t steps, std::size_t rows, bool backward, const Sequence& outputs,
                     const Sequence& cells) const {
  const std::size_t width = recurrent_.padded_columns();
  std::vector<float> a(rows * width), c(rows * hidden_), h(rows * hidden_);
  for (std::size_t i = 0; i < steps; ++i) {
    const std::size_t t = backward ? steps - 1 - i : i;
    for (std::size_t r = 0; r < rows; ++r) std::copy_n(gates.at(t, r), 4 * hidden_, a.data() + r * width);
    if (i > 0) recurrent_.add_product(h.data(), hidden_, rows, a.data());
    for (std::size_t r = 0; r < rows; ++r) {
      apply_gates(a.data() + r * width, hidden_, c.data() + r * hidden_, h.data() + r * hidden_);
      std::copy_n(h.data() + r * hidden_, hidden_, outputs.at(t, r));
      if (!cells.data) continue;
      std::copy_n(a.data() + r * width, 4 * hidden_, gates.at(t, r));
      std::copy_n(c.data() + r * hidden_, hidden_, cells.at(t, r));
    }
  }
}

LstmGradientKernel::LstmGradientKernel(const float* recurrent, std::size_t hidden)
    : hidden_(hidden), recurrent_(recurrent, 4 * hidden, hidden, hidden, 1) {}

void LstmGradientKernel::run(const Sequence& gates, std::size_t steps, std::size_t rows, bool backward, const Sequence& outputs,
                             const Sequence& cells) const {
  const std::size_t width = recurrent_.padded_columns();
  std::vector<float> dh(rows * width), dc(rows * hidden_), a(rows * 4 * hidden_);
  const std::vector<float> no_cells(hidden_);
  for (std::size_t i = steps; i-- > 0;) {  // in the order of the recurrence, from its end
    const std::size_t t = backward ? steps - 1 - i : i;
    const std::size_t before = backward ? t + 1 : t - 1;
    for (std::size_t r = 0; r < rows; ++r) {
      float* const d = dh.data() + r * width;
      const float* const given = outputs.at(t, r);
      for (std::size_t u = 0; u < hidden_; ++u) d[u] += given[u];
      gate_gradients(gates.at(t, r), hidden_, cells.at(t, r), i > 0 ? cells.at(before, r) : no_cells.data(), d, dc.data() + r * hidden_);
      std::copy_n(gates.at(t, r), 4 * hidden_, a.data() + r * 4 * hidden_);
    }
    std::ranges::fill(dh, 0.0F);
    if (i > 0) recurrent_.add_product(a.data(), 4 * hidden_, rows, dh.data());
  }
}

}  // namespace unbraid::nn
