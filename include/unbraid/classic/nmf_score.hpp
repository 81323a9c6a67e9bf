#pragma once
// Factorisation that follows a score: every note that is written has a component, active only while it sounds.
//
//   const classic::Score score = classic::read_score("Track00001/all_src.mid");     // stems named by instrument class
//   classic::score_masks(magnitudes, 44100, hop, score, {}, run);                    // one mask per score.stems
//
// Ewert, Müller, "Using score-informed constraints for NMF-based source separation", ICASSP 2012: the dictionary has a
// component per instrument and pitch that occurs, which starts as bands around the pitch's harmonics and is 0 elsewhere;
// the activations start as 1 around the notes and are 0 elsewhere. Multiplicative updates (nmf.hpp) keep every 0, so the
// factorisation can only fill in what the score allows. Percussion has no harmonics: its components start flat, one per
// key. A source's mask is its share of the model; where the model is 0, all share alike.
//
// Cost: that of nmf.hpp with as many components as there are (instrument, pitch) pairs.

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct ScoreNote {
  std::size_t stem = 0;  ///< place in Score::stems
  int key = 60;          ///< MIDI: 69 is A4, 440 Hz
  bool percussion = false;
  double start_s = 0, end_s = 0;
};

struct Score {
  std::vector<std::string> stems;
  std::vector<ScoreNote> notes;
};

/// A MIDI file's notes; instruments of one class (data::instrument_class(): "Piano", "Bass", "Drums") are one stem. Errors
/// of data::read_midi(); kFormat when it holds no note.
Score read_score(const std::filesystem::path& midi);

struct ScoreOptions {
  std::size_t iterations = 30;
  std::size_t harmonics = 20;
  double width_semitones = 1;  ///< of the bands around harmonics, to both sides together
  double early_s = 0.1;        ///< notes may sound so long before their written start
  double late_s = 0.3;         ///< and after their end

  /// kUsage when a value is out of its range.
  void validate() const;
};

/// magnitudes: one channel of at least two bins. hop: samples from frame to frame. kUsage for others, and for a note whose
/// stem is not among score.stems or whose key is none of MIDI's 0 … 127.
std::vector<dsp::Mask<float>> score_masks(const dsp::Magnitudes<float>& magnitudes, double sample_rate, std::size_t hop, const Score& score,
                                          const ScoreOptions& options, RunContext& run);

}  // namespace unbraid::classic
