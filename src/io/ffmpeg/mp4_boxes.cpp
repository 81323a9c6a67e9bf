#include "io/ffmpeg/mp4_boxes.hpp"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace unbraid::io {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxJsonBytes = 1 << 20;
constexpr std::array<const char*, 4> kColours{"#009E73", "#D55E00", "#CC79A7", "#56B4E9"};

/// Where a box stands in the file. ISO/IEC 14496-12, 4.2.
struct Box {
  std::uint64_t offset = 0;
  std::uint64_t header_bytes = 0;
  std::uint64_t bytes = 0;  ///< with its header
  std::string type;

  std::uint64_t body() const { return offset + header_bytes; }
  std::uint64_t end() const { return offset + bytes; }
};

std::uint64_t big_endian(const unsigned char* bytes, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

std::optional<Box> box_at(ByteFile& file, std::uint64_t offset, std::uint64_t end) {
  unsigned char head[16] = {};
  file.seek(offset);
  if (offset + 8 > end || file.read(head, 8) != 8) return std::nullopt;
  Box box{offset, 8, big_endian(head, 4), std::string(reinterpret_cast<char*>(head) + 4, 4)};
  if (box.bytes == 1 && file.read(head + 8, 8) == 8) {
    box.header_bytes = 16;
    box.bytes = big_endian(head + 8, 8);
  }
  if (box.bytes == 0) box.bytes = end - offset;
  if (box.bytes < box.header_bytes || box.bytes > end - offset) return std::nullopt;
  return box;
}

/// The last box of that type in [offset, end).
std::optional<Box> find_box(ByteFile& file, std::uint64_t offset, std::uint64_t end, std::string_view type) {
  std::optional<Box> found;
  while (const auto box = box_at(file, offset, end)) {
    if (box->type == type) found = box;
    offset = box->end();
  }
  return found;
}

std::string number(std::uint64_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

void write_at(ByteFile& file, std::uint64_t offset, const std::string& bytes) {
  file.seek(offset);
  file.write(bytes.data(), bytes.size());
}

/// The settings of the player's compressor and limiter, both off.
json mastering() {
  return {{"compressor",
           {{"enabled", false},
            {"input_gain", 0.0},
            {"output_gain", 0.0},
            {"threshold", 0.0},
            {"dry_wet", 100},
            {"attack", 0.003},
            {"release", 0.3},
            {"ratio", 3.0},
            {"hp_cutoff", 300}}},
          {"limiter", {{"enabled", false}, {"threshold", 0.0}, {"ceiling", -0.35}, {"release", 0.05}}}};
}

}  // namespace

void append_stem_box(ByteFile& file, const std::vector<std::string>& stream_names) {
  json content{{"version", 1}, {"mastering_dsp", mastering()}, {"stems", json::array()}};
  for (std::size_t i = 1; i < stream_names.size(); ++i)
    content["stems"].push_back({{"name", stream_names[i]}, {"color", kColours[(i - 1) % kColours.size()]}});
  const std::string text = content.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string addition = number(8 + text.size()) + "stem" + text;

  const std::uint64_t end = file.size();
  const auto movie = find_box(file, 0, end, "moov");
  if (!movie || movie->end() != end || movie->header_bytes != 8)
    throw Error{ErrorCode::kInternal, "the movie box is not where the stem box can follow it", file.name()};
  const auto user_data = find_box(file, movie->body(), end, "udta");
  const bool extend = user_data && user_data->end() == end && user_data->header_bytes == 8;
  if (extend) write_at(file, user_data->offset, number(user_data->bytes + addition.size()));
  else addition = number(8 + addition.size()) + "udta" + addition;
  write_at(file, movie->offset, number(movie->bytes + addition.size()));
  write_at(file, end, addition);
  file.throw_if_failed();
}

std::vector<std::string> read_stem_box(ByteFile& file) {
  std::vector<std::string> names;
  const auto movie = find_box(file, 0, file.size(), "moov");
  const auto user_data = movie ? find_box(file, movie->body(), movie->end(), "udta") : std::nullopt;
  const auto stem = user_data ? find_box(file, user_data->body(), user_data->end(), "stem") : std::nullopt;
  if (stem && stem->bytes - stem->header_bytes <= kMaxJsonBytes) {
    std::string text(static_cast<std::size_t>(stem->bytes - stem->header_bytes), '\0');
    file.seek(stem->body());
    file.read(text.data(), text.size());
    const json content = json::parse(text, nullptr, false);
    const auto stems = content.is_object() ? content.find("stems") : content.end();
    if (stems != content.end() && stems->is_array())
      for (const json& part : *stems)
        names.push_back(part.is_object() && part.contains("name") && part["name"].is_string() ? part["name"].get<std::string>()
                                                                                              : std::string());
  }
  file.seek(0);
  return names;
}

std::uint32_t movie_timescale(ByteFile& file) {
  const auto movie = find_box(file, 0, file.size(), "moov");
  const auto header = movie ? find_box(file, movie->body(), movie->end(), "mvhd") : std::nullopt;
  std::uint32_t timescale = 0;
  unsigned char head[24] = {};
  if (header && header->bytes >= header->header_bytes + sizeof head) {
    file.seek(header->body());
    file.read(head, sizeof head);
    const bool wide_times = head[0] == 1;  // version 1 has 64-bit dates before it
    timescale = static_cast<std::uint32_t>(big_endian(head + (wide_times ? 20 : 12), 4));
  }
  file.seek(0);
  return timescale;
}

}  // namespace unbraid::io
