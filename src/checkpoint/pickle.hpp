#pragma once
// Python's pickle, protocols 0 to 5, as data. An instruction that would import or call something builds a Global or an
// Object instead, except for the few constructors that torch writes tensors with, which the reader of the enclosing
// format supplies through `persistent`.

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "unbraid/checkpoint/value.hpp"

namespace unbraid::checkpoint {

/// A torch storage that a persistent id named, before any tensor was cut from it.
struct TypedStorage {
  Dtype dtype = Dtype::kF32;
  Storage storage;
};

/// Turns a persistent id (the tuple that torch writes) into a storage; a tensor on a storage that it does not know yet
/// (nullopt) stays an Object. Throws kFormat for an id that makes no sense.
using PersistentLoader = std::function<std::optional<TypedStorage>(const List& id)>;

struct PickleResult {
  Value* root = nullptr;
  std::size_t consumed = 0;  ///< bytes up to and including STOP
};

/// Reads one pickle from the start of the bytes into the document. kFormat for anything malformed: unknown
/// instructions, a stack that runs empty, lengths beyond the data, more values than any checkpoint has.
PickleResult read_pickle(std::span<const std::byte> bytes, Document& document, const PersistentLoader& persistent);

/// What torch writes for a storage: ("storage", class, key, location, number of elements, …).
struct StorageId {
  Dtype dtype;
  std::string key;
  std::uint64_t elements;
};
StorageId storage_id(const List& id);

/// The element type of a torch storage class such as "torch.HalfStorage"; kFormat for an unknown one.
Dtype storage_dtype(std::string_view class_name);

}  // namespace unbraid::checkpoint
