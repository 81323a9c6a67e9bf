#include <fmt/format.h>

#include <cstring>

#include "checkpoint/formats.hpp"
#include "checkpoint/mapped_file.hpp"
#include "checkpoint/pickle.hpp"
#include "checkpoint/zip_archive.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

namespace {

constexpr std::string_view kPickle = "data.pkl";

}  // namespace

bool is_torch_zip(const Storage& file) { return file.bytes.size() > 4 && std::memcmp(file.bytes.data(), "PK\x03\x04", 4) == 0; }

// <name>/data.pkl, <name>/data/<key> per storage, <name>/byteorder since torch 1.14.
std::shared_ptr<const Document> read_torch_zip(const Storage& file) {
  const std::map<std::string, Storage> entries = stored_entries(file);
  std::string folder;
  const Storage* pickle = nullptr;
  for (const auto& [name, bytes] : entries) {
    if (name != kPickle && !name.ends_with("/" + std::string(kPickle))) continue;
    folder = name.substr(0, name.size() - kPickle.size());
    pickle = &bytes;
    break;
  }
  if (!pickle) throw Error{ErrorCode::kFormat, "a zip archive, but not one that torch.save writes: no data.pkl"};
  if (const auto order = entries.find(folder + "byteorder"); order != entries.end()) {
    const auto bytes = order->second.bytes;
    if (std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) != "little")
      throw Error{ErrorCode::kFormat, "saved on a big-endian machine, which is not supported"};
  }

  auto document = std::make_shared<Document>();
  const auto load_storage = [&](const List& id) -> std::optional<TypedStorage> {
    const StorageId wanted = storage_id(id);
    const auto entry = entries.find(folder + "data/" + wanted.key);
    if (entry == entries.end()) throw Error{ErrorCode::kFormat, fmt::format("tensor data {} is missing", wanted.key)};
    if (entry->second.bytes.size() / size_of(wanted.dtype) < wanted.elements)
      throw Error{ErrorCode::kFormat, fmt::format("tensor data {} is too short", wanted.key)};
    return TypedStorage{wanted.dtype, entry->second};
  };
  document->root = read_pickle(pickle->bytes, *document, load_storage).root;
  return document;
}

}  // namespace unbraid::checkpoint
