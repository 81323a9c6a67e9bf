#include "unbraid/checkpoint/checkpoint.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string>

#include "checkpoint/pickle.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::checkpoint {
namespace {

using testing::TemporaryFolder;

Storage owned(std::string text) {
  auto bytes = std::make_shared<std::string>(std::move(text));
  const std::span<const std::byte> view = std::as_bytes(std::span<const char>(bytes->data(), bytes->size()));
  return {std::move(bytes), view};
}

template <class T>
Storage storage_of(const std::vector<T>& values) {
  return owned(std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
}

TEST(Tensor, StridesAndOffsetsSelectTheRightElements) {
  // A 3 × 4 matrix 0…11, seen transposed without its first column.
  const Storage storage = storage_of<float>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const Tensor transposed(Dtype::kF32, {3, 3}, {1, 4}, 1, storage);
  EXPECT_FALSE(transposed.contiguous());
  EXPECT_EQ(transposed.to_floats(), (std::vector<float>{1, 5, 9, 2, 6, 10, 3, 7, 11}));
}

TEST(Tensor, HalfPrecisionIsExact) {
  const Tensor half(Dtype::kF16, {7}, storage_of<std::uint16_t>({0x3C00, 0xC000, 0x7BFF, 0x0001, 0x0400, 0x7C00, 0x8000}));
  const std::vector<float> values = half.to_floats();
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[1], -2.0f);
  EXPECT_EQ(values[2], 65504.0f);
  EXPECT_EQ(values[3], std::ldexp(1.0f, -24));
  EXPECT_EQ(values[4], std::ldexp(1.0f, -14));
  EXPECT_TRUE(std::isinf(values[5]));
  EXPECT_TRUE(values[6] == 0 && std::signbit(values[6]));
  const Tensor brain(Dtype::kBf16, {2}, storage_of<std::uint16_t>({0x3F80, 0xC040}));
  EXPECT_EQ(brain.to_floats(), (std::vector<float>{1.0f, -3.0f}));
}

TEST(Tensor, ScalarsAndEmptyOnes) {
  EXPECT_EQ(Tensor(Dtype::kI64, {}, storage_of<std::int64_t>({42})).to_doubles(), std::vector<double>{42});
  EXPECT_TRUE(Tensor(Dtype::kF32, {0, 5}, Storage{}).to_floats().empty());
}

TEST(Tensor, RefusesWhatLiesOutside) {
  const Storage four = storage_of<float>({0, 1, 2, 3});
  using Sizes = std::vector<std::int64_t>;
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{5}, Sizes{1}, 0, four), Error);
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{2}, Sizes{3}, 1, four), Error);
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{-1}, Sizes{1}, 0, four), Error);
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{2}, Sizes{-1}, 3, four), Error);
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{1}, Sizes{1}, -1, four), Error);
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{INT64_MAX, INT64_MAX}, Sizes{1, 1}, 0, four), Error);
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{2, 2}, Sizes{INT64_MAX, 1}, 0, four), Error);
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{1'000'000'000}, Sizes{0}, 0, four), Error);  // a bomb of repeats
  EXPECT_THROW(Tensor(Dtype::kF32, Sizes{3}, four), Error);
}

TEST(Safetensors, RoundTripKeepsOrderTypesAndMetadata) {
  const TemporaryFolder folder;
  TensorMap tensors;
  tensors.add("z", Tensor::from_floats({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}));
  tensors.add("a.b", Tensor(Dtype::kF16, {2}, storage_of<std::uint16_t>({0x3C00, 0x4000})));
  tensors.add("scalar", Tensor(Dtype::kI64, {}, storage_of<std::int64_t>({-7})));
  tensors.add("strided", Tensor(Dtype::kF32, {2}, {2}, 0, storage_of<float>({8, 0, 9})));
  save_safetensors(folder / "m.safetensors", tensors, {{"architecture", "test ✓"}});
  const Checkpoint back = load(folder / "m.safetensors");
  EXPECT_EQ(back.metadata.at("architecture"), "test ✓");
  ASSERT_EQ(back.tensors.size(), 4u);
  auto expected = tensors.begin();
  for (const auto& [name, tensor] : back.tensors) {
    EXPECT_EQ(name, expected->first);
    EXPECT_EQ(tensor.dtype(), expected->second.dtype());
    EXPECT_EQ(tensor.shape(), expected->second.shape());
    EXPECT_EQ(tensor.to_bytes(), expected->second.to_bytes());
    ++expected;
  }
}

/// A safetensors file with this header before so many bytes of data.
void write_safetensors(const std::filesystem::path& path, const std::string& header, std::size_t bytes) {
  const std::uint64_t length = header.size();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(&length), sizeof length) << header << std::string(bytes, '\0');
}

