#pragma once
// One run while it runs: the model with everything that changes it, and its state on disk.

#include <memory>
#include <optional>
#include <vector>

#include "models/model.hpp"
#include "train/batch_queue.hpp"
#include "train/config.hpp"
#include "train/flat_parameters.hpp"
#include "train/processes.hpp"
#include "train/run_state.hpp"
#include "unbraid/train/train.hpp"

namespace unbraid::train {

class Session {
 public:
  /// The processes, which must outlive the session, share every step.
  Session(TrainConfig config, const std::string& device, const Processes& processes);

  const TrainConfig& config() const { return config_; }
  const torch::Device& device() const { return device_; }
  const std::shared_ptr<models::Model>& model() const { return model_; }
  const BatchShape& shape() const { return shape_; }
  std::int64_t parameters() const { return flat_.size(); }
  /// The items of batch n that this process takes: together the processes take count() times the batch.
  std::vector<std::uint64_t> items_of(std::uint64_t batch) const;

  /// Lets the model look at the data before the first step.
  void fit_input(const Items& items);

  /// One step of the optimiser on `accumulate` batches. Sets step, loss, learning_rate and gradient_norm.
  /// stop: this process wants to stop; then `stop` of the outcome says so in all of them.
  /// A loss or a gradient that is not finite, or a loss beyond the configuration's limit, leaves the weights alone and `healthy` false.
  struct Outcome {
    StepRecord record;
    bool healthy = true;
    bool stop = false;
  };
  Outcome step(const std::vector<Batch>& batches, bool stop = false);
  std::uint64_t steps() const { return state_.step; }

  /// The model with the averaged weights, where there are any, for as long as the object lives.
  class Averaged {
   public:
    explicit Averaged(Session& session);
    ~Averaged();
    Averaged(const Averaged&) = delete;
    Averaged& operator=(const Averaged&) = delete;

   private:
    Session& session_;
    torch::Tensor kept_;
  };

  /// A validation is due from the moment it should begin until observe(); a state remembers it.
  void owe_validation() { state_.validation_due = true; }
  bool validation_due() const { return state_.validation_due; }
  /// Takes a score of the validation in, that of process 0; true when it is the best so far. NaN changes nothing.
  bool observe(double score);
  /// Whether the configuration's patience, which may be another than before a resume, is at its end.
  bool stopped_early() const;
  double best_score() const { return state_.best_score; }
  void spend(double seconds) { state_.seconds += seconds; }

  void save(const std::filesystem::path& path);
  /// kUsage when the state is of another model or optimiser.
  void restore(const std::filesystem::path& path);
  /// What save() would write, in bytes.
  std::uint64_t state_bytes();
  void save_model_file(const std::filesystem::path& path, const ValidationRecord* scores);

 private:
  RunState gathered();

  TrainConfig config_;
  const Processes& processes_;
  torch::Device device_;
  std::shared_ptr<models::Model> model_;
  BatchShape shape_;
  FlatParameters flat_;
  std::unique_ptr<Optimizer> optimizer_;
  Schedule schedule_;
  torch::Tensor average_;  ///< undefined without averaging
  RunState state_;
};

}  // namespace unbraid::train
