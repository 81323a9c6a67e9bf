#include "train/tensorboard.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <limits>

#include "unbraid/core/error.hpp"

namespace unbraid::train {

namespace {

template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes(sizeof value, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  return bytes;
}

std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8u; }

enum Wire : unsigned { kVarint = 0, kDouble = 1, kBytes = 2, kFloat = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string key(unsigned field, Wire wire) { return varint(field << 3 | wire); }
std::string message(unsigned field, std::string_view bytes) { return key(field, kBytes) + varint(bytes.size()) + std::string(bytes); }

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// The time and the step of an event, which everything else follows.
std::string event(std::uint64_t step) {
  return key(1, kDouble) + little_endian(std::bit_cast<std::uint64_t>(now())) + key(2, kVarint) + varint(step);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0u);
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder, std::uint64_t purge_from) {
  const std::filesystem::path path = folder / fmt::format("events.out.tfevents.{:.6f}.{}.unbraid", now(), getpid());
  file_.open(path, std::ios::binary | std::ios::trunc);
  if (!file_) throw Error{ErrorCode::kIo, "cannot be written", path.string()};
  record(event(0) + message(3, "brain.Event:2"));
  constexpr std::uint64_t kStart = 1;
  record(event(purge_from) + message(7, key(1, kVarint) + varint(kStart)));
}

void TensorBoardWriter::scalar(std::string_view tag, std::uint64_t step, double value) {
  const std::string number = key(2, kFloat) + little_endian(std::bit_cast<std::uint32_t>(static_cast<float>(value)));
  record(event(step) + message(5, message(1, message(1, tag) + number)));
}

void TensorBoardWriter::record(const std::string& data) {
  const std::string length = little_endian(static_cast<std::uint64_t>(data.size()));
  file_ << length << little_endian(masked(crc32c(length))) << data << little_endian(masked(crc32c(data)));
}

}  // namespace unbraid::train
