#include "models/pickled_config.hpp"

#include <fmt/format.h>

#include <cmath>

namespace unbraid::models {

namespace {

using checkpoint::Value;

/// Shared parts of a pickle are written out at each place, so that a small file may describe a huge tree.
constexpr std::size_t kMostNodes = 100'000;
constexpr std::size_t kMostText = 1 << 24;  // bytes
constexpr int kDeepest = 48;

class Emitter {
 public:
  explicit Emitter(const std::string& name) : name_(name) {}

  std::string write(const Value& value) {
    emit(value, 0);
    return out_.c_str();
  }

 private:
  void emit(const Value& value, int depth) {
    if (depth > kDeepest || ++nodes_ > kMostNodes || out_.size() > kMostText)
      throw Error{ErrorCode::kFormat, "its metadata is too large or refers to itself", name_};
    if (const bool* flag = value.as<bool>()) out_ << *flag;
    else if (const std::int64_t* integer = value.as<std::int64_t>()) out_ << *integer;
    else if (const double* number = value.as<double>()) out_ << fmt::format("{}", *number);
    else if (const std::string* text = value.as<std::string>()) out_ << YAML::DoubleQuoted << *text;
    else if (const checkpoint::List* list = value.as<checkpoint::List>()) emit(list->items, depth);
    else if (const checkpoint::Dict* dict = value.as<checkpoint::Dict>()) emit(*dict, depth);
    else if (const checkpoint::Object* object = value.as<checkpoint::Object>()) emit(*object, depth);
    else out_ << YAML::Null;
  }

  void emit(const std::vector<Value*>& items, int depth) {
    out_ << YAML::BeginSeq;
    for (const Value* item : items) emit(*item, depth + 1);
    out_ << YAML::EndSeq;
  }

  void emit_entries(const checkpoint::Dict& dict, int depth) {
    for (const auto& [key, value] : dict.items) {
      const std::string* text = key->as<std::string>();
      if (!text) continue;
      out_ << YAML::Key << YAML::DoubleQuoted << *text << YAML::Value;
      emit(*value, depth + 1);
    }
  }

  void emit(const checkpoint::Dict& dict, int depth) {
    out_ << YAML::BeginMap;
    emit_entries(dict, depth);
    out_ << YAML::EndMap;
  }

  void emit(const checkpoint::Object& object, int depth) {
    const bool dictionary = object.callable == "collections.OrderedDict" || object.callable == "collections.defaultdict";
    out_ << YAML::BeginMap;
    if (dictionary) {
      emit_entries(object.entries, depth);
    } else {
      out_ << YAML::Key << "class" << YAML::Value << YAML::DoubleQuoted << object.callable;
      if (object.arguments) {
        out_ << YAML::Key << "arguments" << YAML::Value;
        emit(*object.arguments, depth + 1);
      }
      if (object.state) {
        out_ << YAML::Key << "state" << YAML::Value;
        emit(*object.state, depth + 1);
      }
      if (!object.entries.items.empty()) {
        out_ << YAML::Key << "items" << YAML::Value;
        emit(object.entries, depth + 1);
      }
    }
    out_ << YAML::EndMap;
  }

  const std::string& name_;
  YAML::Emitter out_;
  std::size_t nodes_ = 0;
};

}  // namespace

Config pickled_config(const Value& value, const std::string& name) {
  if (!value.entries()) throw Error{ErrorCode::kFormat, "not a dictionary", name};
  return Config::parse(Emitter(name).write(value), name);
}

}  // namespace unbraid::models
