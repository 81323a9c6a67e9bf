#pragma once
// Training a model from one configuration file: `unbraid train CONFIG.yaml`. docs/training.md lists every key.
//
//   const train::Trainer& trainer = train::open_trainer();                  // libunbraid_nn, on first use
//   train::Summary done = trainer.train({.config = "configs/scnet_small.yaml", .output = "run"}, observer, run);
//   separate_file("song.wav", …, catalog::model_method({.weights = done.best}, {}), …);
//
// The output folder holds
//   config.yaml            the configuration as it ran, overrides included
//   state.safetensors      everything that training goes on from: weights, optimiser, averages, schedule, position
//   latest.safetensors     the model at the last checkpoint, for `unbraid separate -m`
//   best.safetensors       the model with the best validation score so far
//   log.csv, validation.csv, events.out.tfevents.*      the curves
// Each file is whole at any moment. Training that was stopped in any way, also by SIGKILL, and resumed gives the same
// numbers as training that was not: item i of the data is a function of the seed and i, and the random numbers of step
// n are a function of the seed and n. This holds on one machine with one number of threads.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "unbraid/core/plugin.hpp"
#include "unbraid/core/run_context.hpp"

namespace unbraid::train {

struct Request {
  std::filesystem::path config;             ///< YAML
  std::vector<std::string> overrides = {};  ///< "training.batch=2"; numbers are positions in lists
  std::filesystem::path output;             ///< folder of the run
  bool resume = false;                      ///< go on where the run in the folder stopped; start it if there is none
  bool overwrite = false;                   ///< begin anew in a folder that has a run
  std::string device = "auto";              ///< "auto", "cpu", "cuda", "cuda:1"
};

struct StepRecord {
  std::uint64_t step = 0;  ///< of the optimiser, from 1
  double loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;  ///< before clipping
  double samples_per_s = 0;  ///< items per second, of all processes together
  double data_wait = 0;      ///< share of the step that waited for data, 0 … 1
};

struct TargetScores {
  std::string target;
  double sdr = std::numeric_limits<double>::quiet_NaN();      ///< dB, median over the tracks
  double si_sdr = std::numeric_limits<double>::quiet_NaN();   ///< dB, median over the tracks
  double mix_sdr = std::numeric_limits<double>::quiet_NaN();  ///< of the mixture taken as the estimate
  double mix_si_sdr = std::numeric_limits<double>::quiet_NaN();
  std::size_t tracks = 0;  ///< in which the target sounds
};

struct ValidationRecord {
  std::uint64_t step = 0;
  std::vector<TargetScores> targets;
  double sdr = std::numeric_limits<double>::quiet_NaN();  ///< mean of the targets'
  double si_sdr = std::numeric_limits<double>::quiet_NaN();
  bool best = false;  ///< the best so far
};

/// Called from the thread that trains.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void note(const std::string& text) = 0;  ///< one line: the device, the sizes, where it resumed
  virtual void stepped(const StepRecord& step) = 0;
  virtual void validated(const ValidationRecord& validation) = 0;
};

struct Summary {
  std::uint64_t steps = 0;  ///< of the whole run, sessions before this one included
  bool stopped_early = false;
  double best_score = std::numeric_limits<double>::quiet_NaN();
  std::filesystem::path best, latest;  ///< model files; best is empty without validation
};

/// What a configuration would do, from one step of it.
struct Rehearsal {
  std::string architecture;
  std::vector<std::string> targets;
  std::string device;
  std::uint64_t parameters = 0;
  std::vector<std::int64_t> input, output;  ///< shapes: [batch, channels, frames], [batch, targets, channels, frames]
  std::size_t tracks = 0, validation_tracks = 0;
  double loss = 0;
  double data_s = 0, step_s = 0;        ///< seconds to make one batch on one thread, and to learn from it
  std::uint64_t peak_memory_bytes = 0;  ///< of the process
  std::uint64_t state_bytes = 0;        ///< size of state.safetensors
};

class Trainer {
 public:
  virtual ~Trainer() = default;
  /// kUsage for anything wrong in the configuration (the message names the key), or a folder that has a run already;
  /// kFormat when the loss stops being a finite number (the batch is saved beside the log); kCancelled after the state
  /// has been saved.
  virtual Summary train(const Request& request, Observer& observer, RunContext& run) const = 0;
  /// Writes nothing.
  virtual Rehearsal rehearse(const Request& request, RunContext& run) const = 0;
};

/// Opens libunbraid_nn; kUnsupported when this build has none.
inline const Trainer& open_trainer() {
  static const Trainer* const trainer = plugin_function<const Trainer*()>("nn", "unbraid_trainer")();
  return *trainer;
}

}  // namespace unbraid::train
