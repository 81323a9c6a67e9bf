#pragma once
// Mixtures without end from a dataset's stems: what training sees.
//
//   data::MixRecipe recipe = data::read_mix_recipe("vocals.yaml");
//   data::MixtureDataset mixtures(data::open_dataset(recipe.sources.path), recipe);
//   data::Mixture item = mixtures.make(17);            // always the same item 17: alone, in any order, on
//   any thread train_on(item.audio, item.stems.at("vocals"));
//
// The rules are Scaper's (Salamon, MacConnell, Cartwright, Li, Bello, "Scaper: a library for soundscape
// synthesis and augmentation", WASPAA 2017) as nussl uses them for music. Every stem is an event: an excerpt
// of a song's stem, pitch-shifted and stretched, with effects, at a level of ref_db + snr_db LUFS, faded, and
// placed at event_time. An incoherent mixture draws everything per stem; a coherent one takes all stems from
// one song and shares source time, pitch and stretch. If the sum's peak passes 1, everything is divided by
// it. Item i draws from Rng(seed, i).
//
// In order, for one event: duration (cut to what the source has), stretch (and the duration cut so that
// duration × stretch fits the mixture), source time (moved to where the excerpt fits), event time (moved
// likewise), snr, pitch. Loudness is that of Scaper (dsp::block_loudness_lufs), at least −70; excerpts under
// 0.5 s are repeated to measure it.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/core/stems.hpp"
#include "unbraid/data/augment.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/data/distribution.hpp"
#include "unbraid/io/audio_format.hpp"

namespace unbraid::data {

/// How one stem's events are drawn.
struct MixEventSpec {
  NameChoice source = {};  ///< tracks to take it from
  double silence = 0;      ///< probability that the stem is silent
  Distribution source_time_s = Distribution::constant(0);
  Distribution event_time_s = Distribution::constant(0);
  std::optional<Distribution> event_duration_s = {};  ///< of the source, before stretching; empty: the mixture's
  std::optional<Distribution> snr_db = {};            ///< against ref_db; empty: the level of the recording
  std::optional<Distribution> pitch_shift = {};       ///< semitones
  std::optional<Distribution> time_stretch = {};      ///< > 1 is longer
  std::vector<EffectSpec> effects = {};               ///< in this order, before the level is set
};

struct MixStemSpec {
  std::string name;
  MixEventSpec event;
};

struct MixSources {
  std::filesystem::path path;  ///< a dataset that open_dataset() knows
  std::string format = "auto";
  std::string split = {};   ///< empty: all
  std::string submix = {};  ///< "four_stems" or a submix definition file (data/views.hpp); empty: the stems as they are
};

/// What coherent mixtures do with songs that lack some of the stems but have two.
enum class PartialSongs {
  kLeftOut,
  kSilent,  ///< the missing stems are silent
  kFilled,  ///< the missing stems are drawn from other songs, as in an incoherent mixture
};

struct MixRecipe {
  MixSources sources;
  std::vector<MixStemSpec> stems;  ///< in the order of the output
  std::uint64_t seed = 0;
  std::size_t count = 1000;  ///< items
  double duration_s = 5;
  double sample_rate = 44100;       ///< Hz; sources are resampled
  std::size_t channels = 1;         ///< 1 or 2; sources are converted
  double ref_db = -20;              ///< LUFS of an event with an snr of 0
  double coherent = 0.5;            ///< the share of coherent mixtures, 0 … 1
  NameChoice coherent_source = {};  ///< tracks to take coherent mixtures from; empty: the first stem's source
  PartialSongs partial_songs = PartialSongs::kLeftOut;
  double solo = 0;       ///< the share of mixtures in which one of the stems that would sound plays alone, 0 … 1
  double fade_s = 0.01;  ///< quarter-sine fades at both ends of every event
  bool fix_clipping = true;
  std::vector<EffectSpec> mixture_effects = {};  ///< of the sum alone: then it is no longer the sum of the stems
  std::string text = {};                         ///< the YAML it was read from, for manifests

  void validate() const;
};

/// A recipe in YAML (docs/mixtures.md, configs/mix/). Paths in it are relative to the file. Errors name
/// the line: kUsage for unknown keys and values out of range, kFormat for what is no YAML, kNotFound.
MixRecipe read_mix_recipe(const std::filesystem::path& path);
MixRecipe parse_mix_recipe(const std::string& yaml, const std::string& context, const std::filesystem::path& folder = {});

/// What was drawn for one stem.
struct MixEvent {
  std::string stem;
  std::string source;     ///< name of the track
  std::size_t track = 0;  ///< its index in the dataset of sources
  bool silent = false;    ///< then nothing else of it counts
  double source_time_s = 0;
  double event_time_s = 0;
  double event_duration_s = 0;  ///< of the source; in the mixture it lasts time_stretch times as long
  std::optional<double> snr_db = {};
  std::optional<double> pitch_shift = {};
  std::optional<double> time_stretch = {};
  std::vector<DrawnEffect> effects = {};
};

struct MixPlan {
  bool coherent = false;
  std::vector<MixEvent> events;  ///< one per stem of the recipe
  std::vector<DrawnEffect> mixture_effects = {};
};

struct Mixture {
  MixPlan plan;
  Stems stems;
  AudioBuffer audio;  ///< the sum of the stems, then mixture_effects
  double scale = 1;   ///< that everything was multiplied by against clipping
};

/// Thread-safe; every method is a pure function of the recipe and the index.
class MixtureDataset : public Dataset {
 public:
  /// Reads the tracks' metadata once. kNotFound when no track has a stem that the recipe names, or, with
  /// coherent mixtures, none has all of them.
  MixtureDataset(DatasetPtr sources, MixRecipe recipe);

  const MixRecipe& recipe() const noexcept;
  /// What make(index) will do. Reads the headers of the sources.
  MixPlan plan(std::size_t index) const;
  Mixture make(std::size_t index) const;

  std::size_t size() const override;
  std::string track_name(std::size_t index) const override;  ///< "000017"
  std::string split(std::size_t index) const override;
  std::string format() const override { return "mixtures"; }
  /// The item as a track; its sources make it when one of them is first read, and keep it while they live.
  Track track(std::size_t index) const override;

 private:
  class State;
  std::shared_ptr<const State> state_;
};

/// Opens the recipe's sources: dataset, split, submix.
DatasetPtr open_mix_sources(const MixSources& sources);

struct MixFiles {
  std::vector<std::size_t> items = {};  ///< empty: all
  io::Container container = io::Container::kWav;
  io::SampleFormat format = io::SampleFormat::kFloat32;  ///< kPcm16, kPcm24 or kFloat32
  bool overwrite = false;
};

/// folder/<item>/{<stem>, mixture}.(wav|flac) and mixture.jams per item, folder/manifest.json for all. The
/// stored stems add up to the stored mixture, exactly in integers and as floats do in kFloat32, unless there are mixture_effects. What
/// integers would clip is scaled down with fix_clipping and kFormat without. Items that are there whole are kept unless overwrite is set,
/// so that an interrupted run can go on; kUsage when they are of another recipe.
void write_mixtures(const MixtureDataset& mixtures, const std::filesystem::path& folder, const MixFiles& files, RunContext& run);

/// The JAMS annotation (namespace "scaper") of an item.
std::string jams_annotation(const MixtureDataset& mixtures, std::size_t index, const Mixture& mixture);

}  // namespace unbraid::data
