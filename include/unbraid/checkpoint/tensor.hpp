#pragma once
// Named tensors as they lie in a checkpoint file: no arithmetic, no copies, no torch.
//
//   const checkpoint::Tensor* w = tensors.find("final_conv.0.weight");
//   std::vector<float> values = w->to_floats();             // row-major, whatever the storage type and strides
//
// A Tensor points into memory that it keeps alive (usually the mapped file), so copying one is cheap and a model of
// 200 MB costs no memory until its values are read. Several tensors may share one storage. Immutable; safe to read
// from several threads.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unbraid::checkpoint {

enum class Dtype { kBool, kU8, kI8, kI16, kI32, kI64, kF16, kBf16, kF32, kF64 };

/// Bytes per element.
std::size_t size_of(Dtype dtype);
/// "float32", "bfloat16", "int64", … as torch spells them.
std::string_view to_string(Dtype dtype);

/// A stretch of bytes and whatever owns them.
struct Storage {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

class Tensor {
 public:
  Tensor() = default;
  /// Elements storage[offset + Σ index[i]·strides[i]], counted in elements. kFormat when any index would lie outside
  /// the storage, when shape and strides differ in length, or when a size or stride is negative.
  Tensor(Dtype dtype, std::vector<std::int64_t> shape, std::vector<std::int64_t> strides, std::int64_t offset, Storage storage);
  /// Contiguous, row-major, filling the storage exactly (kFormat otherwise).
  Tensor(Dtype dtype, std::vector<std::int64_t> shape, Storage storage);
  /// A contiguous float32 tensor that owns a copy of the values; their number must fit the shape.
  static Tensor from_floats(std::vector<std::int64_t> shape, std::span<const float> values);

  Dtype dtype() const noexcept { return dtype_; }
  const std::vector<std::int64_t>& shape() const noexcept { return shape_; }
  /// Number of elements; 1 for a scalar (empty shape).
  std::size_t size() const noexcept { return size_; }
  bool contiguous() const;

  /// The values in row-major order, converted. Integers and float64 round to nearest.
  std::vector<float> to_floats() const;
  std::vector<double> to_doubles() const;
  /// The raw bytes in row-major order, in the tensor's own type, little-endian.
  std::vector<std::byte> to_bytes() const;
  /// The bytes in place, when contiguous(); else empty.
  std::span<const std::byte> bytes() const;
  /// The bytes in place from the first element to the last, whatever lies between.
  std::span<const std::byte> extent() const;

 private:
  template <class Visit>
  void for_each_run(const Visit& visit) const;

  Dtype dtype_ = Dtype::kF32;
  std::vector<std::int64_t> shape_;
  std::vector<std::int64_t> strides_;
  std::size_t size_ = 0;
  const std::byte* data_ = nullptr;  ///< the first element
  std::shared_ptr<const void> owner_;
};

/// "[2, 3, 512]"
std::string shape_text(const std::vector<std::int64_t>& shape);

/// Tensors by name, in the order of the file. Names are unique.
class TensorMap {
 public:
  /// kFormat when the name is taken.
  void add(std::string name, Tensor tensor);

  const Tensor* find(std::string_view name) const;
  std::size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  /// How many values lie in the tensors' extents: those that several tensors share count once.
  std::size_t distinct_values() const;

 private:
  std::vector<std::pair<std::string, Tensor>> entries_;
  std::map<std::string, std::size_t, std::less<>> by_name_;  ///< indices into entries_
};

}  // namespace unbraid::checkpoint
