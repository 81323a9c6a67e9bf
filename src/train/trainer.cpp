// The loop: data, steps, validation, checkpoints.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "models/state.hpp"
#include "nn/threads.hpp"
#include "pipeline/process_memory.hpp"
#include "train/session.hpp"
#include "train/training_log.hpp"
#include "train/validation.hpp"
#include "unbraid/checkpoint/checkpoint.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::train {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// The names of a run's files.
struct Files {
  explicit Files(fs::path folder_) : folder(std::move(folder_)) {}
  fs::path folder;
  fs::path config = folder / "config.yaml";
  fs::path state = folder / "state.safetensors";
  fs::path latest = folder / "latest.safetensors";
  fs::path best = folder / "best.safetensors";
};

void prepare_folder(const Files& files, const Request& request) {
  if (files.folder.empty()) throw Error{ErrorCode::kUsage, "needs a folder for the run", "output"};
  const bool has_run = fs::exists(files.state);
  if (has_run && !request.resume && !request.overwrite)
    throw Error{ErrorCode::kUsage, "has a run already: --resume continues it, --overwrite begins anew", files.folder.string()};
  if (request.overwrite && !request.resume) {
    for (const fs::path& file : {files.state, files.latest, files.best, files.folder / "log.csv", files.folder / "validation.csv"})
      fs::remove(file);
  }
  std::error_code error;
  fs::create_directories(files.folder, error);
  if (error) throw Error{ErrorCode::kIo, error.message(), files.folder.string()};
}

/// The batch that broke the training, to be looked at: mix and reference. Every process has its own.
fs::path save_batches(const fs::path& folder, std::uint64_t step, const Processes& processes, const std::vector<Batch>& batches) {
  checkpoint::TensorMap tensors;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto add = [&](const char* name, const torch::Tensor& tensor) {
      tensors.add(fmt::format("{}.{}", name, i),
                  checkpoint::Tensor::from_floats(tensor.sizes().vec(),
                                                  std::span(tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel()))));
    };
    add("mix", batches[i].mix);
    add("reference", batches[i].reference);
  }
  const std::string rank = processes.count() > 1 ? fmt::format("_rank_{}", processes.rank()) : "";
  const fs::path path = folder / fmt::format("failed_step_{}{}.safetensors", step, rank);
  checkpoint::save_safetensors(path, tensors);
  return path;
}

/// Numbers too small to matter (below 1e-38) count as zero: processors compute with them a hundred times slower.
void use_threads(const RunContext& context) {
  nn::use_threads(static_cast<int>(context.pool.threads()));
  at::globalContext().setFlushDenormal(true);
}

class Run {
 public:
  Run(const Request& request, Observer& observer, RunContext& context)
      : request_(request), observer_(observer), context_(context), files_(request.output), processes_(join_processes()) {
    use_threads(context);
  }

  Summary train() {
    TrainConfig config = TrainConfig::load(request_.config, request_.overrides);
    if (first()) prepare_folder(files_, request_);
    everybody_waits();
    const data::DatasetPtr tracks = open_sources(config.data.sources);
    const std::unique_ptr<Items> items = make_items(config, tracks);
    if (config.steps == 0) {
      const auto per_step = static_cast<std::uint64_t>(config.batch * config.accumulate * processes_->count());
      config.steps = std::max<std::uint64_t>(1, items->count() / per_step);
    }
    session_.emplace(std::move(config), request_.device, *processes_);
    const TrainConfig& of = session_->config();
    if (first() && !of.validation.sources.empty()) validation_.emplace(of.validation, of.traits, of.data.targets);

    note(fmt::format("{}: {} parameters, {}; {} threads on {}{}", of.architecture, session_->parameters(), fmt::join(of.traits.stems, ", "),
                     context_.pool.threads(), session_->device().str(),
                     processes_->count() > 1 ? fmt::format(" in each of {} processes", processes_->count()) : ""));
    note(fmt::format("{} tracks to train on, {} to validate", tracks->size(), validation_ ? validation_->tracks() : 0));
    if (request_.resume && fs::exists(files_.state)) {
      session_->restore(files_.state);
      note(fmt::format("resumed after step {}", session_->steps()));
    } else if (of.start_from.empty()) {
      session_->fit_input(*items);
    }
    everybody_waits();
    if (first()) {
      write_file_atomically(files_.config, of.text);
      log_.emplace(files_.folder, session_->steps());
    }
    steps(*items);
    return {.steps = session_->steps(),
            .stopped_early = session_->stopped_early(),
            .best_score = std::isfinite(session_->best_score()) ? session_->best_score() : std::numeric_limits<double>::quiet_NaN(),
            .best = std::isfinite(session_->best_score()) ? files_.best : fs::path(),
            .latest = files_.latest};
  }

