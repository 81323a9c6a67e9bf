#include "unbraid/data/midi.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::data {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes chunk(const char* type, Bytes body) {
  Bytes out(type, type + 4);
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(body.size() >> shift));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

Bytes file(std::uint8_t format, std::uint16_t division, const std::vector<Bytes>& tracks) {
  Bytes out = chunk("MThd", {0, format, 0, static_cast<std::uint8_t>(tracks.size()), static_cast<std::uint8_t>(division >> 8),
                             static_cast<std::uint8_t>(division)});
  for (const Bytes& track : tracks) {
    const Bytes body = chunk("MTrk", track);
    out.insert(out.end(), body.begin(), body.end());
  }
  return out;
}

void expect_format_error(const Bytes& bytes, const std::string& part_of_message) {
  try {
    parse_midi(bytes, "x.mid");
    ADD_FAILURE() << "accepted; expected: " << part_of_message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat) << error.what();
    EXPECT_NE(std::string(error.what()).find(part_of_message), std::string::npos) << error.what();
    EXPECT_EQ(error.context(), "x.mid");
  }
}

// The example file of the specification's appendix ("Standard MIDI Files 1.0", format 0): three channels, a
// running status, time and tempo.
const Bytes kSpecificationExample{0x4D, 0x54, 0x68, 0x64, 0,    0,    0,    6,    0,    0,    0,    1,    0,    0x60, 0x4D, 0x54, 0x72,
                                  0x6B, 0,    0,    0,    0x3B, 0,    0xFF, 0x58, 4,    4,    2,    0x18, 8,    0,    0xFF, 0x51, 3,
                                  7,    0xA1, 0x20, 0,    0xC0, 5,    0,    0xC1, 0x2E, 0,    0xC2, 0x46, 0,    0x92, 0x30, 0x60, 0,
                                  0x3C, 0x60, 0x60, 0x91, 0x43, 0x40, 0x60, 0x90, 0x4C, 0x20, 0x81, 0x40, 0x82, 0x30, 0x40, 0,    0x3C,
                                  0x40, 0,    0x81, 0x43, 0x40, 0,    0x80, 0x4C, 0x40, 0,    0xFF, 0x2F, 0};

TEST(Midi, ReadsTheSpecificationsExample) {
  const MidiFile song = parse_midi(kSpecificationExample);
  EXPECT_EQ(song.format, 0);
  EXPECT_EQ(song.division, 96);
  ASSERT_EQ(song.tracks.size(), 1u);
  ASSERT_EQ(song.tracks[0].size(), 13u);
  const auto parts = split_by_instrument(song);
  ASSERT_EQ(parts.size(), 3u);
  // In the order of first notes: channel 3 (bassoon), channel 2 (harp), channel 1 (electric piano 2).
  EXPECT_EQ(parts[0].program, 0x46);
  EXPECT_EQ(parts[0].notes, 2u);
  EXPECT_EQ(program_name(parts[1].program), "Orchestral Harp");
  EXPECT_EQ(instrument_class(parts[2].program), "Piano");
  const TempoMap tempo(song);
  EXPECT_DOUBLE_EQ(tempo.seconds(96), 0.5);            // a quarter at 120 per minute
  EXPECT_DOUBLE_EQ(tempo.seconds(parts[0].end), 2.0);  // the whole bar: 384 ticks
}

TEST(Midi, WritesWhatItReads) {
  const MidiFile song = parse_midi(kSpecificationExample);
  const std::string bytes = encode_midi(song);
  // The example's own writer uses running status only where ours does, and ends the same way.
  EXPECT_EQ(Bytes(bytes.begin(), bytes.end()), kSpecificationExample);
}

TEST(Midi, VariableLengthNumbersRoundTrip) {
  // The specification's table of variable-length quantities.
  const std::vector<std::pair<std::uint64_t, Bytes>> table{{0, {0}},
                                                           {0x40, {0x40}},
                                                           {0x7F, {0x7F}},
                                                           {0x80, {0x81, 0}},
                                                           {0x2000, {0xC0, 0}},
                                                           {0x3FFF, {0xFF, 0x7F}},
                                                           {0x4000, {0x81, 0x80, 0}},
                                                           {0x1FFFFF, {0xFF, 0xFF, 0x7F}},
                                                           {0x200000, {0x81, 0x80, 0x80, 0}},
                                                           {0x0FFFFFFF, {0xFF, 0xFF, 0xFF, 0x7F}}};
  for (const auto& [value, encoded] : table) {
    Bytes track = encoded;
    track.insert(track.end(), {0x90, 60, 64, 0, 0xFF, 0x2F, 0});
    const Bytes bytes = file(0, 480, {track});
    const MidiFile song = parse_midi(bytes);
    EXPECT_EQ(song.tracks.at(0).at(0).tick, value);
    const std::string written = encode_midi(song);
    EXPECT_EQ(Bytes(written.begin(), written.end()), bytes);
  }
}