std::string entry(const std::string& name, int begin, int end) {
  return "\"" + name + "\": {\"dtype\": \"U8\", \"shape\": [" + std::to_string(end - begin) + "], \"data_offsets\": [" +
         std::to_string(begin) + ", " + std::to_string(end) + "]}";
}

TEST(Safetensors, TheOrderIsThatOfTheData) {
  const TemporaryFolder folder;
  const auto path = folder / "m.safetensors";
  write_safetensors(path, "{" + entry("b", 4, 8) + ", " + entry("c", 8, 8) + ", " + entry("a", 8, 9) + ", " + entry("d", 0, 4) + "}", 9);
  std::string names;
  const Checkpoint file = load(path);
  for (const auto& [name, tensor] : file.tensors) names += name;
  EXPECT_EQ(names, "dbca");
}

TEST(Safetensors, RefusesOverlapsAndGaps) {
  const TemporaryFolder folder;
  const auto path = folder / "m.safetensors";
  const std::string whole = entry("a", 0, 8);
  write_safetensors(path, "{" + whole + "}", 8);
  EXPECT_EQ(load(path).tensors.size(), 1u);
  for (const std::string& more : {entry("b", 0, 8), entry("b", 4, 12), entry("b", 9, 12), entry("b", 8, 11), entry("b", 7, 7)}) {
    write_safetensors(path, "{" + whole + ", " + more + "}", 12);
    EXPECT_THROW(load(path), Error) << more;
  }
  write_safetensors(path, "{" + whole + ", " + entry("b", 8, 12) + "}", 12);
  EXPECT_EQ(load(path).tensors.size(), 2u);
}

