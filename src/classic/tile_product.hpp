#pragma once
// Products of small matrices that live in the first-level cache: what factorisations spend their time on.
//
//   add_product<float>(rows, columns, depth, {x, 30, 1}, y, y_stride, c, c_stride);     // C += X · Y
//   for_product<float>(rows, columns, depth, {x, 30, 1}, y, y_stride,                   // what is done with X · Y
//                      [&](std::size_t r, std::size_t k, Lanes<float> sum) { put(v + r * stride + k, 2 * sum); });
//
// Y is rows of whole vectors (64 bytes), so columns and y_stride are multiples of lanes<T>; X may be read along either
// axis, which gives Xᵀ·Y as well. A block of the product stays in registers while the depth is run through, and is handed
// on from there: whatever follows (a sum, a quotient) reads no matrix of products and runs while the next block is
// multiplied. Every element is summed in the order of the depth: results depend on nothing but the operands.

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <cstddef>
#include <utility>

namespace unbraid::classic {

template <class T>
inline constexpr std::size_t lanes = 64 / sizeof(T);

/// n rounded up to whole vectors.
template <class T>
constexpr std::size_t padded(std::size_t n) {
  return (n + lanes<T> - 1) / lanes<T> * lanes<T>;
}

/// x(r, d) = data[r·row + d·depth].
template <class T>
struct Strided {
  const T* data;
  std::size_t row, depth;
};

namespace detail {

template <class T>
struct Vector;
template <>
struct Vector<float> {
  typedef float type __attribute__((vector_size(64), aligned(4), may_alias));
};
template <>
struct Vector<double> {
  typedef double type __attribute__((vector_size(64), aligned(8), may_alias));
};

}  // namespace detail

/// One vector, with the arithmetic of T on every element.
template <class T>
using Lanes = typename detail::Vector<T>::type;

template <class T>
inline Lanes<T> get(const T* from) {
  return *reinterpret_cast<const Lanes<T>*>(from);
}
template <class T>
inline void put(T* to, Lanes<T> values) {
  *reinterpret_cast<Lanes<T>*>(to) = values;
}

/// a / b for normal b, to one unit in the last place: by an approximate reciprocal and Newton's iteration where the
/// processor has one for whole vectors, which takes half the time of its division.
template <class T>
inline Lanes<T> quotient(Lanes<T> a, Lanes<T> b) {
#ifdef __AVX512F__
  if constexpr (sizeof(T) == 4) {
    Lanes<T> inverse = (Lanes<T>)_mm512_rcp14_ps((__m512)b);
    inverse += inverse * (1 - b * inverse);
    const Lanes<T> near = a * inverse;
    return near + inverse * (a - b * near);
  }
#endif
  return a / b;
}

namespace detail {

/// A block of R rows and V vectors, whose first element is (row, column) of the product.
template <class T, std::size_t R, std::size_t V, class Finish>
inline void block_product(std::size_t row, std::size_t column, std::size_t depth, Strided<T> x, const T* y, std::size_t y_stride,
                          Finish finish) {
  Lanes<T> sum[R][V] = {};
  for (std::size_t d = 0; d < depth; ++d) {
    Lanes<T> factors[V];
    for (std::size_t v = 0; v < V; ++v) factors[v] = get(y + d * y_stride + column + v * lanes<T>);
    for (std::size_t r = 0; r < R; ++r) {
      const T factor = x.data[(row + r) * x.row + d * x.depth];
      for (std::size_t v = 0; v < V; ++v) sum[r][v] += factor * factors[v];
    }
  }
  // Written out, not looped over: only so are the sums never put on the stack.
  [&]<std::size_t... I>(std::index_sequence<I...>) { (finish(row + I / V, column + I % V * lanes<T>, sum[I / V][I % V]), ...); }
  (std::make_index_sequence<R * V>());
}

/// All rows of V vectors: R at a time, then fewer.
template <class T, std::size_t R, std::size_t V, class Finish>
inline void panel_product(std::size_t rows, std::size_t column, std::size_t depth, Strided<T> x, const T* y, std::size_t y_stride,
                          const Finish& finish) {
  std::size_t r = 0;
  for (; r + R <= rows; r += R) block_product<T, R, V>(r, column, depth, x, y, y_stride, finish);
  for (; r + 4 <= rows; r += 4) block_product<T, 4, V>(r, column, depth, x, y, y_stride, finish);
  for (; r + 2 <= rows; r += 2) block_product<T, 2, V>(r, column, depth, x, y, y_stride, finish);
  for (; r < rows; ++r) block_product<T, 1, V>(r, column, depth, x, y, y_stride, finish);
}

}  // namespace detail

/// finish(row, column, sum) for every vector of X · Y, rows × depth times depth × columns.
template <class T, class Finish>
void for_product(std::size_t rows, std::size_t columns, std::size_t depth, Strided<T> x, const T* y, std::size_t y_stride,
                 const Finish& finish) {
  std::size_t k = 0;
  for (; k + 4 * lanes<T> <= columns; k += 4 * lanes<T>) detail::panel_product<T, 6, 4>(rows, k, depth, x, y, y_stride, finish);
  for (; k + 2 * lanes<T> <= columns; k += 2 * lanes<T>) detail::panel_product<T, 12, 2>(rows, k, depth, x, y, y_stride, finish);
  for (; k < columns; k += lanes<T>) detail::panel_product<T, 12, 1>(rows, k, depth, x, y, y_stride, finish);
}

/// C += X · Y. c_stride is a multiple of lanes<T>.
template <class T>
void add_product(std::size_t rows, std::size_t columns, std::size_t depth, Strided<T> x, const T* y, std::size_t y_stride, T* c,
                 std::size_t c_stride) {
  for_product<T>(rows, columns, depth, x, y, y_stride,
                 [=](std::size_t r, std::size_t k, Lanes<T> sum) { put(c + r * c_stride + k, get(c + r * c_stride + k) + sum); });
}

}  // namespace unbraid::classic
