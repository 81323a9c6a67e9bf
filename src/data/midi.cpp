#include "unbraid/data/midi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "unbraid/core/error.hpp"

namespace unbraid::data {
namespace {

constexpr std::uint32_t kLongestVariableLength = 0x0FFFFFFF;  ///< four bytes of seven bits

/// The bytes of one chunk (or of the file), with a position for messages.
class ByteReader {
 public:
  ByteReader(std::span<const std::uint8_t> bytes, std::size_t offset, std::string_view context, std::string what)
      : bytes_(bytes), offset_(offset), context_(context), what_(std::move(what)) {}

  bool empty() const { return at_ == bytes_.size(); }
  std::size_t left() const { return bytes_.size() - at_; }
  [[noreturn]] void fail(std::string_view problem) const {
    throw Error{ErrorCode::kFormat, fmt::format("{} {} at byte {}", what_, problem, offset_ + at_), std::string(context_)};
  }
  std::uint8_t peek() const {
    if (empty()) fail("ends in the middle of an event");
    return bytes_[at_];
  }
  std::uint8_t byte() {
    const std::uint8_t value = peek();
    ++at_;
    return value;
  }
  std::uint8_t data_byte() {
    if (peek() & 0x80) fail("has a status byte where data belongs");
    return byte();
  }
  std::uint32_t big_endian(int count) {
    std::uint32_t value = 0;
    while (count-- > 0) value = value << 8 | byte();
    return value;
  }
  std::uint32_t variable_length() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const std::uint8_t next = byte();
      value = value << 7 | (next & 0x7F);
      if (!(next & 0x80)) return value;
    }
    fail("has a number of more than four bytes");
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    if (count > left()) fail(fmt::format("promises {} bytes and has {}", count, left()));
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  std::size_t position() const { return offset_ + at_; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t offset_;
  std::string_view context_;
  std::string what_;
  std::size_t at_ = 0;
};

/// How many data bytes follow a channel status.
int data_bytes(std::uint8_t status) {
  const int kind = status & 0xF0;
  return kind == 0xC0 || kind == 0xD0 ? 1 : 2;
}

std::vector<MidiEvent> parse_track(ByteReader reader) {
  std::vector<MidiEvent> events;
  std::uint64_t tick = 0;
  std::uint8_t running = 0;
  while (!reader.empty()) {
    tick += reader.variable_length();
    MidiEvent event{.tick = tick};
    event.status = reader.peek() & 0x80 ? reader.byte() : running;
    if (event.status == 0) reader.fail("has data without a status");
    if (event.is_channel()) {
      running = event.status;
      for (int i = 0; i < data_bytes(event.status); ++i) event.data[i] = reader.data_byte();
    } else if (event.status == 0xFF || event.status == 0xF0 || event.status == 0xF7) {
      if (event.status == 0xFF) {
        event.data[0] = reader.data_byte();
      } else {
        running = 0;
      }
      const auto payload = reader.take(reader.variable_length());
      if (event.is_meta(kMetaEndOfTrack)) break;  // whatever follows is not played
      event.payload.assign(payload.begin(), payload.end());
    } else {
      reader.fail(fmt::format("has the status 0x{:02X}, which no file may hold,", event.status));
    }
    events.push_back(std::move(event));
  }
  return events;
}

void append_big_endian(std::string& out, std::uint32_t value, int count) {
  for (int shift = 8 * (count - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xFF));
}

void append_variable_length(std::string& out, std::uint64_t value) {
  if (value > kLongestVariableLength)
    throw Error{ErrorCode::kUnsupported, fmt::format("{} does not fit a MIDI file's four-byte number", value)};
  for (int shift = 21; shift > 0; shift -= 7)
    if (value >> shift) out.push_back(static_cast<char>((value >> shift & 0x7F) | 0x80));
  out.push_back(static_cast<char>(value & 0x7F));
}

std::string encode_track(const std::vector<MidiEvent>& events) {
  std::string out;
  std::uint64_t tick = 0;
  std::uint8_t running = 0;
  for (const MidiEvent& event : events) {
    append_variable_length(out, event.tick - tick);
    tick = event.tick;
    if (event.is_channel()) {
      if (event.status != running) out.push_back(static_cast<char>(event.status));
      running = event.status;
      out.append(reinterpret_cast<const char*>(event.data.data()), static_cast<std::size_t>(data_bytes(event.status)));
    } else {
      running = 0;
      out.push_back(static_cast<char>(event.status));
      if (event.status == 0xFF) out.push_back(static_cast<char>(event.data[0]));
      append_variable_length(out, event.payload.size());
      out += event.payload;
    }
  }
  out.append({0x00, static_cast<char>(0xFF), kMetaEndOfTrack, 0x00});
  return out;
}

}  // namespace

MidiFile parse_midi(std::span<const std::uint8_t> bytes, std::string_view context) {
  ByteReader file(bytes, 0, context, "the file");
  const auto refuse = [&](ErrorCode code, std::string message) -> void { throw Error{code, std::move(message), std::string(context)}; };
  const auto has_type = [](std::span<const std::uint8_t> type, std::string_view name) {
    return std::equal(type.begin(), type.end(), name.begin(), name.end());
  };
  if (bytes.size() < 14 || !has_type(file.take(4), "MThd"))
    refuse(ErrorCode::kFormat, "is not a standard MIDI file: it does not start with MThd and a header");
  ByteReader header(file.take(file.big_endian(4)), 8, context, "the header");
  MidiFile result;
  result.format = static_cast<int>(header.big_endian(2));
  const std::uint32_t track_count = header.big_endian(2);
  result.division = static_cast<std::uint16_t>(header.big_endian(2));
  if (result.format == 2) refuse(ErrorCode::kUnsupported, "is a MIDI file of format 2 (independent patterns)");
  if (result.format > 2) refuse(ErrorCode::kFormat, fmt::format("has the MIDI format {}", result.format));
  if (result.format == 0 && track_count != 1)
    refuse(ErrorCode::kFormat, fmt::format("is of format 0 and has {} tracks instead of one", track_count));
  const int smpte_rate = -static_cast<std::int8_t>(result.division >> 8);
  const bool is_smpte = result.division & 0x8000;
  if (is_smpte ? (result.division & 0xFF) == 0 || (smpte_rate != 24 && smpte_rate != 25 && smpte_rate != 29 && smpte_rate != 30)
               : result.division == 0)
    refuse(ErrorCode::kFormat, fmt::format("has the impossible time division 0x{:04X}", result.division));

  while (result.tracks.size() < track_count) {
    const std::string what = fmt::format("track {}", result.tracks.size());
    if (file.left() < 8)
      refuse(ErrorCode::kFormat, fmt::format("is cut short: {} of {} tracks are there", result.tracks.size(), track_count));
    const bool is_track = has_type(file.take(4), "MTrk");
    const std::uint32_t length = file.big_endian(4);
    if (length > file.left()) refuse(ErrorCode::kFormat, fmt::format("is cut short: {} has {} of its {} bytes", what, file.left(), length));
    const std::size_t start = file.position();
    const auto chunk = file.take(length);
    if (is_track) result.tracks.push_back(parse_track(ByteReader(chunk, start, context, what)));
  }
  return result;
}

MidiFile read_midi(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream || std::filesystem::is_directory(path))
    throw Error{ErrorCode::kNotFound, "no such file, or it cannot be read", path.string()};
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  return parse_midi({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, path.string());
}

std::string encode_midi(const MidiFile& file) {
  std::string out = "MThd";
  append_big_endian(out, 6, 4);
  append_big_endian(out, static_cast<std::uint32_t>(file.format), 2);
  append_big_endian(out, static_cast<std::uint32_t>(file.tracks.size()), 2);
  append_big_endian(out, file.division, 2);
  for (const auto& events : file.tracks) {
    const std::string track = encode_track(events);
    out += "MTrk";
    append_big_endian(out, static_cast<std::uint32_t>(track.size()), 4);
    out += track;
  }
  return out;
}

TempoMap::TempoMap(const MidiFile& file) {
  if (file.division & 0x8000) {  // SMPTE: ticks per frame times frames per second; "29" is 30 drop frame
    const int rate = -static_cast<std::int8_t>(file.division >> 8);
    const double frames_per_second = rate == 29 ? 30.0 / 1.001 : rate;
    segments_.push_back({0, 0.0, 1.0 / (frames_per_second * (file.division & 0xFF))});
    return;
  }
  std::vector<const MidiEvent*> changes;
  for (const auto& track : file.tracks)
    for (const MidiEvent& event : track)
      if (event.is_meta(kMetaTempo) && event.payload.size() == 3) changes.push_back(&event);
  std::stable_sort(changes.begin(), changes.end(), [](auto* a, auto* b) { return a->tick < b->tick; });
  const double seconds_per_unit = 1e-6 / file.division;
  segments_.push_back({0, 0.0, 500'000 * seconds_per_unit});
  for (const MidiEvent* change : changes) {
    double microseconds = 0;
    for (const char byte : change->payload) microseconds = 256 * microseconds + static_cast<std::uint8_t>(byte);
    segments_.push_back({change->tick, seconds(change->tick), microseconds * seconds_per_unit});
  }
}

double TempoMap::seconds(std::uint64_t tick) const {
  const auto after =
      std::upper_bound(segments_.begin(), segments_.end(), tick, [](std::uint64_t t, const Segment& segment) { return t < segment.tick; });
  const Segment& segment = *std::prev(after);  // the last of those that start at the same tick
  return segment.seconds + static_cast<double>(tick - segment.tick) * segment.seconds_per_tick;
}

}  // namespace unbraid::data
