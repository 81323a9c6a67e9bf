#pragma once
// Tracks with their stems, made from MIDI: the way Slakh2100 was made, with any SoundFont.
//
//   data::SynthTrack track = data::synthesize(data::read_midi("song.mid"), {.soundfont = "FluidR3_GM.sf2"},
//   run); data::write_slakh_track(track, "my_slakh/Track00001", {});
//
// Every instrument (data::split_by_instrument) is rendered alone; each stem is brought to −13 LUFS (ITU-R
// BS.1770-4), the stems are summed, and one gain for all keeps the sum's peak under 10^(−1/20) (Manilow,
// Wichern, Seetharaman, Le Roux, "Cutting music source separation some Slakh", WASPAA 2019, and its
// generation code). Stems are rounded to the sample format before they are summed, so that the stored stems
// add up to the stored mix exactly; the peak may therefore pass its target by half a unit of the last place
// per stem.
//
// Reverb and chorus are off by default: a stem should hold its own instrument and nothing that depends on a
// room, so that rooms stay a matter of augmentation. Rendering happens at 44.1 kHz or above and is resampled:
// FluidSynth's own interpolation aliases at low rates. The same MIDI, options and FluidSynth version give the
// same samples whatever the thread count. Thread-safe.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/data/midi.hpp"
#include "unbraid/io/audio_format.hpp"

namespace unbraid::data {

struct SynthOptions {
  std::filesystem::path soundfont = "/usr/share/sounds/sf2/FluidR3_GM.sf2";  ///< .sf2 or .sf3
  double sample_rate = 44100;                                                ///< Hz of the files, 8000 … 96000
  std::size_t channels = 1;                                                  ///< 1: the mean of left and right; or 2
  io::SampleFormat format = io::SampleFormat::kPcm16;                        ///< kPcm16, kPcm24 or kFloat32
  double tail_s = 2;                                                         ///< silence for releases after the last note's end, ≥ 0
  double length_s = 0;                                                       ///< > 0: exactly so long, instead of last note + tail
  double max_length_s = 3600;  ///< longer pieces are refused: MIDI files with absurd times exist
  double stem_loudness_lufs = -13;
  double peak_dbfs = -1;  ///< of the mix, ≤ 0
  bool reverb = false;
  bool chorus = false;

  void validate() const;
};

struct SynthStem {
  int program = 0;  ///< 0 … 127; 128 for drums
  bool is_drum = false;
  std::size_t notes = 0;
  double loudness_lufs = 0;  ///< as rendered, before normalisation; −∞ when nothing can be heard
  MidiFile midi;             ///< the stem alone
  AudioBuffer audio;         ///< empty when nothing can be heard
  bool is_rendered() const noexcept { return !audio.empty(); }
};

struct SynthTrack {
  double sample_rate = 0;        ///< Hz
  std::vector<SynthStem> stems;  ///< S00, S01, …
  AudioBuffer mix;               ///< the sum of the stems
  double overall_gain = 1;       ///< that was applied to every stem after loudness normalisation; ≤ 1
  MidiFile midi;                 ///< the whole piece
  std::string uuid;              ///< MD5 of the piece's bytes, as the Lakh MIDI Dataset names its files
  std::string source;            ///< where the piece came from, for lmd_midi_dir; may be empty
  SynthOptions options;
};

/// kUnsupported when it cannot be played: no notes, nothing audible, too long.
SynthTrack synthesize(const MidiFile& song, const SynthOptions& options, RunContext& run);

struct SynthFiles {
  io::Container container = io::Container::kWav;  ///< kWav or kFlac
  bool overwrite = false;                         ///< else kIo when the folder holds a metadata.yaml already
};

/// all_src.mid, MIDI/Sxx.mid, stems/Sxx.(wav|flac), mix.(wav|flac) and, last, metadata.yaml.
void write_slakh_track(const SynthTrack& track, const std::filesystem::path& folder, const SynthFiles& files, RunContext& run);

/// Where the pieces of a dataset go: train/, validation/, test/ by a seeded draw, or all into one folder.
struct SynthSplits {
  double train = 0, validation = 0,
         test = 0;  ///< shares, each ≥ 0; all 0: no splits. Rounded to whole tracks.
  std::uint64_t seed = 0;
  void validate() const;
};

/// A piece to be played: a MIDI file, or one that is composed (compose.hpp).
struct SynthPiece {
  std::string source;          ///< file name or recipe, for metadata and messages
  std::filesystem::path path;  ///< read when its turn comes; unused when composed
  bool composed = false;
  std::uint64_t seed = 0, item = 0;  ///< of a composed piece
};

/// MIDI files among the paths and, by name, in the folders among them (recursively). kNotFound for a missing
/// path.
std::vector<SynthPiece> find_midi(const std::vector<std::filesystem::path>& paths);
/// The pieces that compose(seed, 0 … count − 1) makes.
std::vector<SynthPiece> composed_pieces(std::size_t count, std::uint64_t seed);

struct SynthReport {
  struct Made {
    std::string track;  ///< "train/Track00001"
    std::string source;
    double seconds;
    double overall_gain;
    std::vector<std::string> instruments;  ///< Slakh classes of the rendered stems
  };
  struct Skipped {
    std::string source;
    std::string reason;
  };
  std::vector<Made> made;
  std::vector<Skipped> skipped;
};

/// Plays every piece into folder/[split/]TrackNNNNN. A piece that cannot be read or played is skipped with
/// the reason; numbers and splits are those of the pieces' order and do not change when one is skipped.
SynthReport synthesize_dataset(const std::vector<SynthPiece>& pieces, const std::filesystem::path& folder, const SynthOptions& options,
                               const SynthFiles& files, const SynthSplits& splits, RunContext& run);

}  // namespace unbraid::data
