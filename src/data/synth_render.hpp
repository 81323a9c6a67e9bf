#pragma once
// One MIDI part through a SoundFont, offline.
//
//   AudioBuffer stereo = render_part(part, tempo, {.soundfont = "FluidR3_GM.sf2", .sample_rate = 44100},
//   frames);
//
// Deterministic: the same part, options and FluidSynth version give the same samples, in any order and from
// any number of threads (every call has a synthesiser of its own). Events take effect at boundaries of
// FluidSynth's blocks of 64 frames, chosen as its own player chooses them, so that the samples equal those of
// `fluidsynth -F` without its latency of one block: an event comes at most 2.5 ms late at 44.1 kHz.

#include <cstddef>
#include <filesystem>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/data/midi.hpp"

namespace unbraid::data {

struct RenderOptions {
  std::filesystem::path soundfont;
  double sample_rate = 44100;  ///< Hz, 8000 … 96000
  bool reverb = false;
  bool chorus = false;
};

/// kNotFound or kFormat when the file is missing or no SoundFont.
void check_soundfont(const std::filesystem::path& path);

/// Stereo. Whatever sounds after `frames` is cut.
AudioBuffer render_part(const MidiPart& part, const TempoMap& tempo, const RenderOptions& options, std::size_t frames);

}  // namespace unbraid::data