TEST(Midi, SystemExclusiveEndsRunningStatusAndMetaDoesNot) {
  EXPECT_EQ(parse_midi(file(0, 96, {{0, 0x90, 60, 64, 0, 0xFF, 1, 1, 'x', 1, 60, 0}})).tracks[0].size(), 3u);
  expect_format_error(file(0, 96, {{0, 0x90, 60, 64, 0, 0xF0, 1, 0xF7, 1, 60, 0}}), "data without a status");
}

TEST(Midi, TempoChangesAddUp) {
  // 480 ticks at 120 bpm, 480 at 60, the rest at 240; the last of two changes at one tick counts.
  const MidiFile song = parse_midi(
      file(1, 480,
           {{0x83, 0x60, 0xFF, 0x51, 3, 0x0F, 0x42, 0x40, 0x83, 0x60, 0xFF, 0x51, 3, 0x0F, 0x42, 0x40, 0, 0xFF, 0x51, 3, 0x03, 0xD0, 0x90},
            {0, 0x90, 60, 1}}));
  const TempoMap tempo(song);
  EXPECT_DOUBLE_EQ(tempo.seconds(240), 0.25);
  EXPECT_DOUBLE_EQ(tempo.seconds(480), 0.5);
  EXPECT_DOUBLE_EQ(tempo.seconds(720), 1.0);
  EXPECT_DOUBLE_EQ(tempo.seconds(960), 1.5);
  EXPECT_DOUBLE_EQ(tempo.seconds(1440), 1.75);
}

TEST(Midi, SmpteTimeHasNoTempo) {
  const MidiFile song = parse_midi(file(0, 0xE728, {{0, 0xFF, 0x51, 3, 0x0F, 0x42, 0x40, 0, 0x90, 60, 1}}));
  EXPECT_DOUBLE_EQ(TempoMap(song).seconds(1000), 1.0);  // 25 frames of 40 ticks
  const MidiFile drop = parse_midi(file(0, 0xE364, {{0, 0x90, 60, 1}}));
  EXPECT_NEAR(TempoMap(drop).seconds(3000), 1.001, 1e-12);  // 29.97 frames of 100 ticks
}

TEST(Midi, DamagedFilesSayWhatIsWrong) {
  expect_format_error({}, "does not start with MThd");
  expect_format_error(Bytes(40, 'R'), "does not start with MThd");
  expect_format_error(file(0, 0, {{}}), "time division 0x0000");
  expect_format_error(file(0, 0xE700, {{}}), "time division");
  expect_format_error(file(0, 0x8001, {{}}), "time division");
  expect_format_error(file(3, 96, {{}}), "format 3");
  expect_format_error(file(0, 96, {{}, {}}), "instead of one");
  expect_format_error(file(0, 96, {{0, 60, 64}}), "data without a status");
  expect_format_error(file(0, 96, {{0, 0x90, 60}}), "ends in the middle of an event at byte 25");
  expect_format_error(file(0, 96, {{0, 0x90, 60, 0x90}}), "status byte where data belongs");
  expect_format_error(file(0, 96, {{0, 0xF1, 1}}), "0xF1");
  expect_format_error(file(0, 96, {{0, 0xFF, 3, 100, 'x'}}), "promises 100 bytes and has 1");
  expect_format_error(file(0, 96, {{0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x90, 60, 1}}), "more than four bytes");
  Bytes two = file(1, 96, {{0, 0x90, 60, 1}, {}});
  two.resize(two.size() - 8);
  expect_format_error(two, "1 of 2 tracks");
  try {
    parse_midi(file(2, 96, {{}}));
    ADD_FAILURE() << "format 2 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  }
}

TEST(Midi, EveryTruncationAndManyCorruptionsAreRefusedOrRead) {
  const Bytes good = kSpecificationExample;
  for (std::size_t length = 0; length < good.size(); ++length) {
    // Only a file cut inside its last event could still be whole; the track's length says otherwise.
    EXPECT_THROW(parse_midi({good.data(), length}), Error) << length;
  }
  Rng rng(11);
  std::size_t refused = 0;
  for (int trial = 0; trial < 5000; ++trial) {
    Bytes bad = good;
    for (int i = 0; i < 3; ++i) bad[rng.index(bad.size())] = static_cast<std::uint8_t>(rng.bits32());
    try {
      const MidiFile song = parse_midi(bad);
      const TempoMap tempo(song);
      for (const MidiPart& part : split_by_instrument(song)) {
        EXPECT_GE(tempo.seconds(part.end), 0.0);
        parse_midi([&] {
          const std::string s = encode_midi(part_file(song, part));
          return Bytes(s.begin(), s.end());
        }());
      }
    } catch (const Error& error) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 500u);  // both outcomes occur
  EXPECT_LT(refused, 4900u);
}

TEST(Midi, UnknownChunksAndWhatFollowsTheEndAreSkipped) {
  Bytes bytes = file(1, 96, {{0, 0x90, 60, 1, 10, 0x80, 60, 0, 0, 0xFF, 0x2F, 0, 0xFF, 0xFF}});
  const Bytes extra = chunk("XFIH", {1, 2, 3});
  bytes.insert(bytes.begin() + 14, extra.begin(), extra.end());
  EXPECT_EQ(parse_midi(bytes).tracks.at(0).size(), 2u);
}

// ---- Splitting
// ----------------------------------------------------------------------------------------------

MidiEvent event(std::uint64_t tick, int status, int a, int b = 0) {
  return {.tick = tick, .status = static_cast<std::uint8_t>(status), .data = {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)}};
}

