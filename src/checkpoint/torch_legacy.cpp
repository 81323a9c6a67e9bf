#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "checkpoint/formats.hpp"
#include "checkpoint/mapped_file.hpp"
#include "checkpoint/pickle.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

namespace {

// PROTO 2, LONG1 of ten bytes: the number 0x1950a86a20f9469cfc6c that torch began its files with before 1.6.
constexpr unsigned char kMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

std::optional<TypedStorage> no_storage(const List&) { return std::nullopt; }

/// Skips one pickle and says where the next thing begins.
std::size_t skip_pickle(const Storage& file, std::size_t at) {
  Document ignored;
  return at + read_pickle(file.bytes.subspan(at), ignored, no_storage).consumed;
}

}  // namespace

bool is_torch_legacy(const Storage& file) {
  return file.bytes.size() > sizeof kMagic && std::memcmp(file.bytes.data(), kMagic, sizeof kMagic) == 0;
}

// Pickles of the magic number, the protocol, the system, the object and the list of storage keys; then for each key an
// int64 count and the elements. The object is read twice: first to learn each storage's type, then with the data.
std::shared_ptr<const Document> read_torch_legacy(const Storage& file) {
  std::size_t at = 0;
  for (int i = 0; i < 3; ++i) at = skip_pickle(file, at);
  const std::size_t object = at;

  std::map<std::string, StorageId> wanted;
  Document first_reading;
  at += read_pickle(file.bytes.subspan(at), first_reading, [&](const List& id) -> std::optional<TypedStorage> {
          const StorageId storage = storage_id(id);
          wanted.insert_or_assign(storage.key, storage);
          return std::nullopt;
        }).consumed;
  const PickleResult keys = read_pickle(file.bytes.subspan(at), first_reading, no_storage);
  at += keys.consumed;
  const List* order = keys.root->as<List>();
  if (!order) throw Error{ErrorCode::kFormat, "damaged torch file: no list of storages"};

  std::map<std::string, TypedStorage> storages;
  for (const Value* item : order->items) {
    const auto* key = item->as<std::string>();
    const auto known = key ? wanted.find(*key) : wanted.end();
    if (known == wanted.end()) throw Error{ErrorCode::kFormat, "damaged torch file: a storage that nothing uses"};
    std::int64_t count = 0;
    std::memcpy(&count, part(file, at, sizeof count, "a storage's size").bytes.data(), sizeof count);
    at += sizeof count;
    const std::size_t width = size_of(known->second.dtype);
    if (count < 0 || static_cast<std::uint64_t>(count) > (file.bytes.size() - at) / width)
      throw Error{ErrorCode::kFormat, fmt::format("tensor data {} is truncated", *key)};
    const auto bytes = static_cast<std::uint64_t>(count) * width;
    storages[*key] = {known->second.dtype, part(file, at, bytes, "tensor data")};
    at += bytes;
  }

  auto document = std::make_shared<Document>();
  document->root = read_pickle(file.bytes.subspan(object), *document, [&](const List& id) -> std::optional<TypedStorage> {
                     const auto found = storages.find(storage_id(id).key);
                     if (found == storages.end()) throw Error{ErrorCode::kFormat, "damaged torch file: a storage without data"};
                     return found->second;
                   }).root;
  return document;
}

}  // namespace unbraid::checkpoint
