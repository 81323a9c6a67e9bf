#pragma once
// Products of small matrices that live in the first-level cache: what factorisations spend their time on.
//
//   add_product<float>(rows, columns, depth, {x, 30, 1}, y, y_stride, c, c_stride);     // C += X · Y
//
// C and Y are rows of whole vectors (64 bytes), so columns, y_stride and c_stride are multiples of lanes<T>; X may be
// read along either axis, which gives Xᵀ·Y as well. A block of C stays in registers while the depth is run through, so
// every element of C is loaded and stored once. Every element is summed in the order of the depth: results depend on
// nothing but the operands.

#include <cstddef>

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

/// A block of R rows and V vectors.
template <class T, std::size_t R, std::size_t V>
inline void add_block(std::size_t depth, Strided<T> x, const T* y, std::size_t y_stride, T* c, std::size_t c_stride) {
  using Lanes = typename Vector<T>::type;
  Lanes sum[R][V];
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t v = 0; v < V; ++v) sum[r][v] = *reinterpret_cast<const Lanes*>(c + r * c_stride + v * lanes<T>);
  for (std::size_t d = 0; d < depth; ++d) {
    Lanes row[V];
    for (std::size_t v = 0; v < V; ++v) row[v] = *reinterpret_cast<const Lanes*>(y + d * y_stride + v * lanes<T>);
    for (std::size_t r = 0; r < R; ++r) {
      const T factor = x.data[r * x.row + d * x.depth];
      for (std::size_t v = 0; v < V; ++v) sum[r][v] += factor * row[v];
    }
  }
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t v = 0; v < V; ++v) *reinterpret_cast<Lanes*>(c + r * c_stride + v * lanes<T>) = sum[r][v];
}

/// All rows of V vectors: R at a time, then one by one.
template <class T, std::size_t R, std::size_t V>
inline void add_panel(std::size_t rows, std::size_t depth, Strided<T> x, const T* y, std::size_t y_stride, T* c,
                      std::size_t c_stride) {
  std::size_t r = 0;
  for (; r + R <= rows; r += R)
    add_block<T, R, V>(depth, {x.data + r * x.row, x.row, x.depth}, y, y_stride, c + r * c_stride, c_stride);
  for (; r < rows; ++r)
    add_block<T, 1, V>(depth, {x.data + r * x.row, x.row, x.depth}, y, y_stride, c + r * c_stride, c_stride);
}

}  // namespace detail

/// C += X · Y for rows × depth times depth × columns.
template <class T>
void add_product(std::size_t rows, std::size_t columns, std::size_t depth, Strided<T> x, const T* y,
                 std::size_t y_stride, T* c, std::size_t c_stride) {
  std::size_t k = 0;
  for (; k + 4 * lanes<T> <= columns; k += 4 * lanes<T>)
    detail::add_panel<T, 6, 4>(rows, depth, x, y + k, y_stride, c + k, c_stride);
  for (; k + 2 * lanes<T> <= columns; k += 2 * lanes<T>)
    detail::add_panel<T, 12, 2>(rows, depth, x, y + k, y_stride, c + k, c_stride);
  for (; k < columns; k += lanes<T>) detail::add_panel<T, 12, 1>(rows, depth, x, y + k, y_stride, c + k, c_stride);
}

}  // namespace unbraid::classic
