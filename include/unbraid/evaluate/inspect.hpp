#pragma once
// What can be said about stems without knowing the truth.
//
//   evaluate::Inspection i = evaluate::inspect({{"vocals", vocals}, {"drums", drums}}, mixture, run);
//   for (const auto& check : i.stems[0].checks) print(check.name, to_string(check.verdict), check.text);
//
// Each stem is checked for
//   not finite   samples that are NaN or infinite                                      bad when there are any
//   silence      a level (root mean square) below −80 dBFS                             a note
//   clipping     three or more samples in a row at full scale (≥ 32767/32768)          a note
//   offset       a mean beyond ±0.001 (−60 dBFS)                                       a note
//   bandwidth    the frequency above which every bin lies 80 dB below the loudest      a note below 0.8·rate/2
//   seams        single-sample jumps that come at regular distances, as badly joined chunks leave them: samples whose
//                second difference is 12 times the mean of its 60 neighbours; bad when at least four of them lie on one
//                grid that holds most of them
// and all together for
//   residual     level of (sum of the stems − mixture) against the mixture             ok below −40 dB, bad above −10 dB
//   similarity   the correlation of every two stems: r² is the share of one's energy that could have come from the
//                other                                                                 a note above 0.3, bad above 0.9
//   bleed        the share of one's energy that the other, filtered, could have made: their coherence over 0.7 s, louder
//                direction (src/evaluate/bleed_meter.hpp). Instruments that play the same notes in time are coherent,
//                too, so this is never bad                                             a note above −15 dB
// Pairs with a silent stem are left out of the last two.
// Verdicts are about the files, not the music: a quiet bridge is no fault, a stem that repeats another is.
//
// Streamed in blocks: memory does not grow with the track. kFormat when rates, channels or lengths differ.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/audio_source.hpp"

namespace unbraid::evaluate {

enum class Verdict { kOk, kNote, kBad };
std::string_view to_string(Verdict verdict);  ///< "ok", "note", "bad"

struct Check {
  std::string name;
  Verdict verdict = Verdict::kOk;
  double value = 0;  ///< what was measured; NaN or infinite where there is nothing to measure
  std::string unit;  ///< of value: "samples", "dB", "Hz", "frames" or nothing
  std::string text;  ///< one line for a reader
};

struct StemInspection {
  std::string name;
  std::vector<Check> checks;
};

struct Inspection {
  double sample_rate = 0;  ///< Hz
  double seconds = 0;
  std::vector<StemInspection> stems;
  std::vector<Check> together;
};

struct NamedSource {
  std::string name;
  data::SourcePtr audio;
};

/// mixture may be null: there is no residual then. kUsage without stems.
Inspection inspect(const std::vector<NamedSource>& stems, const data::SourcePtr& mixture, RunContext& run);

}  // namespace unbraid::evaluate
