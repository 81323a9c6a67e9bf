#pragma once
// How many values an array of these sizes holds.
//
//   std::vector<float> samples(value_count({channels, frames}));
//
// std::length_error when no std::size_t can say it: sizes that are multiplied without a look may wrap to few values.

#include <cstddef>
#include <initializer_list>
#include <stdexcept>

namespace unbraid {

constexpr std::size_t value_count(std::initializer_list<std::size_t> sizes) {
  std::size_t count = 1;
  for (const std::size_t size : sizes)
    if (__builtin_mul_overflow(count, size, &count)) throw std::length_error("too many values");
  return count;
}

}  // namespace unbraid
