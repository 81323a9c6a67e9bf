#pragma once
// Reading checkpoints as they are published; nothing in a file is ever executed.
//
//   checkpoint::Checkpoint file = checkpoint::load("model.ckpt");
//   for (const auto& [name, tensor] : file.tensors) fmt::print("{} {}\n", name, shape_text(tensor.shape()));
//
// Formats, told apart by content: safetensors; torch zip archives and torch's format before 1.6, both through a pickle
// reader that builds inert values; Keras HDF5 weights. Tensors stay in the mapped file until read. No other file is read, even
// where an HDF5 file names one.
// Every size in a file is checked against the file before memory is taken for it, so a hostile file costs no more
// memory than a small multiple of its own size; a pickle's values, each more than its byte or two, are limited to a million,
// some 200 MB. Errors: kNotFound, kIo, kFormat (the message says what is wrong).

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "unbraid/checkpoint/tensor.hpp"
#include "unbraid/checkpoint/value.hpp"

namespace unbraid::checkpoint {

enum class Format { kSafetensors, kTorchZip, kTorchLegacy, kHdf5 };

std::string_view to_string(Format format);

struct Checkpoint {
  Format format = Format::kSafetensors;
  /// The model's state: the file's only mapping from names to tensors, found by unwrapping `state`, `state_dict` and
  /// `model_state_dict` in this order as MSST does.
  TensorMap tensors;
  /// safetensors' __metadata__; empty for the other formats.
  std::map<std::string, std::string> metadata;
  /// The whole pickle, for packages that carry their own configuration (demucs .th, nussl .pth); null elsewhere.
  std::shared_ptr<const Document> document;
};

Checkpoint load(const std::filesystem::path& path);

/// Writes tensors in the safetensors layout, atomically: header padded to 8 bytes, tensors in the given order.
/// metadata becomes __metadata__.
void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors, const std::map<std::string, std::string>& metadata = {});

}  // namespace unbraid::checkpoint
