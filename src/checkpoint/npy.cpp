#include "unbraid/checkpoint/npy.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <string>

#include "checkpoint/mapped_file.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

/// What stands behind 'key': in the header, a Python dict literal.
std::string_view value_of(std::string_view header, std::string_view key) {
  const std::string quoted = fmt::format("'{}':", key);
  const std::size_t at = header.find(quoted);
  if (at == std::string_view::npos) throw Error{ErrorCode::kFormat, fmt::format("damaged .npy header: no {}", key)};
  std::string_view rest = header.substr(at + quoted.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

Dtype dtype_of(std::string_view descr) {
  constexpr std::pair<std::string_view, Dtype> kTypes[] = {{"'|b1'", Dtype::kBool}, {"'|u1'", Dtype::kU8},  {"'|i1'", Dtype::kI8},
                                                           {"'<i2'", Dtype::kI16},  {"'<i4'", Dtype::kI32}, {"'<i8'", Dtype::kI64},
                                                           {"'<f2'", Dtype::kF16},  {"'<f4'", Dtype::kF32}, {"'<f8'", Dtype::kF64}};
  for (const auto& [text, dtype] : kTypes)
    if (descr.starts_with(text)) return dtype;
  throw Error{ErrorCode::kUnsupported, fmt::format(".npy arrays of type {}", descr.substr(0, descr.find(',')))};
}

std::vector<std::int64_t> shape_of(std::string_view text) {
  std::vector<std::int64_t> shape;
  text = text.substr(0, text.find(')'));
  while (true) {
    text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
    if (text.empty()) return shape;
    std::int64_t size = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (status != std::errc{}) throw Error{ErrorCode::kFormat, "damaged .npy header: shape"};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    shape.push_back(size);
  }
}

Tensor read_npy(const Storage& file) {
  const auto at = [&](std::uint64_t first, std::uint64_t count) { return part(file, first, count, "the .npy header").bytes.data(); };
  if (std::memcmp(at(0, 8), kMagic.data(), kMagic.size()) != 0) throw Error{ErrorCode::kFormat, "not a .npy file"};
  const bool short_length = static_cast<int>(file.bytes[6]) == 1;
  std::uint32_t length = 0;
  std::memcpy(&length, at(8, short_length ? 2 : 4), short_length ? 2 : 4);
  const std::uint64_t start = short_length ? 10 : 12;
  const std::string_view header(reinterpret_cast<const char*>(at(start, length)), length);
  if (!value_of(header, "fortran_order").starts_with("False")) throw Error{ErrorCode::kUnsupported, ".npy arrays in Fortran order"};
  const std::uint64_t data = start + length;
  return {dtype_of(value_of(header, "descr")), shape_of(value_of(header, "shape")),
          part(file, data, file.bytes.size() - data, "the array")};
}

}  // namespace

Tensor load_npy(const std::filesystem::path& path) {
  try {
    return read_npy(map_file(path));
  } catch (const Error& error) {
    throw Error{error.code(), error.message(), path.string()};
  }
}

}  // namespace unbraid::checkpoint
