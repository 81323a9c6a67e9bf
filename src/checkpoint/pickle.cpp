#include "checkpoint/pickle.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <map>
#include <unordered_map>

#include "unbraid/core/error.hpp"

namespace unbraid::checkpoint {

namespace {

/// One byte of a pickle may make a value, which takes far more. A checkpoint with 1000 tensors has some 20 000.
constexpr std::size_t kMostValues = 1'000'000;

[[noreturn]] void malformed(std::string_view what) { throw Error{ErrorCode::kFormat, fmt::format("damaged pickle: {}", what)}; }

/// The instructions, by the names that Python's pickletools gives them.
// clang-format off
enum class Op : std::uint8_t {
  kMark = '(', kStop = '.', kPop = '0', kPopMark = '1', kDup = '2', kFloat = 'F', kInt = 'I', kBinInt = 'J',
  kBinInt1 = 'K', kLong = 'L', kBinInt2 = 'M', kNone = 'N', kPersId = 'P', kBinPersId = 'Q', kReduce = 'R',
  kString = 'S', kBinString = 'T', kShortBinString = 'U', kUnicode = 'V', kBinUnicode = 'X', kAppend = 'a',
  kBuild = 'b', kGlobal = 'c', kDict = 'd', kEmptyDict = '}', kAppends = 'e', kGet = 'g', kBinGet = 'h',
  kInst = 'i', kLongBinGet = 'j', kList = 'l', kEmptyList = ']', kObj = 'o', kPut = 'p', kBinPut = 'q',
  kLongBinPut = 'r', kSetItem = 's', kTuple = 't', kEmptyTuple = ')', kSetItems = 'u', kBinFloat = 'G',
  kBinBytes = 'B', kShortBinBytes = 'C', kProto = 0x80, kNewObj = 0x81, kExt1 = 0x82, kExt2 = 0x83, kExt4 = 0x84,
  kTuple1 = 0x85, kTuple2 = 0x86, kTuple3 = 0x87, kNewTrue = 0x88, kNewFalse = 0x89, kLong1 = 0x8a, kLong4 = 0x8b,
  kShortBinUnicode = 0x8c, kBinUnicode8 = 0x8d, kBinBytes8 = 0x8e, kEmptySet = 0x8f, kAddItems = 0x90,
  kFrozenSet = 0x91, kNewObjEx = 0x92, kStackGlobal = 0x93, kMemoize = 0x94, kFrame = 0x95, kByteArray8 = 0x96,
};
// clang-format on

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, Document& document, const PersistentLoader& persistent)
      : bytes_(bytes), document_(document), persistent_(persistent) {}

  PickleResult run() {
    for (;;) {
      const auto op = static_cast<Op>(take(1)[0]);
      if (op == Op::kStop) break;
      step(op);
    }
    return {pop(), position_};
  }

