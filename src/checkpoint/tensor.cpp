#include "unbraid/checkpoint/tensor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>

#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian and read in place");

[[noreturn]] void damaged(std::string message) { throw Error{ErrorCode::kFormat, std::move(message)}; }

float from_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1F;
  const std::uint32_t fraction = half & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000 | (fraction << 13));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class Out>
Out element(Dtype dtype, const std::byte* at) {
  switch (dtype) {
    case Dtype::kBool: return load<std::uint8_t>(at) != 0 ? Out{1} : Out{0};
    case Dtype::kU8: return static_cast<Out>(load<std::uint8_t>(at));
    case Dtype::kI8: return static_cast<Out>(load<std::int8_t>(at));
    case Dtype::kI16: return static_cast<Out>(load<std::int16_t>(at));
    case Dtype::kI32: return static_cast<Out>(load<std::int32_t>(at));
    case Dtype::kI64: return static_cast<Out>(load<std::int64_t>(at));
    case Dtype::kF16: return static_cast<Out>(from_half(load<std::uint16_t>(at)));
    case Dtype::kBf16: return static_cast<Out>(std::bit_cast<float>(std::uint32_t{load<std::uint16_t>(at)} << 16));
    case Dtype::kF32: return static_cast<Out>(load<float>(at));
    case Dtype::kF64: return static_cast<Out>(load<double>(at));
  }
  damaged("unknown element type");
}

/// The number of elements; kFormat when it does not fit in 63 bits or a size is negative.
std::size_t count_elements(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) damaged(fmt::format("a tensor of shape {}", shape_text(shape)));
    if (size == 0) empty = true;
    else if (__builtin_mul_overflow(count, size, &count)) damaged(fmt::format("a tensor of shape {} is too large", shape_text(shape)));
  }
  return empty ? 0 : static_cast<std::size_t>(count);
}

std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<std::int64_t>(shape[i], 1);
  return strides;
}

}  // namespace

std::size_t size_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kBool:
    case Dtype::kU8:
    case Dtype::kI8: return 1;
    case Dtype::kI16:
    case Dtype::kF16:
    case Dtype::kBf16: return 2;
    case Dtype::kI32:
    case Dtype::kF32: return 4;
    case Dtype::kI64:
    case Dtype::kF64: return 8;
  }
  damaged("unknown element type");
}