TEST(MidiSplit, ProgramChangesMakePartsAndNotesKeepTheirs) {
  // The note that starts on program 5 ends after the change to 40.
  const MidiFile song{.tracks = {{event(0, 0xC0, 5), event(0, 0x90, 60, 80), event(5, 0xC0, 40), event(5, 0x90, 62, 80),
                                  event(10, 0x80, 60), event(20, 0x90, 62, 0)}}};
  const auto parts = split_by_instrument(song);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].program, 5);
  EXPECT_EQ(parts[0].end, 10u);
  EXPECT_EQ(parts[0].events.size(), 3u);
  EXPECT_EQ(parts[1].program, 40);
  EXPECT_EQ(parts[1].end, 20u);
  EXPECT_EQ(parts[1].events.front().kind(), 0xC0);
  EXPECT_EQ(parts[1].events.front().tick, 0u);
}

TEST(MidiSplit, TracksOnOneChannelAreTwoPlayersAndDrumsAreOne) {
  const MidiFile song{.tracks = {{event(0, 0xB0, 7, 100)},
                                 {event(0, 0xC0, 1), event(0, 0x90, 60, 80), event(9, 0x80, 60)},
                                 {event(0, 0xC0, 1), event(0, 0x90, 64, 80), event(0, 0xB0, 10, 3), event(9, 0x80, 64)},
                                 {event(0, 0x99, 36, 80), event(3, 0x89, 36)},
                                 {event(0, 0x99, 38, 80), event(5, 0x89, 38)}}};
  const auto parts = split_by_instrument(song);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].notes, 1u);
  EXPECT_TRUE(parts[2].is_drum);
  EXPECT_EQ(parts[2].program, kDrumProgram);
  EXPECT_EQ(parts[2].notes, 2u);
  const auto has_control = [](const MidiPart& part, int controller) {
    return std::any_of(part.events.begin(), part.events.end(),
                       [&](const MidiEvent& e) { return e.kind() == 0xB0 && e.data[0] == controller; });
  };
  EXPECT_TRUE(has_control(parts[0], 7));  // from the conductor's track: both players
  EXPECT_TRUE(has_control(parts[1], 7));
  EXPECT_FALSE(has_control(parts[0], 10));  // from the second player's own
  EXPECT_TRUE(has_control(parts[1], 10));
}

TEST(MidiSplit, HangingNotesEndWithTheFile) {
  const MidiFile song{.tracks = {{event(0, 0x90, 60, 80), event(0, 0x90, 60, 80), event(4, 0x80, 60), event(99, 0xB0, 1, 1)}}};
  const auto parts = split_by_instrument(song);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].end, 99u);
  std::size_t ends = 0;
  for (const MidiEvent& e : parts[0].events) ends += e.is_note_off();
  EXPECT_EQ(ends, 2u);
}

TEST(MidiSplit, NothingToPlay) {
  EXPECT_TRUE(split_by_instrument({}).empty());
  EXPECT_TRUE(split_by_instrument({.tracks = {{}, {event(0, 0x80, 60)}}}).empty());
}

TEST(MidiPrograms, AreSlakhs) {
  std::set<std::string_view> classes;
  for (int program = 0; program <= kDrumProgram; ++program) {
    EXPECT_FALSE(program_name(program).empty());
    classes.insert(instrument_class(program));
  }
  EXPECT_EQ(classes.size(), 17u);  // General MIDI's sixteen families and Drums
  EXPECT_EQ(instrument_class(48), "Strings (continued)");
  EXPECT_EQ(instrument_class(110), "Ethnic");
  EXPECT_EQ(instrument_class(118), "Percussive");
  EXPECT_EQ(instrument_class(119), "Sound effects");
  EXPECT_EQ(instrument_class(96), "Sound Effects");
  EXPECT_EQ(program_name(94), "Pad 7 (halo)");
  EXPECT_THROW(program_name(129), Error);
  EXPECT_THROW(instrument_class(-1), Error);
}

}  // namespace
}  // namespace unbraid::data
