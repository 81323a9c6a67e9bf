#pragma once
// The configuration of a training run. docs/training.md lists the keys; every key that is none of them is an error.
//
//   const TrainConfig config = TrainConfig::load("configs/scnet_small.yaml", {"training.batch=2"});
//   auto model = models::make_model(config.architecture, config.model, config.seed);

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"
#include "train/losses.hpp"
#include "train/optimizer.hpp"
#include "train/schedule.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/data/mix.hpp"

namespace unbraid::train {

/// One place that tracks come from.
struct SourceSpec {
  std::filesystem::path path;
  std::string format = "auto";
  std::string split = {};
  std::string submix = {};                           ///< "four_stems" or a file, as in mix recipes
  std::vector<std::string> only = {}, without = {};  ///< patterns of track names
  std::map<std::string, std::string> rename = {};    ///< stems
};

/// Excerpts of whole songs in the order of blocks: the schedule of DeepConvSep. For each of `repetitions`, for each
/// block of songs [first, first + block) with first = 0, step, 2·step, …: `epochs` passes over the block's excerpts, each in a
/// new order.
struct SongBlocks {
  std::size_t block = 10, step = 5;  ///< songs
  std::size_t epochs = 10, repetitions = 3;
};

struct DataSpec {
  std::vector<SourceSpec> sources;
  std::uint64_t cache_bytes = 4ull << 30;                   ///< of decoded audio, 16 bits per sample
  std::size_t workers = 1;                                  ///< threads that make items
  std::size_t ahead = 4;                                    ///< batches that may wait
  std::map<std::string, std::vector<std::string>> targets;  ///< a target as a sum of stems, where it is none itself
  data::MixRecipe recipe;                                   ///< its sources are not used
  std::uint64_t count = 0;                                  ///< different items; 0: never the same twice
  std::optional<SongBlocks> songs;                          ///< instead of mixtures
};

struct ValidationSpec {
  std::vector<SourceSpec> sources;        ///< none: no validation
  std::optional<data::MixRecipe> recipe;  ///< mixtures of the sources; without it, their tracks
  double start_s = 0, length_s = 30;      ///< of the tracks
  std::size_t tracks = 0;                 ///< at most; 0: all
  std::uint64_t every_steps = 500;
  std::string score = "sdr";  ///< sdr or si_sdr decides what is best
  std::size_t patience = 0;   ///< validations without a new best before training stops; 0: never
};

struct TrainConfig {
  std::string architecture;
  models::Config model;             ///< what the family builds the module from
  models::ModelTraits traits = {};  ///< of that module
  std::uint64_t seed = 0;
  DataSpec data;
  ValidationSpec validation;
  std::vector<LossTerm> losses;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;

  std::uint64_t steps = 0;        ///< 0, with data.songs: all their excerpts
  std::uint64_t epoch_steps = 0;  ///< for the progress bar and the log
  std::int64_t batch = 4;         ///< items per process and forward pass
  std::int64_t accumulate = 1;    ///< forward passes per step
  double clip_norm = 0;           ///< of the whole gradient; 0: not clipped
  double average_decay = 0;       ///< of the weights' moving average, which validation and model files use; 0: none
  std::uint64_t checkpoint_steps = 500;
  double divergence = 1e9;                  ///< a loss beyond ±this stops training
  std::filesystem::path start_from;         ///< weights that training begins with; empty: random ones
  bool start_partial = false;               ///< they may lack tensors, or have others besides
  bool bf16 = false;                        ///< matrix products and convolutions in bfloat16
  std::map<std::string, std::string> card;  ///< name, author, licence, … for the model files

  std::string text;  ///< as it runs: the file with the overrides

  /// kNotFound, kFormat for what is no YAML, kUsage for unknown keys and wrong values.
  static TrainConfig load(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});
  static TrainConfig parse(const std::string& yaml, const std::string& name, const std::filesystem::path& folder,
                           const std::vector<std::string>& overrides = {});

  std::int64_t frames = 0;  ///< per item
};

/// The tracks of all sources, one after the other.
data::DatasetPtr open_sources(const std::vector<SourceSpec>& sources);

}  // namespace unbraid::train
