#include "io/flac_metadata.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unbraid::io {

namespace {

constexpr std::uint8_t kComments = 4;
constexpr std::uint8_t kPicture = 6;
constexpr std::uint8_t kLast = 0x80;              // the flag of the last block, beside its type
constexpr std::size_t kMaxBlock = (1 << 24) - 1;  // a block's length has 24 bits
constexpr std::size_t kMostBlocks = 1024;         // an empty block takes 4 bytes of the file, and far more here
constexpr std::uint32_t kFrontCover = 3;

struct Block {
  std::uint8_t type;
  std::string body;
};

struct Metadata {
  std::vector<Block> blocks;
  std::uint64_t audio_offset = 0;
};

/// Reads numbers and texts off the front of a block; every step fails softly at the end.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::string_view> take(std::size_t count) {
    if (count > bytes_.size()) return std::nullopt;
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::optional<std::uint32_t> little_endian() { return number(true); }
  std::optional<std::uint32_t> big_endian() { return number(false); }

 private:
  std::optional<std::uint32_t> number(bool little) {
    const auto raw = take(4);
    if (!raw) return std::nullopt;
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>((*raw)[little ? 3 - i : i]);
    return value;
  }
  std::string_view bytes_;
};

void append(std::string& bytes, std::uint32_t value, bool little) {
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> 8 * (little ? i : 3 - i));
}

Metadata read_metadata(ByteFile& file) {
  Metadata metadata;
  const std::uint64_t end = file.size();
  std::uint64_t offset = 4;
  for (bool last = false; !last;) {
    file.seek(offset);
    std::uint8_t head[4];
    if (file.read(head, 4) != 4) break;
    if (metadata.blocks.size() == kMostBlocks) throw Error{ErrorCode::kFormat, "has too many metadata blocks", file.name()};
    last = head[0] & kLast;
    const std::size_t size = head[1] << 16 | head[2] << 8 | head[3];
    if (offset + 4 + size > end) break;
    Block block{static_cast<std::uint8_t>(head[0] & ~kLast), std::string(size, '\0')};
    file.read(block.body.data(), size);
    offset += 4 + size;
    metadata.blocks.push_back(std::move(block));
  }
  metadata.audio_offset = offset;
  file.seek(0);
  return metadata;
}

void parse_comments(std::string_view body, Tags& tags) {
  Cursor cursor(body);
  const auto vendor_size = cursor.little_endian();
  if (!vendor_size || !cursor.take(*vendor_size)) return;
  const auto count = cursor.little_endian();
  for (std::uint32_t i = 0; count && i < *count; ++i) {
    const auto size = cursor.little_endian();
    const auto text = size ? cursor.take(*size) : std::nullopt;
    if (!text) return;
    const std::size_t equals = text->find('=');
    if (equals == std::string_view::npos) continue;
    std::string key(text->substr(0, equals));
    for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (key == "tracknumber") key = "track";
    tags.fields.emplace(std::move(key), text->substr(equals + 1));  // of several values, the first
  }
}

void parse_picture(std::string_view body, Tags& tags) {
  Cursor cursor(body);
  if (!cursor.big_endian()) return;  // what the picture shows
  const auto mime_size = cursor.big_endian();
  const auto mime = mime_size ? cursor.take(*mime_size) : std::nullopt;
  const auto caption_size = mime ? cursor.big_endian() : std::nullopt;
  if (!caption_size || !cursor.take(*caption_size) || !cursor.take(16)) return;  // width, height, depth, colours
  const auto size = cursor.big_endian();
  const auto bytes = size ? cursor.take(*size) : std::nullopt;
  if (bytes) tags.pictures.push_back({std::string(*mime), {bytes->begin(), bytes->end()}});
}

/// The vendor text, which names the encoder, at the front of a comment block.
std::string_view vendor_of(const std::vector<Block>& blocks) {
  for (const Block& block : blocks) {
    if (block.type != kComments) continue;
    Cursor cursor(block.body);
    const auto size = cursor.little_endian();
    if (const auto vendor = size ? cursor.take(*size) : std::nullopt) return *vendor;
  }
  return {};
}