 private:
  /// Only the first of the processes writes and validates.
  bool first() const { return processes_->rank() == 0; }
  bool has_validation() const { return !session_->config().validation.sources.empty(); }
  void everybody_waits() const {
    torch::Tensor nothing = torch::zeros({1});
    processes_->share(nothing);
  }
  void note(const std::string& text) {
    if (first()) observer_.note(text);
  }

  void steps(const Items& items) {
    const TrainConfig& of = session_->config();
    const auto per_step = static_cast<std::uint64_t>(of.accumulate);
    BatchQueue queue(
        items, session_->shape(), [&](std::uint64_t n) { return session_->items_of(n); }, session_->steps() * per_step, of.data.workers,
        std::max<std::size_t>(of.data.ahead, per_step));
    bool announce = true;  // the progress of an epoch, anew after a validation
    while (!finished()) {
      bool stop = false;
      if (!session_->validation_due()) {  // as it is where a run resumes that was stopped in its validation
        const std::uint64_t in_epoch = session_->steps() % of.epoch_steps;
        if (announce || in_epoch == 0) {
          context_.progress.start(
              fmt::format("epoch {}/{}", session_->steps() / of.epoch_steps + 1, (of.steps + of.epoch_steps - 1) / of.epoch_steps),
              std::min(of.epoch_steps - in_epoch, of.steps - session_->steps()) * items_per_step(), "items");
          announce = false;
        }
        stop = one_step(queue, per_step);
        context_.progress.advance(items_per_step());
        if (has_validation() && (session_->steps() == of.steps || session_->steps() % of.validation.every_steps == 0))
          session_->owe_validation();
      }
      if (stop && !finished()) stop_here();
      if (session_->validation_due()) {
        validate();
        announce = true;
      }
      if (finished() || session_->steps() % of.checkpoint_steps == 0) checkpoint();
    }
  }

  bool finished() const {
    return (session_->steps() >= session_->config().steps && !session_->validation_due()) || session_->stopped_early();
  }

  [[noreturn]] void stop_here() {
    checkpoint();
    throw Error{ErrorCode::kCancelled, fmt::format("stopped after step {}; --resume continues", session_->steps()), files_.folder.string()};
  }

  std::uint64_t items_per_step() const {
    return static_cast<std::uint64_t>(session_->config().batch * session_->config().accumulate * processes_->count());
  }

  /// Whether one of the processes wants to stop.
  bool one_step(BatchQueue& queue, std::uint64_t batches_per_step) {
    const Clock::time_point start = Clock::now();
    std::vector<Batch> batches;
    for (std::uint64_t i = 0; i < batches_per_step; ++i) batches.push_back(queue.next());
    const double waited = seconds_since(start);
    Session::Outcome outcome = session_->step(batches, context_.cancel.cancelled());
    const double took = seconds_since(start);
    outcome.record.samples_per_s = static_cast<double>(items_per_step()) / took;
    outcome.record.data_wait = waited / took;
    session_->spend(took);
    if (!outcome.healthy) {
      if (first()) log_->flush();
      throw Error{
          ErrorCode::kFormat,
          fmt::format("step {} gave the loss {} with gradient norm {}; its batch is in {}", outcome.record.step, outcome.record.loss,
                      outcome.record.gradient_norm, save_batches(files_.folder, outcome.record.step, *processes_, batches).string()),
          request_.config.string()};
    }
    if (first()) {
      log_->add(outcome.record);
      observer_.stepped(outcome.record);
    }
    return outcome.stop;
  }

