#pragma once
// What a checkpoint holds besides tensors, as inert data: the tree that a pickle describes, never run.
//
//   const checkpoint::Value* segment = root.find("kwargs") ? root.find("kwargs")->find("segment") : nullptr;
//
// An instance of any class appears as an Object: the dotted name of what Python would have called, the arguments it
// would have got, and the state it would have been given. Values live in a Document, which owns them all; a pickle
// may describe cycles and shared parts, so walk with a limit on depth.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "unbraid/checkpoint/tensor.hpp"

namespace unbraid::checkpoint {

struct Value;

struct List {
  std::vector<Value*> items;
  bool tuple = false;  ///< a tuple or a set rather than a list
};

struct Dict {
  std::vector<std::pair<Value*, Value*>> items;  ///< in the order of the file
};

/// A class or function by its dotted name: "collections.OrderedDict".
struct Global {
  std::string name;
};

/// callable(*arguments), with state set afterwards; nothing of it was ever called.
struct Object {
  std::string callable;
  Value* arguments = nullptr;  ///< a tuple
  Value* state = nullptr;      ///< nullptr when none was given
  Dict entries;                ///< items that a dict-like object was filled with
  std::vector<Value*> items;   ///< items that a list-like object was filled with
};

struct Bytes {
  std::string data;
};

struct Value {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Bytes, List, Dict, Global, Object, Tensor> data;

  bool is_none() const { return std::holds_alternative<std::monostate>(data); }
  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
  /// The entry of a dict, an OrderedDict or any dict-like object under a text key; nullptr when there is none.
  const Value* find(std::string_view key) const;
  /// The entries of a dict or a dict-like object; nullptr for anything else.
  const Dict* entries() const;
};

/// The owner of a tree of values.
class Document {
 public:
  template <class T>
  Value* make(T data) {
    Value& value = values_.emplace_back();
    value.data.emplace<T>(std::move(data));
    return &value;
  }
  std::size_t size() const noexcept { return values_.size(); }

  Value* root = nullptr;

 private:
  std::deque<Value> values_;  // addresses stay valid as it grows
};

}  // namespace unbraid::checkpoint
