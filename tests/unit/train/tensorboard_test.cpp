#include "train/tensorboard.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <vector>

#include "support/fixtures.hpp"

namespace unbraid::train {
namespace {

TEST(Crc32c, KnownValues) {
  // RFC 3720, appendix B.4, and the usual check value.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

/// Reads what TensorBoard reads: records, and the fields of their messages.
class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
  bool done() const { return at_ == bytes_.size(); }

  std::string record() {
    const std::string length_bytes = take(8);
    std::uint64_t length = 0;
    std::memcpy(&length, length_bytes.data(), 8);
    EXPECT_EQ(number(4), masked(length_bytes));
    const std::string data = take(length);
    EXPECT_EQ(number(4), masked(data));
    return data;
  }
  std::string take(std::size_t count) {
    EXPECT_LE(at_ + count, bytes_.size());
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  std::uint64_t number(std::size_t count) {
    std::uint64_t value = 0;
    const std::string bytes = take(count);
    std::memcpy(&value, bytes.data(), count);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  /// (field << 3 | wire type) → the value: bytes for wire type 2, else the number.
  struct Field {
    unsigned key;
    std::uint64_t value = 0;
    std::string bytes;
  };
  Field field() {
    Field field{.key = static_cast<unsigned>(varint())};
    switch (field.key & 7) {
      case 0: field.value = varint(); break;
      case 1: field.value = number(8); break;
      case 2: field.bytes = take(varint()); break;
      case 5: field.value = number(4); break;
      default: ADD_FAILURE() << "wire type";
    }
    return field;
  }

 private:
  static std::uint32_t masked(const std::string& bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  }
  std::string bytes_;
  std::size_t at_ = 0;
};

TEST(TensorBoard, WritesWhatItsFormatSays) {
  const testing::TemporaryFolder folder;
  {
    TensorBoardWriter events(folder.path(), 301);
    events.scalar("train/loss", 300, -0.75);
  }
  std::vector<std::filesystem::path> files(std::filesystem::directory_iterator(folder.path()), {});
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].filename().string().rfind("events.out.tfevents.", 0), 0u);
  std::ifstream stream(files[0], std::ios::binary);
  Reader reader({std::istreambuf_iterator<char>(stream), {}});

  Reader version(reader.record());
  EXPECT_EQ(version.field().key, 1u << 3 | 1);
  EXPECT_EQ(version.field().value, 0u);
  EXPECT_EQ(version.field().bytes, "brain.Event:2");
  Reader start(reader.record());
  start.field();
  EXPECT_EQ(start.field().value, 301u);
  EXPECT_EQ(start.field().bytes, std::string("\x08\x01"));

  Reader event(reader.record());
  const double wall_time = std::bit_cast<double>(event.field().value);
  EXPECT_GT(wall_time, 1.6e9);
  EXPECT_EQ(event.field().value, 300u);
  const Reader::Field summary = event.field();
  EXPECT_EQ(summary.key, 5u << 3 | 2);
  Reader value(Reader(summary.bytes).field().bytes);
  EXPECT_EQ(value.field().bytes, "train/loss");
  EXPECT_EQ(std::bit_cast<float>(static_cast<std::uint32_t>(value.field().value)), -0.75f);
  EXPECT_TRUE(value.done());
  EXPECT_TRUE(reader.done());
}

}  // namespace
}  // namespace unbraid::train
