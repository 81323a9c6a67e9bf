#pragma once
// Standard MIDI files: reading, writing, time, and splitting into instruments.
//
//   data::MidiFile song = data::read_midi("song.mid");
//   data::TempoMap tempo(song);
//   for (const data::MidiPart& part : data::split_by_instrument(song))
//     fmt::print("{}: {} notes, {:.1f} s\n", data::program_name(part.program), part.notes,
//     tempo.seconds(part.end));
//
// Formats 0 and 1 of the "Standard MIDI Files 1.0" specification (RP-001, MIDI Association, 1996): metrical
// and SMPTE division, running status, system exclusive and meta events. Chunks of unknown types are skipped.
// Running status survives meta events, as most writers assume it does. Errors: kNotFound, kFormat (damaged;
// the message says where), kUnsupported (format 2). Values; safe to share between threads for reading.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unbraid::data {

struct MidiEvent {
  std::uint64_t tick = 0;              ///< since the start of the file
  std::uint8_t status = 0;             ///< 0x80…0xEF channel message; 0xF0, 0xF7 system exclusive; 0xFF meta
  std::array<std::uint8_t, 2> data{};  ///< a channel message's data bytes; for a meta event data[0] is its type
  std::string payload = {};            ///< what a meta or system exclusive event carries, without its length

  bool is_channel() const noexcept { return status >= 0x80 && status < 0xF0; }
  std::uint8_t kind() const noexcept { return status & 0xF0; }     ///< 0x80 note off, 0x90 note on, 0xB0 control, …
  std::uint8_t channel() const noexcept { return status & 0x0F; }  ///< 0 … 15; 9 is percussion
  bool is_note_on() const noexcept { return is_channel() && kind() == 0x90 && data[1] > 0; }
  bool is_note_off() const noexcept { return is_channel() && (kind() == 0x80 || (kind() == 0x90 && data[1] == 0)); }
  bool is_meta(std::uint8_t type) const noexcept { return status == 0xFF && data[0] == type; }
};

// Types of meta events that time and splitting depend on.
inline constexpr std::uint8_t kMetaTrackName = 0x03, kMetaEndOfTrack = 0x2F, kMetaTempo = 0x51, kMetaTimeSignature = 0x58,
                              kMetaKeySignature = 0x59;

struct MidiFile {
  int format = 1;                              ///< 0: one track; 1: simultaneous tracks
  std::uint16_t division = 480;                ///< as in the header: ticks per quarter note, or SMPTE when the top bit is set
  std::vector<std::vector<MidiEvent>> tracks;  ///< each in order of time, without its end-of-track event
};

MidiFile read_midi(const std::filesystem::path& path);
/// context names the source in error messages.
MidiFile parse_midi(std::span<const std::uint8_t> bytes, std::string_view context = "MIDI");
/// The bytes of a file, with running status. parse_midi gives the same MidiFile back.
std::string encode_midi(const MidiFile& file);

/// Ticks to seconds, by all tempo events of all tracks. 120 quarter notes per minute until the first.
class TempoMap {
 public:
  explicit TempoMap(const MidiFile& file);
  double seconds(std::uint64_t tick) const;

 private:
  struct Segment {
    std::uint64_t tick;
    double seconds;           ///< at tick
    double seconds_per_tick;  ///< from tick on
  };
  std::vector<Segment> segments_;  ///< by tick; the first at 0
};

/// Everything that one instrument plays: what Slakh calls a source.
struct MidiPart {
  int program = 0;       ///< 0 … 127, or kDrumProgram
  bool is_drum = false;  ///< channel 10 as musicians count
  std::string name;      ///< of the track that holds its first note; may be empty
  std::size_t notes = 0;
  std::uint64_t end = 0;          ///< tick of the last note's end
  std::vector<MidiEvent> events;  ///< channel messages in order of time: bank and program first; every note ends
};

/// One part for each track, channel and program that play notes, in the order of tracks and inside a track of
/// first notes, as Slakh's sources are made: two tracks on one channel are two players. Percussion is one
/// part, whatever its tracks and kits. A note belongs to the program in force when it starts, and without an
/// end lasts to the end of the file. Control changes, pitch bends and pressure go to the parts of their track
/// and channel; those from a track that plays nothing on the channel go to all its parts.
std::vector<MidiPart> split_by_instrument(const MidiFile& file);

/// A format 1 file with the part alone: first the song's tempo and signatures, then the part's track.
MidiFile part_file(const MidiFile& song, const MidiPart& part);

/// As Slakh writes program_num: percussion is 128.
inline constexpr int kDrumProgram = 128;
/// "Acoustic Grand Piano" … "Gunshot", "Drums": General MIDI's names as Slakh spells them. 0 ≤ program ≤ 128.
std::string_view program_name(int program);
/// Slakh's inst_class: "Piano", "Chromatic Percussion", …, "Drums". 0 ≤ program ≤ 128.
std::string_view instrument_class(int program);

}  // namespace unbraid::data