  void validate() {
    ValidationRecord record;
    torch::Tensor stopped = torch::zeros({1});
    if (first()) {
      const Session::Averaged averaged(*session_);
      try {
        record = validation_->run(session_->model(), session_->device(), context_);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kCancelled) throw;
        stopped.fill_(1);
      }
    }
    processes_->share(stopped);
    if (stopped.item<float>() != 0) stop_here();
    record.step = session_->steps();
    record.best = session_->observe(session_->config().validation.score == "sdr" ? record.sdr : record.si_sdr);
    if (!first()) return;
    if (record.best) session_->save_model_file(files_.best, &record);
    log_->add(record);
    observer_.validated(record);
    scores_ = std::move(record);
  }

  /// The log first: rows after the state are taken off when resuming, rows before it would be missing.
  void checkpoint() {
    if (!first()) return;
    log_->flush();
    session_->save_model_file(files_.latest, scores_ ? &*scores_ : nullptr);
    session_->save(files_.state);
  }

  const Request& request_;
  Observer& observer_;
  RunContext& context_;
  Files files_;
  std::unique_ptr<Processes> processes_;
  std::optional<Session> session_;
  std::optional<Validation> validation_;
  std::optional<TrainingLog> log_;
  std::optional<ValidationRecord> scores_;  ///< the last ones of this session
};

/// Torch's complaints, such as shapes that do not fit, as one line of ours.
template <class Work>
auto translated(const Request& request, const Work& work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    throw Error{ErrorCode::kInternal, error.what_without_backtrace(), request.config.string()};
  }
}

class TorchTrainer : public Trainer {
 public:
  Summary train(const Request& request, Observer& observer, RunContext& context) const override {
    return translated(request, [&] { return Run(request, observer, context).train(); });
  }

  Rehearsal rehearse(const Request& request, RunContext& context) const override {
    return translated(request, [&] { return rehearsed(request, context); });
  }

 private:
  static Rehearsal rehearsed(const Request& request, RunContext& context) {
    use_threads(context);
    const std::unique_ptr<Processes> alone = only_process();
    Session session(TrainConfig::load(request.config, request.overrides), request.device, *alone);
    const TrainConfig& of = session.config();
    const models::ModelTraits& traits = of.traits;
    const data::DatasetPtr tracks = open_sources(of.data.sources);
    const std::unique_ptr<Items> items = make_items(of, tracks);
    Rehearsal result{.architecture = of.architecture,
                     .targets = traits.stems,
                     .device = session.device().str(),
                     .parameters = static_cast<std::uint64_t>(session.parameters()),
                     .input = {of.batch, traits.channels, of.frames},
                     .tracks = tracks->size()};
    result.output = {of.batch, static_cast<std::int64_t>(traits.stems.size()), traits.channels, of.frames};
    if (!of.validation.sources.empty()) result.validation_tracks = Validation(of.validation, traits, of.data.targets).tracks();
    const std::vector<std::uint64_t> indices = session.items_of(0);
    make_batch(*items, session.shape(), indices);  // once to decode, once to measure
    Clock::time_point start = Clock::now();
    const std::vector<Batch> batches(1, make_batch(*items, session.shape(), indices));
    result.data_s = seconds_since(start);
    session.fit_input(*items);
    session.step(batches);
    start = Clock::now();
    result.loss = session.step(batches).record.loss;
    result.step_s = seconds_since(start);
    result.peak_memory_bytes = peak_memory_bytes();
    result.state_bytes = session.state_bytes();
    return result;
  }
};

}  // namespace

}  // namespace unbraid::train

extern "C" const unbraid::train::Trainer* unbraid_trainer() {
  static const unbraid::train::TorchTrainer trainer;
  return &trainer;
}
