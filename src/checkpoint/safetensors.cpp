#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "checkpoint/formats.hpp"
#include "checkpoint/mapped_file.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"

// Layout: uint64 header length, JSON header {"name": {"dtype", "shape", "data_offsets": [begin, end]}, …,
// "__metadata__": {text: text}}, then the data; offsets count from the end of the header, and leave neither gaps nor overlaps.

namespace unbraid::checkpoint {

namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the format's own limit

constexpr std::pair<std::string_view, Dtype> kDtypes[] = {
    {"BOOL", Dtype::kBool}, {"U8", Dtype::kU8},   {"I8", Dtype::kI8},     {"I16", Dtype::kI16}, {"I32", Dtype::kI32},
    {"I64", Dtype::kI64},   {"F16", Dtype::kF16}, {"BF16", Dtype::kBf16}, {"F32", Dtype::kF32}, {"F64", Dtype::kF64}};

Dtype dtype_of(const std::string& name) {
  for (const auto& [text, dtype] : kDtypes)
    if (text == name) return dtype;
  throw Error{ErrorCode::kFormat, fmt::format("tensors of type {} are not supported", name)};
}

std::string_view name_of(Dtype dtype) {
  for (const auto& [text, known] : kDtypes)
    if (known == dtype) return text;
  throw Error{ErrorCode::kInternal, "a type without a name"};
}

std::uint64_t header_length(const Storage& file) {
  std::uint64_t length = 0;
  std::memcpy(&length, file.bytes.data(), kLengthBytes);
  return length;
}

}  // namespace

bool is_safetensors(const Storage& file) {
  return file.bytes.size() > kLengthBytes && static_cast<char>(file.bytes[kLengthBytes]) == '{' && header_length(file) <= kLongestHeader;
}

void read_safetensors(const Storage& file, Checkpoint& out) {
  const Storage text = part(file, kLengthBytes, header_length(file), "the safetensors header");
  const Storage data =
      part(file, kLengthBytes + text.bytes.size(), file.bytes.size() - kLengthBytes - text.bytes.size(), "the tensor data");
  try {
    const char* first = reinterpret_cast<const char*>(text.bytes.data());
    const auto header = nlohmann::json::parse(first, first + text.bytes.size());
    struct Place {
      std::uint64_t begin, end;
      const std::string* name;
      const nlohmann::json* entry;
    };
    std::vector<Place> places;
    for (auto item = header.begin(); item != header.end(); ++item) {
      if (item.key() == "__metadata__") {
        for (const auto& [key, value] : item->items()) out.metadata[key] = value.get<std::string>();
        continue;
      }
      const auto& offsets = item->at("data_offsets");
      places.push_back({offsets.at(0).get<std::uint64_t>(), offsets.at(1).get<std::uint64_t>(), &item.key(), &*item});
    }
    // The order of the data is the order of the tensors. They fill it, so that no byte stands for two of them.
    std::ranges::stable_sort(places, {}, [](const Place& place) { return std::pair(place.begin, place.end); });
    std::uint64_t filled = 0;
    for (const auto& [begin, end, name, entry] : places) {
      if (begin != filled || end < begin)
        throw Error{ErrorCode::kFormat, "a tensor that does not begin where the one before it ends", *name};
      filled = end;
      out.tensors.add(*name, Tensor(dtype_of(entry->at("dtype")), entry->at("shape").get<std::vector<std::int64_t>>(),
                                    part(data, begin, end - begin, *name)));
    }
    if (filled != data.bytes.size()) throw Error{ErrorCode::kFormat, "the tensors do not fill the file"};
  } catch (const nlohmann::json::exception& error) {
    throw Error{ErrorCode::kFormat, fmt::format("damaged safetensors header: {}", error.what())};
  }
}

void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors, const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::uint64_t bytes = tensor.size() * size_of(tensor.dtype());
    header[name] = {{"dtype", name_of(tensor.dtype())}, {"shape", tensor.shape()}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');
  const std::uint64_t length = text.size();

  AtomicFile file(path);
  std::ofstream out(file.temporary(), std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), kLengthBytes);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const auto& [name, tensor] : tensors) {
    const std::vector<std::byte> bytes = tensor.to_bytes();
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  out.close();
  if (!out) throw Error{ErrorCode::kIo, "cannot write (is the disk full?)", path.string()};
  file.commit();
}

}  // namespace unbraid::checkpoint
