#include "unbraid/checkpoint/value.hpp"

namespace unbraid::checkpoint {

const Dict* Value::entries() const {
  if (const Dict* dict = as<Dict>()) return dict;
  if (const Object* object = as<Object>()) return &object->entries;
  return nullptr;
}

const Value* Value::find(std::string_view key) const {
  const Dict* dict = entries();
  if (!dict) return nullptr;
  for (const auto& [name, value] : dict->items)
    if (const auto* text = name->as<std::string>(); text && *text == key) return value;
  return nullptr;
}

}  // namespace unbraid::checkpoint