std::string_view to_string(Dtype dtype) {
  constexpr std::string_view kNames[] = {"bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"};
  return kNames[static_cast<std::size_t>(dtype)];
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Tensor::Tensor(Dtype dtype, std::vector<std::int64_t> shape, std::vector<std::int64_t> strides, std::int64_t offset, Storage storage)
    : dtype_(dtype), shape_(std::move(shape)), strides_(std::move(strides)), owner_(std::move(storage.owner)) {
  if (shape_.size() != strides_.size()) damaged("a tensor whose shape and strides differ in length");
  size_ = count_elements(shape_);
  if (offset < 0) damaged("a tensor with a negative offset");
  std::int64_t last = offset;  // the largest index that any element has
  for (std::size_t i = 0; i < shape_.size() && size_ > 0; ++i) {
    std::int64_t reach = 0;
    if (strides_[i] < 0 || __builtin_mul_overflow(shape_[i] - 1, strides_[i], &reach) || __builtin_add_overflow(last, reach, &last))
      damaged(fmt::format("a tensor of shape {} with impossible strides", shape_text(shape_)));
  }
  const std::size_t available = storage.bytes.size() / size_of(dtype_);
  if (size_ > 0 && static_cast<std::uint64_t>(last) >= available)
    damaged(fmt::format("a tensor of shape {} reaches beyond its storage of {} elements", shape_text(shape_), available));
  // Overlapping elements (stride 0) are legal, but must not let a small file describe a huge tensor.
  if (size_ > available) damaged(fmt::format("a tensor of shape {} repeats its storage", shape_text(shape_)));
  data_ = size_ > 0 ? storage.bytes.data() + static_cast<std::size_t>(offset) * size_of(dtype_) : nullptr;
}

Tensor::Tensor(Dtype dtype, std::vector<std::int64_t> shape, Storage storage)
    : Tensor(dtype, shape, (count_elements(shape), row_major(shape)), 0, storage) {
  if (storage.bytes.size() != size_ * size_of(dtype_))
    damaged(fmt::format("a tensor of shape {} and type {} in {} bytes", shape_text(shape_), to_string(dtype_), storage.bytes.size()));
}

Tensor Tensor::from_floats(std::vector<std::int64_t> shape, std::span<const float> values) {
  auto copy = std::make_shared<std::vector<float>>(values.begin(), values.end());
  const std::span<const std::byte> bytes = std::as_bytes(std::span<const float>(*copy));
  return {Dtype::kF32, std::move(shape), Storage{std::move(copy), bytes}};
}

bool Tensor::contiguous() const {
  std::int64_t expected = 1;
  for (std::size_t i = shape_.size(); i-- > 0;) {
    if (shape_[i] != 1 && strides_[i] != expected) return false;
    expected *= std::max<std::int64_t>(shape_[i], 1);
  }
  return true;
}

std::span<const std::byte> Tensor::bytes() const {
  if (!contiguous()) return {};
  return {data_, size_ * size_of(dtype_)};
}

std::span<const std::byte> Tensor::extent() const {
  if (size_ == 0) return {};
  std::int64_t last = 0;
  for (std::size_t i = 0; i < shape_.size(); ++i) last += (shape_[i] - 1) * strides_[i];
  return {data_, (static_cast<std::size_t>(last) + 1) * size_of(dtype_)};
}

/// Calls visit(pointer to the first, stride in bytes, count) for every row of the last axis, in row-major order.
template <class Visit>
void Tensor::for_each_run(const Visit& visit) const {
  if (size_ == 0) return;
  const auto width = static_cast<std::ptrdiff_t>(size_of(dtype_));
  const std::size_t outer = shape_.empty() ? 0 : shape_.size() - 1;
  const std::size_t run = shape_.empty() ? 1 : static_cast<std::size_t>(shape_.back());
  const std::ptrdiff_t step = shape_.empty() ? width : strides_.back() * width;
  std::vector<std::int64_t> index(outer, 0);
  for (std::size_t done = 0; done < size_; done += run) {
    std::ptrdiff_t at = 0;
    for (std::size_t i = 0; i < outer; ++i) at += index[i] * strides_[i];
    visit(data_ + at * width, step, run);
    for (std::size_t i = outer; i-- > 0;) {
      if (++index[i] < shape_[i]) break;
      index[i] = 0;
    }
  }
}

std::vector<float> Tensor::to_floats() const {
  std::vector<float> values;
  values.reserve(size_);
  for_each_run([&](const std::byte* first, std::ptrdiff_t step, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) values.push_back(element<float>(dtype_, first + step * static_cast<std::ptrdiff_t>(i)));
  });
  return values;
}

std::vector<double> Tensor::to_doubles() const {
  std::vector<double> values;
  values.reserve(size_);
  for_each_run([&](const std::byte* first, std::ptrdiff_t step, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) values.push_back(element<double>(dtype_, first + step * static_cast<std::ptrdiff_t>(i)));
  });
  return values;
}

std::vector<std::byte> Tensor::to_bytes() const {
  const std::size_t width = size_of(dtype_);
  std::vector<std::byte> bytes;
  bytes.reserve(size_ * width);
  for_each_run([&](const std::byte* first, std::ptrdiff_t step, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::byte* at = first + step * static_cast<std::ptrdiff_t>(i);
      bytes.insert(bytes.end(), at, at + width);
    }
  });
  return bytes;
}

void TensorMap::add(std::string name, Tensor tensor) {
  if (!by_name_.emplace(name, entries_.size()).second) throw Error{ErrorCode::kFormat, "two tensors of the same name", name};
  entries_.emplace_back(std::move(name), std::move(tensor));
}

const Tensor* TensorMap::find(std::string_view name) const {
  const auto place = by_name_.find(name);
  return place != by_name_.end() ? &entries_[place->second].second : nullptr;
}

std::size_t TensorMap::distinct_values() const {
  std::vector<const Tensor*> in_memory;
  for (const auto& [name, tensor] : entries_) in_memory.push_back(&tensor);
  std::ranges::sort(in_memory, std::less<>(), [](const Tensor* tensor) { return tensor->extent().data(); });
  std::size_t values = 0;
  const std::byte* seen = nullptr;  // everything before it is counted
  for (const Tensor* tensor : in_memory) {
    const std::byte *const begin = tensor->extent().data(), *const end = begin + tensor->extent().size();
    if (begin == nullptr || !std::less<>()(seen, end)) continue;
    const auto fresh = static_cast<std::size_t>(end - std::max(begin, seen, std::less<>()));
    values += (fresh + size_of(tensor->dtype()) - 1) / size_of(tensor->dtype());
    seen = end;
  }
  return values;
}

}  // namespace unbraid::checkpoint
