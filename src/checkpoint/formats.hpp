#pragma once
// One reader per format; each gets the mapped file. The pickled ones give the whole document, from which load() takes
// the state.

#include <filesystem>

#include "unbraid/checkpoint/checkpoint.hpp"

namespace unbraid::checkpoint {

bool is_safetensors(const Storage& file);
bool is_torch_zip(const Storage& file);
bool is_torch_legacy(const Storage& file);
bool is_hdf5(const Storage& file);

void read_safetensors(const Storage& file, Checkpoint& out);
std::shared_ptr<const Document> read_torch_zip(const Storage& file);
std::shared_ptr<const Document> read_torch_legacy(const Storage& file);
/// Keras weights: every layer's arrays in the order of its weight_names, as "<layer>/<weight>".
void read_hdf5(const std::filesystem::path& path, std::uint64_t file_size, Checkpoint& out);

}  // namespace unbraid::checkpoint
