#pragma once
// Small pieces of music by rule, for data that anyone may use: nobody's copyright, and the same everywhere.
//
//   data::MidiFile song = data::compose({.seed = 1, .item = 3});
//
// A piece has a key, a mode, a tempo and a form of verses and choruses over chord progressions; a band of
// drums, bass, one or two comping instruments, a pad and a lead plays it, with swing and small deviations of
// time and loudness. Instruments are drawn so that a few dozen pieces cover Slakh's classes. Pure function of
// its options.

#include <cstdint>

#include "unbraid/data/midi.hpp"

namespace unbraid::data {

struct ComposeOptions {
  std::uint64_t seed = 0;
  std::uint64_t item = 0;  ///< the piece; every item is a stream of its own
  double length_s = 40;    ///< about; a whole number of four-bar phrases, at least one. 1 … 600
  void validate() const;
};

MidiFile compose(const ComposeOptions& options);

}  // namespace unbraid::data