 private:
  // --- input -------------------------------------------------------------------------------------------------
  const char* take(std::uint64_t count) {
    if (count > bytes_.size() - position_) malformed("it ends too early");
    const char* at = reinterpret_cast<const char*>(bytes_.data()) + position_;
    position_ += count;
    return at;
  }
  template <class T>
  T little_endian() {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }
  std::string text(std::uint64_t length) {
    const char* at = take(length);
    return {at, at + length};
  }
  std::string line() {
    const char* first = reinterpret_cast<const char*>(bytes_.data()) + position_;
    const void* end = std::memchr(first, '\n', bytes_.size() - position_);
    if (!end) malformed("a line without end");
    const auto length = static_cast<std::size_t>(static_cast<const char*>(end) - first);
    std::string result = text(length);
    take(1);
    return result;
  }
  std::uint64_t decimal(const std::string& digits) {
    std::uint64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{}) malformed("not a number");
    return value;
  }

  // --- stack -------------------------------------------------------------------------------------------------
  void push(Value* value) { stack_.push_back(value); }
  template <class T>
  Value* make(T data) {
    if (document_.size() >= kMostValues) malformed("too many values");
    return document_.make(std::move(data));
  }
  template <class T>
  void push_new(T data) {
    push(make(std::move(data)));
  }
  Value* pop() {
    if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size())) malformed("the stack runs empty");
    Value* top = stack_.back();
    stack_.pop_back();
    return top;
  }
  Value* top() {
    Value* value = pop();
    push(value);
    return value;
  }
  std::vector<Value*> pop_to_mark() {
    if (marks_.empty()) malformed("no mark");
    const std::size_t mark = marks_.back();
    marks_.pop_back();
    std::vector<Value*> values(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end());
    stack_.resize(mark);
    return values;
  }
  void memoize(std::uint64_t key) {
    if (memo_.size() >= kMostValues) malformed("too many references");
    memo_[key] = top();
  }
  Value* recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) malformed("a reference to nothing");
    return found->second;
  }

  // --- containers --------------------------------------------------------------------------------------------
  void append(Value* target, std::vector<Value*> items) {
    std::vector<Value*>* list = nullptr;
    if (auto* plain = std::get_if<List>(&target->data)) list = &plain->items;
    else if (auto* object = std::get_if<Object>(&target->data)) list = &object->items;
    else malformed("appending to what is no list");
    list->insert(list->end(), items.begin(), items.end());
  }
  void set_items(Value* target, const std::vector<Value*>& items) {
    Dict* dict = std::get_if<Dict>(&target->data);
    if (auto* object = std::get_if<Object>(&target->data)) dict = &object->entries;
    if (!dict) malformed("setting items of what is no dict");
    if (items.size() % 2 != 0) malformed("a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  }
  void push_tuple(std::vector<Value*> items) { push_new(List{std::move(items), true}); }
  void push_tuple_of(std::size_t count) {
    std::vector<Value*> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_tuple(std::move(items));
  }

  // --- what Python would import or call ------------------------------------------------------------------------
  std::string callable_name(const Value* callable) {
    if (const Global* global = callable->as<Global>()) return global->name;
    if (const Object* object = callable->as<Object>()) return object->callable;
    malformed("calling what is no function");
  }

  void call(const Value* callable, Value* arguments) {
    const List* list = arguments->as<List>();
    if (!list) malformed("arguments that are no tuple");
    const std::string name = callable_name(callable);
    if ((name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_tensor") && has_storage(*list))
      return push_new(rebuild_tensor(*list));
    if (name == "torch._utils._rebuild_parameter" && !list->items.empty()) return push(list->items[0]);
    push_new(Object{.callable = name, .arguments = arguments, .entries = {}, .items = {}});
  }

  bool has_storage(const List& arguments) const { return !arguments.items.empty() && storages_.contains(arguments.items[0]); }

  /// (storage, offset, size, stride, …)
  Tensor rebuild_tensor(const List& arguments) {
    if (arguments.items.size() < 4) malformed("a tensor without shape");
    const auto* offset = arguments.items[1]->as<std::int64_t>();
    if (!offset) malformed("a tensor without offset");
    const TypedStorage& storage = storages_.at(arguments.items[0]);
    return {storage.dtype, integers(arguments.items[2]), integers(arguments.items[3]), *offset, storage.storage};
  }

  std::vector<std::int64_t> integers(const Value* value) {
    const List* list = value->as<List>();
    if (const Object* object = value->as<Object>(); object && object->callable == "torch.Size" && object->arguments)
      if (const List* inner = object->arguments->as<List>(); inner && !inner->items.empty()) list = inner->items[0]->as<List>();
    if (!list || list->items.size() > 64) malformed("a shape that is no tuple");
    std::vector<std::int64_t> result;
    for (const Value* item : list->items) {
      const auto* number = item->as<std::int64_t>();
      if (!number) malformed("a shape that is not of integers");
      result.push_back(*number);
    }
    return result;
  }

  void push_persistent(const Value* id) {
    const List* tuple = id->as<List>();
    if (!tuple) malformed("a persistent id that is no tuple");
    push_new(Object{.callable = "torch.storage", .entries = {}, .items = {}});
    if (std::optional<TypedStorage> storage = persistent_(*tuple)) storages_.emplace(stack_.back(), *std::move(storage));
  }

  /// Two's complement of any length; what exceeds 64 bits is kept as its bytes.
  void push_long(std::uint64_t length) {
    std::string digits = text(length);
    if (length > 8) return push_new(Bytes{std::move(digits)});
    std::uint64_t value = length > 0 && (digits.back() & 0x80) ? ~std::uint64_t{0} : 0;
    for (std::size_t i = digits.size(); i-- > 0;) value = (value << 8) | static_cast<std::uint8_t>(digits[i]);
    push_new(static_cast<std::int64_t>(value));
  }

  void push_number_line(std::string digits) {
    if (digits == "00") return push(false_);
    if (digits == "01") return push(true_);
    if (!digits.empty() && digits.back() == 'L') digits.pop_back();
    std::int64_t value = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (status != std::errc{} || end != digits.data() + digits.size()) return push_new(Bytes{digits});
    push_new(value);
  }

  void step(Op op);

  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  Document& document_;
  const PersistentLoader& persistent_;
  Value* const none_ = document_.make(std::monostate{});  // nothing can be added to these: one of each is enough
  Value* const true_ = document_.make(true);
  Value* const false_ = document_.make(false);
  std::vector<Value*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Value*> memo_;
  std::map<const Value*, TypedStorage> storages_;
};

void Machine::step(Op op) {
  switch (op) {
    case Op::kProto: take(1); return;
    case Op::kFrame: take(8); return;
    case Op::kMark: marks_.push_back(stack_.size()); return;
    case Op::kPop:
      if (!marks_.empty() && marks_.back() == stack_.size()) marks_.pop_back();
      else pop();
      return;
    case Op::kPopMark: pop_to_mark(); return;
    case Op::kDup: push(top()); return;

    case Op::kNone: return push(none_);
    case Op::kNewTrue: return push(true_);
    case Op::kNewFalse: return push(false_);
    case Op::kInt:
    case Op::kLong: return push_number_line(line());
    case Op::kBinInt: return push_new(std::int64_t{little_endian<std::int32_t>()});
    case Op::kBinInt1: return push_new(std::int64_t{little_endian<std::uint8_t>()});
    case Op::kBinInt2: return push_new(std::int64_t{little_endian<std::uint16_t>()});
    case Op::kLong1: return push_long(little_endian<std::uint8_t>());
    case Op::kLong4: return push_long(little_endian<std::uint32_t>());
    case Op::kFloat: {
      const std::string digits = line();
      double value = 0;
      if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{}) malformed("not a number");
      return push_new(value);
    }
    case Op::kBinFloat: {
      const auto big_endian = little_endian<std::uint64_t>();
      const std::uint64_t bits = __builtin_bswap64(big_endian);
      double value;
      std::memcpy(&value, &bits, sizeof value);
      return push_new(value);
    }

    case Op::kString: {
      std::string quoted = line();
      if (quoted.size() < 2) malformed("a string without quotes");
      return push_new(quoted.substr(1, quoted.size() - 2));
    }
    case Op::kUnicode: return push_new(line());
    case Op::kShortBinString:
    case Op::kShortBinUnicode: return push_new(text(little_endian<std::uint8_t>()));
    case Op::kBinString:
    case Op::kBinUnicode: return push_new(text(little_endian<std::uint32_t>()));
    case Op::kBinUnicode8: return push_new(text(little_endian<std::uint64_t>()));
    case Op::kShortBinBytes: return push_new(Bytes{text(little_endian<std::uint8_t>())});
    case Op::kBinBytes: return push_new(Bytes{text(little_endian<std::uint32_t>())});
    case Op::kBinBytes8:
    case Op::kByteArray8: return push_new(Bytes{text(little_endian<std::uint64_t>())});

    case Op::kEmptyList: return push_new(List{});
    case Op::kEmptyTuple: return push_tuple({});
    case Op::kEmptyDict: return push_new(Dict{});
    case Op::kEmptySet: return push_tuple({});
    case Op::kList: return push_new(List{pop_to_mark()});
    case Op::kTuple:
    case Op::kFrozenSet: return push_tuple(pop_to_mark());
    case Op::kTuple1: return push_tuple_of(1);
    case Op::kTuple2: return push_tuple_of(2);
    case Op::kTuple3: return push_tuple_of(3);
    case Op::kDict: {
      const std::vector<Value*> items = pop_to_mark();
      push_new(Dict{});
      return set_items(top(), items);
    }
    case Op::kAppend: {
      Value* item = pop();
      return append(top(), {item});
    }
    case Op::kAppends:
    case Op::kAddItems: {
      std::vector<Value*> items = pop_to_mark();
      return append(top(), std::move(items));
    }
    case Op::kSetItem: {
      Value* value = pop();
      Value* key = pop();
      return set_items(top(), {key, value});
    }
    case Op::kSetItems: {
      const std::vector<Value*> items = pop_to_mark();
      return set_items(top(), items);
    }

    case Op::kPut: return memoize(decimal(line()));
    case Op::kBinPut: return memoize(little_endian<std::uint8_t>());
    case Op::kLongBinPut: return memoize(little_endian<std::uint32_t>());
    case Op::kMemoize: return memoize(memo_.size());
    case Op::kGet: return push(recall(decimal(line())));
    case Op::kBinGet: return push(recall(little_endian<std::uint8_t>()));
    case Op::kLongBinGet: return push(recall(little_endian<std::uint32_t>()));

    case Op::kGlobal: {
      const std::string module = line();
      return push_new(Global{module + "." + line()});
    }
    case Op::kStackGlobal: {
      const auto* name = pop()->as<std::string>();
      const auto* module = pop()->as<std::string>();
      if (!name || !module) malformed("a global without a name");
      return push_new(Global{*module + "." + *name});
    }
    case Op::kReduce:
    case Op::kNewObj: {
      Value* arguments = pop();
      return call(pop(), arguments);
    }
    case Op::kNewObjEx: {
      pop();  // keyword arguments
      Value* arguments = pop();
      return call(pop(), arguments);
    }
    case Op::kObj: {
      std::vector<Value*> items = pop_to_mark();
      if (items.empty()) malformed("an object without a class");
      const Value* callable = items.front();
      items.erase(items.begin());
      return call(callable, make(List{std::move(items), true}));
    }
    case Op::kInst: {
      const std::string module = line();
      const std::string name = line();
      Value* arguments = make(List{pop_to_mark(), true});
      return call(make(Global{module + "." + name}), arguments);
    }
    case Op::kBuild: {
      Value* state = pop();
      if (auto* object = std::get_if<Object>(&top()->data)) object->state = state;
      return;
    }
    case Op::kBinPersId: return push_persistent(pop());
    case Op::kPersId: malformed("a persistent id of text, which torch does not write");
    default: malformed(fmt::format("unknown instruction {:#04x}", static_cast<unsigned>(op)));
  }
}

}  // namespace

PickleResult read_pickle(std::span<const std::byte> bytes, Document& document, const PersistentLoader& persistent) {
  return Machine(bytes, document, persistent).run();
}

StorageId storage_id(const List& id) {
  const auto text = [&](std::size_t i) { return id.items[i]->as<std::string>(); };
  if (id.items.size() < 5 || !text(0) || *text(0) != "storage") malformed("a persistent id that is no storage");
  const Global* type = id.items[1]->as<Global>();
  const auto* elements = id.items[4]->as<std::int64_t>();
  if (!type || !text(2) || !elements || *elements < 0) malformed("a storage without class, key or size");
  return {storage_dtype(type->name), *text(2), static_cast<std::uint64_t>(*elements)};
}

Dtype storage_dtype(std::string_view class_name) {
  constexpr std::pair<std::string_view, Dtype> kClasses[] = {{"torch.FloatStorage", Dtype::kF32}, {"torch.DoubleStorage", Dtype::kF64},
                                                             {"torch.HalfStorage", Dtype::kF16},  {"torch.BFloat16Storage", Dtype::kBf16},
                                                             {"torch.LongStorage", Dtype::kI64},  {"torch.IntStorage", Dtype::kI32},
                                                             {"torch.ShortStorage", Dtype::kI16}, {"torch.CharStorage", Dtype::kI8},
                                                             {"torch.ByteStorage", Dtype::kU8},   {"torch.BoolStorage", Dtype::kBool}};
  for (const auto& [name, dtype] : kClasses)
    if (name == class_name) return dtype;
  throw Error{ErrorCode::kFormat, fmt::format("tensors of type {} are not supported", class_name)};
}

}  // namespace unbraid::checkpoint
