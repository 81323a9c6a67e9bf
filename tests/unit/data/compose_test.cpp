#include "unbraid/data/compose.hpp"

#include <gtest/gtest.h>

#include <set>

#include "unbraid/core/error.hpp"

namespace unbraid::data {
namespace {

TEST(Compose, IsAFunctionOfSeedAndItem) {
  EXPECT_EQ(encode_midi(compose({.seed = 1, .item = 2})), encode_midi(compose({.seed = 1, .item = 2})));
  EXPECT_NE(encode_midi(compose({.seed = 1, .item = 2})), encode_midi(compose({.seed = 1, .item = 3})));
  EXPECT_NE(encode_midi(compose({.seed = 1, .item = 2})), encode_midi(compose({.seed = 2, .item = 2})));
}

TEST(Compose, EveryPieceHasABandAndItsLength) {
  std::set<std::string> classes;
  std::set<std::string> openings;
  for (std::uint64_t item = 0; item < 60; ++item) {
    const MidiFile song = compose({.seed = 1, .item = item, .length_s = 30});
    const auto parts = split_by_instrument(song);
    EXPECT_GE(parts.size(), 4u);
    EXPECT_LE(parts.size(), 12u);
    EXPECT_EQ(std::count_if(parts.begin(), parts.end(), [](const MidiPart& p) { return p.is_drum; }), 1);
    EXPECT_TRUE(std::any_of(parts.begin(), parts.end(), [](const MidiPart& p) { return instrument_class(p.program) == "Bass"; }));
    const TempoMap tempo(song);
    double end = 0;
    for (const MidiPart& part : parts) {
      classes.emplace(instrument_class(part.program));
      end = std::max(end, tempo.seconds(part.end));
      for (const MidiEvent& event : part.events)
        if (event.is_note_on() && !part.is_drum) {
          EXPECT_TRUE(event.data[0] >= 21 && event.data[0] <= 108) << int{event.data[0]};
        }
    }
    // Phrases of 16 beats at 70 to 160 per minute: rounding moves the end by at most half of 13.7 s, and the
    // last bar slows down.
    EXPECT_NEAR(end, 30, 8.5);
    openings.insert(encode_midi(part_file(song, parts[1])).substr(0, 200));
  }
  EXPECT_EQ(classes.size(), 17u);   // all of Slakh's
  EXPECT_EQ(openings.size(), 60u);  // no two pieces alike
}

TEST(Compose, RefusesAbsurdLengths) {
  for (const double length : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()}) EXPECT_THROW(compose({.length_s = length}), Error);
}

}  // namespace
}  // namespace unbraid::data
