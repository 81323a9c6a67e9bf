#include <fmt/format.h>

#include "checkpoint/formats.hpp"
#include "checkpoint/mapped_file.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

namespace {

/// The mapping from names to tensors inside a pickled document.
TensorMap find_state(const Value& root) {
  const Value* state = &root;
  for (const std::string_view wrapper : {"state", "state_dict", "model_state_dict"})
    if (const Value* inner = state->find(wrapper); inner && inner->entries()) state = inner;
  TensorMap tensors;
  if (const Dict* entries = state->entries())
    for (const auto& [name, value] : entries->items)
      if (const auto* text = name->as<std::string>(); text && value->as<Tensor>()) tensors.add(*text, *value->as<Tensor>());
  return tensors;
}

Checkpoint load_mapped(const std::filesystem::path& path, const Storage& file) {
  Checkpoint result;
  if (is_torch_zip(file)) {
    result.format = Format::kTorchZip;
    result.document = read_torch_zip(file);
  } else if (is_torch_legacy(file)) {
    result.format = Format::kTorchLegacy;
    result.document = read_torch_legacy(file);
  } else if (is_hdf5(file)) {
    result.format = Format::kHdf5;
    read_hdf5(path, file.bytes.size(), result);
  } else if (is_safetensors(file)) {
    result.format = Format::kSafetensors;
    read_safetensors(file, result);
  } else {
    throw Error{ErrorCode::kFormat, "not a checkpoint: neither safetensors, torch nor Keras HDF5"};
  }
  if (result.document) result.tensors = find_state(*result.document->root);
  if (result.tensors.empty()) throw Error{ErrorCode::kFormat, "it holds no named tensors"};
  return result;
}

}  // namespace

std::string_view to_string(Format format) {
  constexpr std::string_view kNames[] = {"safetensors", "torch zip", "torch legacy", "keras hdf5"};
  return kNames[static_cast<std::size_t>(format)];
}

Checkpoint load(const std::filesystem::path& path) {
  const Storage file = map_file(path);
  try {
    return load_mapped(path, file);
  } catch (const Error& error) {
    // Inner readers know what is wrong, not where.
    const std::string context = error.context().empty() ? path.string() : path.string() + ": " + error.context();
    throw Error{error.code(), error.message(), context};
  }
}

}  // namespace unbraid::checkpoint
