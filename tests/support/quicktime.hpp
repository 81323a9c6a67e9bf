#pragma once
// A file that no writer of ours makes: PCM in QuickTime.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace unbraid::testing {

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> 8 * i);
  return text;
}

/// A QuickTime file of 16-bit stereo at 48 kHz with its tables in front, as other programs write them: they count samples.
inline std::string quicktime(const std::vector<std::int16_t>& samples) {
  const auto atom = [](const std::string& type, const std::string& body) { return big_endian(8 + body.size(), 4) + type + body; };
  const auto zeros = [](std::size_t count) { return std::string(count, '\0'); };
  const std::uint64_t frames = samples.size() / 2, bytes = 2 * samples.size();
  const std::string unit = big_endian(0x10000, 4) + zeros(12) + big_endian(0x10000, 4) + zeros(12) + big_endian(0x40000000, 4);
  const std::string sound =
      zeros(6) + big_endian(1, 2) + zeros(8) + big_endian(2, 2) + big_endian(16, 2) + zeros(4) + big_endian(48000, 2) + zeros(2);
  const std::string reference = zeros(4) + big_endian(1, 4) + atom("alis", big_endian(1, 4));
  const auto movie = [&](std::uint64_t offset) {
    const std::string table =
        atom("stbl", atom("stsd", zeros(4) + big_endian(1, 4) + atom("sowt", sound)) +
                         atom("stts", zeros(4) + big_endian(1, 4) + big_endian(frames, 4) + big_endian(1, 4)) +
                         atom("stsc", zeros(4) + big_endian(1, 4) + big_endian(1, 4) + big_endian(frames, 4) + big_endian(1, 4)) +
                         atom("stsz", zeros(4) + big_endian(4, 4) + big_endian(frames, 4)) +
                         atom("stco", zeros(4) + big_endian(1, 4) + big_endian(offset, 4)));
    const std::string media = atom("mdia", atom("mdhd", zeros(12) + big_endian(48000, 4) + big_endian(frames, 4) + zeros(4)) +
                                               atom("hdlr", zeros(4) + "mhlrsoun" + zeros(13)) +
                                               atom("minf", atom("smhd", zeros(8)) + atom("dinf", atom("dref", reference)) + table));
    const std::string track =
        atom("tkhd", big_endian(15, 4) + zeros(8) + big_endian(1, 4) + zeros(4) + big_endian(frames, 4) + zeros(16) + unit + zeros(8));
    const std::string header =
        zeros(12) + big_endian(48000, 4) + big_endian(frames, 4) + big_endian(0x10000, 4) + zeros(12) + unit + zeros(24) + big_endian(2, 4);
    return atom("moov", atom("mvhd", header) + atom("trak", track + media));
  };
  const std::string type = atom("ftyp", "qt  " + zeros(4) + "qt  ");
  std::string data(bytes, '\0');
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(data.data(), samples.data(), bytes);
  return type + movie(type.size() + movie(0).size() + 8) + atom("mdat", data);
}

}  // namespace unbraid::testing
