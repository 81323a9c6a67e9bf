#pragma once
// One track of Slakh2100 or BabySlakh: a folder with metadata.yaml, the mix and its stems.
//
//   data::SlakhTrack track("babyslakh_16k/Track00010");
//   for (const data::SlakhStem& stem : track.stems_by_class("Guitar"))
//   play(*track.stem_paths(stem.stem_id).audio);
//
// Layout: <Track>/{all_src.mid, metadata.yaml, mix.(wav|flac), MIDI/Sxx.mid, stems/Sxx.(wav|flac)}
// (Manilow, Wichern, Seetharaman, Le Roux, "Cutting music source separation some Slakh", WASPAA 2019).
// What metadata.yaml says is taken as it stands; whether a stem can be heard is asked of the disk:
// audio_rendered is false beside rendered stems in the published data. Immutable after construction.

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unbraid/data/dataset.hpp"

namespace unbraid::data {

/// A stem as metadata.yaml describes it. Fields that the file leaves out are empty.
struct SlakhStem {
  std::string stem_id;  ///< "S00"
  std::optional<std::string> inst_class;
  std::optional<std::string> midi_program_name;
  std::optional<int> program_num;  ///< General MIDI, from 0; 128 for drums
  bool is_drum = false;
  std::optional<double> integrated_loudness;  ///< LUFS before normalisation; −∞ for a silent stem
  std::optional<std::string> plugin_name;
  bool audio_rendered = false;
  bool midi_saved = false;

  /// The name that the oracle notebook gives it: "S00_Bass".
  std::string label() const;
};

struct SlakhInfo {
  std::optional<std::string> uuid;
  std::optional<bool> normalized;
  std::optional<double> overall_gain;
  std::optional<double> normalization_factor;  ///< LUFS
  std::optional<double> target_peak;           ///< dBFS
  std::optional<std::string> lmd_midi_dir;     ///< the MIDI file's place in the Lakh data set
  std::string audio_dir = "stems";
  std::string midi_dir = "MIDI";
  std::size_t num_stems = 0;  ///< as metadata.yaml lists them, with or without files
};

class SlakhTrack {
 public:
  /// kNotFound without metadata.yaml, kFormat (with the line) when it is damaged.
  explicit SlakhTrack(std::filesystem::path folder);

  const std::filesystem::path& folder() const noexcept { return folder_; }
  const SlakhInfo& info() const noexcept { return info_; }
  /// In the order of the file.
  const std::vector<SlakhStem>& stems() const noexcept { return stems_; }
  const SlakhStem* stem(std::string_view stem_id) const;  ///< nullptr when unknown
  std::vector<SlakhStem> stems_by_class(std::string_view inst_class) const;
  std::vector<SlakhStem> drum_stems() const;

  struct Paths {
    std::filesystem::path audio;  ///< .wav or .flac, whichever exists; .wav where neither does
    std::filesystem::path midi;
  };
  Paths stem_paths(std::string_view stem_id) const;
  std::filesystem::path mix_path() const;

  /// The classes that play, each once, sorted.
  std::vector<std::string> instruments() const;
  /// "SlakhTrack(uuid='…', stems=7)"
  std::string to_string() const;

 private:
  std::filesystem::path folder_;
  SlakhInfo info_;
  std::vector<SlakhStem> stems_;
};

/// The track as any other dataset's; its stems are named by id and carry their inst_class as instrument.
Track slakh_track(const std::filesystem::path& folder);

}  // namespace unbraid::data