TEST(Safetensors, TimeGrowsAsTheHeader) {
  // A look through all keys for each of them takes 40 s, a sorted table one.
  const TemporaryFolder folder;
  const auto path = folder / "m.safetensors";
  std::string metadata, tensors;
  for (int i = 0; i < 200'000; ++i) metadata += (i ? ", \"" : "\"") + std::to_string(i) + "\": \"\"";
  for (int i = 0; i < 100'000; ++i) tensors += ", " + entry("t" + std::to_string(i * 7919 % 100'000), i, i + 1);
  write_safetensors(path, "{\"__metadata__\": {" + metadata + "}" + tensors + "}", 100'000);
  const auto start = std::chrono::steady_clock::now();
  const Checkpoint file = load(path);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_EQ(file.metadata.size(), 200'000u);
  ASSERT_EQ(file.tensors.size(), 100'000u);
  EXPECT_EQ(file.tensors.begin()[7].first, "t55433");
}

TEST(TensorMap, WhatTensorsShareCountsOnce) {
  const Storage shared = storage_of<float>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  TensorMap tensors;
  tensors.add("empty", Tensor(Dtype::kF32, {0, 3}, Storage{}));
  EXPECT_EQ(tensors.distinct_values(), 0u);
  tensors.add("transposed", Tensor(Dtype::kF32, {3, 2}, {1, 3}, 2, shared));  // 2 … 7
  tensors.add("columns", Tensor(Dtype::kF32, {2, 2}, {4, 1}, 4, shared));     // 4 … 9
  tensors.add("same", Tensor(Dtype::kF32, {6}, {1}, 2, shared));
  tensors.add("within", Tensor(Dtype::kF32, {2}, {1}, 5, shared));
  EXPECT_EQ(tensors.distinct_values(), 8u);
  tensors.add("elsewhere", Tensor(Dtype::kF16, {3}, storage_of<std::uint16_t>({1, 2, 3})));
  EXPECT_EQ(tensors.distinct_values(), 11u);
}

Value* read(const std::string& pickle, Document& document) {
  return read_pickle(std::as_bytes(std::span(pickle.data(), pickle.size())), document, [](const List&) { return std::nullopt; }).root;
}

TEST(Pickle, PlainData) {
  // pickle.dumps({'a': [1, -2, 300, 70000, 2.5, True, None], 'b': (b'x', 'é')}, protocol=2), written by hand.
  Document document;
  constexpr char kPickle[] =
      "\x80\x02}(X\x01\0\0\0a](K\x01J\xfe\xff\xff\xffM\x2c\x01J\x70\x11\x01\0G\x40\x04\0\0\0\0\0\0\x88Ne"
      "X\x01\0\0\0bC\x01xX\x02\0\0\0\xc3\xa9\x86u.";
  const std::string pickle(kPickle, sizeof kPickle - 1);
  const Value* root = read(pickle, document);
  const List* list = root->find("a")->as<List>();
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(*list->items[1]->as<std::int64_t>(), -2);
  EXPECT_EQ(*list->items[2]->as<std::int64_t>(), 300);
  EXPECT_EQ(*list->items[3]->as<std::int64_t>(), 70000);
  EXPECT_EQ(*list->items[4]->as<double>(), 2.5);
  EXPECT_EQ(*list->items[5]->as<bool>(), true);
  EXPECT_TRUE(list->items[6]->is_none());
  const List* tuple = root->find("b")->as<List>();
  EXPECT_TRUE(tuple->tuple);
  EXPECT_EQ(*tuple->items[1]->as<std::string>(), "é");
}

TEST(Pickle, CodeBecomesAnInertObject) {
  Document document;
  const Value* root = read("cos\nsystem\n(S'touch /tmp/unbraid-was-here'\ntR.", document);
  const Object* object = root->as<Object>();
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(object->callable, "os.system");
  EXPECT_FALSE(std::filesystem::exists("/tmp/unbraid-was-here"));
}

TEST(Pickle, CyclesAreHarmless) {
  Document document;
  const Value* root = read(
      "]q\x01h\x01"
      "a.",
      document);  // a list that contains itself
  EXPECT_EQ(root->as<List>()->items[0], root);
}

TEST(Pickle, DamageIsOneClearError) {
  const std::string cases[] = {"",
                               ".",
                               "N",
                               "(",
                               "t.",
                               "0.",
                               "h\x05.",
                               "X\xff\xff\xff\xff"
                               "abc.",
                               "NNs.",
                               "Na.",
                               "NR.",
                               "c\n.",
                               "Q.",
                               "}NNNu.",
                               "\xff.",
                               "P123\n.",
                               "\x8d\xff\xff\xff\xff\xff\xff\xff\xff."};
  for (const std::string& text : cases) {
    Document document;
    EXPECT_THROW(read(text, document), Error) << text;
  }
}

// Every truncation and many single-byte changes of a valid file: an answer or an Error, nothing else.
TEST(Pickle, ManyShortValuesTakeLittleMemory) {
  Document document;
  const Value* root = read("(" + std::string(3'000'000, 'N') + "l.", document);
  EXPECT_EQ(root->as<List>()->items.size(), 3'000'000u);
  EXPECT_LT(document.size(), 10u);
  for (const std::string& piece : {std::string("]"), std::string("K\1"), std::string(")\x94")}) {
    std::string pickle = "(";
    for (int i = 0; i < 2'000'000; ++i) pickle += piece;
    Document hostile;
    EXPECT_THROW(read(pickle + "l.", hostile), Error);
    EXPECT_LE(hostile.size(), 1'000'000u);
  }
}

TEST(Load, SurvivesDamage) {
  UNBRAID_NEEDS_FIXTURE("models/openunmix/drums.pth");
  const TemporaryFolder folder;
  for (const char* name : {"models/openunmix/drums.pth", "models/openunmix/vocals.pth", "models/openunmix/bass.safetensors",
                           "models/deepconvsep_keras/pretrained_weights_experiment1.h5"}) {
    std::ifstream in(testing::fixtures() / name, std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    Rng rng(11);
    int accepted = 0, refused = 0;
    for (int i = 0; i < 300; ++i) {
      std::string damaged = whole;
      if (i % 3 == 0) damaged.resize(rng.index(damaged.size()));
      else
        for (int change = 0; change < 3; ++change)
          damaged[i % 3 == 1 ? rng.index(std::min<std::size_t>(4096, damaged.size())) : rng.index(damaged.size())] ^=
              static_cast<char>(1 + rng.index(255));
      const auto path = folder / "damaged";
      std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;
      try {
        const Checkpoint file = load(path);
        for (const auto& [tensor_name, tensor] : file.tensors) tensor.to_floats();
        ++accepted;
      } catch (const Error& error) {
        EXPECT_NE(error.code(), ErrorCode::kInternal);
        ++refused;
      }
    }
    EXPECT_GT(refused, 50) << name;  // at least the truncations
  }
}

TEST(Load, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  EXPECT_THROW(load(folder / "missing"), Error);
  EXPECT_THROW(load(folder.path()), Error);
  std::ofstream(folder / "empty").flush();
  EXPECT_THROW(load(folder / "empty"), Error);
  std::ofstream(folder / "text") << "not a checkpoint at all";
  try {
    load(folder / "text");
    FAIL() << "text was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_NE(std::string(error.what()).find("text"), std::string::npos);
  }
}

}  // namespace
}  // namespace unbraid::checkpoint