/// With all comments that a block has room for.
std::string comments_body(const Tags& tags, std::string_view vendor) {
  std::string comments;
  std::uint32_t count = 0;
  for (const auto& [key, value] : tags.fields) {
    std::string comment = key == "track" ? "tracknumber" : key;
    for (char& c : comment) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    comment += '=' + value;
    if (4 + vendor.size() + 4 + comments.size() + 4 + comment.size() > kMaxBlock) continue;
    append(comments, static_cast<std::uint32_t>(comment.size()), true);
    comments += comment;
    ++count;
  }
  std::string body;
  append(body, static_cast<std::uint32_t>(vendor.size()), true);
  body += vendor;
  append(body, count, true);
  return body + comments;
}

std::string picture_body(const Picture& picture) {
  std::string body;
  append(body, kFrontCover, false);
  append(body, static_cast<std::uint32_t>(picture.mime_type.size()), false);
  body += picture.mime_type;
  append(body, 0, false);                              // no caption
  for (int i = 0; i < 4; ++i) append(body, 0, false);  // width, height, depth, colours: unknown, which is allowed
  append(body, static_cast<std::uint32_t>(picture.bytes.size()), false);
  body.append(picture.bytes.begin(), picture.bytes.end());
  return body;
}

}  // namespace

Tags read_flac_tags(ByteFile& file) {
  Tags tags;
  for (const Block& block : read_metadata(file).blocks) {
    if (block.type == kComments) parse_comments(block.body, tags);
    if (block.type == kPicture) parse_picture(block.body, tags);
  }
  return tags;
}

void write_flac_tags(ByteFile& file, const Tags& tags) {
  const Metadata old = read_metadata(file);
  std::vector<Block> blocks;
  for (const Block& block : old.blocks)
    if (block.type != kComments && block.type != kPicture) blocks.push_back(block);
  blocks.push_back({kComments, comments_body(tags, vendor_of(old.blocks))});
  for (const Picture& picture : tags.pictures) blocks.push_back({kPicture, picture_body(picture)});
  std::erase_if(blocks, [](const Block& block) { return block.body.size() > kMaxBlock; });

  std::string header = "fLaC";
  for (const Block& block : blocks) {
    const bool last = &block == &blocks.back();
    const std::size_t size = block.body.size();
    header += static_cast<char>(block.type | (last ? kLast : 0));
    for (int shift : {16, 8, 0}) header += static_cast<char>(size >> shift);
    header += block.body;
  }
  if (header.size() < old.audio_offset) throw Error{ErrorCode::kInternal, "the new FLAC header is shorter than the old one", file.name()};
  file.shift_tail(old.audio_offset, header.size() - old.audio_offset);
  file.seek(0);
  file.write(header.data(), header.size());
  file.throw_if_failed();
}

void write_empty_flac(ByteFile& file, unsigned sample_rate, unsigned channels, unsigned bits) {
  constexpr unsigned kBlockFrames = 4096;
  constexpr int kMd5Bytes = 16;  // zero: not computed
  const std::uint64_t facts =
      std::uint64_t{sample_rate} << 44 | std::uint64_t{channels - 1} << 41 | std::uint64_t{bits - 1} << 36;  // and 36 bits of length: 0
  std::string stream_info;
  append(stream_info, kBlockFrames << 16 | kBlockFrames, false);
  stream_info.append(6, '\0');  // sizes of the smallest and the largest frame: unknown
  append(stream_info, static_cast<std::uint32_t>(facts >> 32), false);
  append(stream_info, static_cast<std::uint32_t>(facts), false);
  stream_info.append(kMd5Bytes, '\0');

  std::string bytes = "fLaC";
  append(bytes, kLast << 24 | static_cast<std::uint32_t>(stream_info.size()), false);  // type 0
  bytes += stream_info;
  file.seek(0);
  file.write(bytes.data(), bytes.size());
  file.throw_if_failed();
}

}  // namespace unbraid::io
