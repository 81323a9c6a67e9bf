// unbraid train: a model from a configuration and data.

#include "unbraid/train/train.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "progress_bar.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/report/training_page.hpp"
#include "verbs.hpp"

namespace unbraid::app {

namespace {

using Json = nlohmann::ordered_json;

Json number_json(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

/// Prints what happens, above the progress bar.
class Console : public train::Observer {
 public:
  Console(ProgressBar& bar, bool quiet) : bar_(bar), quiet_(quiet) {}

  void note(const std::string& text) override { print(text); }

  void stepped(const train::StepRecord& step) override {
    smoothed_ = std::isnan(smoothed_) ? step.loss : smoothed_ + kSmoothing * (step.loss - smoothed_);
    bar_.set_title(fmt::format("step {} loss {:.4g}", step.step, smoothed_));
  }

  void validated(const train::ValidationRecord& validation) override {
    std::string line = fmt::format("step {}: loss {:.4g}, SDR {:.2f} dB, SI-SDR {:.2f} dB{}", validation.step, smoothed_, validation.sdr,
                                   validation.si_sdr, validation.best ? " (best)" : "");
    for (const train::TargetScores& target : validation.targets) line += fmt::format("  {} {:.2f}", target.target, target.sdr);
    print(line);
    last_ = validation;
  }

  const train::ValidationRecord& last() const { return last_; }

 private:
  void print(const std::string& line) {
    if (quiet_) return;
    bar_.clear();
    fmt::print(stderr, "{}\n", line);
  }

  static constexpr double kSmoothing = 0.02;
  ProgressBar& bar_;
  bool quiet_;
  double smoothed_ = std::numeric_limits<double>::quiet_NaN();
  train::ValidationRecord last_;
};

Json validation_json(const train::ValidationRecord& validation) {
  Json targets = Json::object();
  for (const train::TargetScores& target : validation.targets)
    targets[target.target] = {{"tracks", target.tracks},
                              {"sdr", number_json(target.sdr)},
                              {"si_sdr", number_json(target.si_sdr)},
                              {"mix_sdr", number_json(target.mix_sdr)},
                              {"mix_si_sdr", number_json(target.mix_si_sdr)}};
  return {
      {"step", validation.step}, {"sdr", number_json(validation.sdr)}, {"si_sdr", number_json(validation.si_sdr)}, {"targets", targets}};
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void print_rehearsal(const train::Rehearsal& plan, bool json) {
  if (json) {
    fmt::print("{}\n", Json{{"schema", "unbraid.train_plan/1"},
                            {"architecture", plan.architecture},
                            {"targets", plan.targets},
                            {"device", plan.device},
                            {"parameters", plan.parameters},
                            {"input", plan.input},
                            {"output", plan.output},
                            {"tracks", plan.tracks},
                            {"validation_tracks", plan.validation_tracks},
                            {"loss", number_json(plan.loss)},
                            {"data_s", plan.data_s},
                            {"step_s", plan.step_s},
                            {"peak_memory_bytes", plan.peak_memory_bytes},
                            {"state_bytes", plan.state_bytes}}
                           .dump());
    return;
  }
  constexpr double kMegabyte = 1 << 20;
  fmt::print("architecture  {}: {} parameters\n", plan.architecture, plan.parameters);
  fmt::print("targets       {}\n", fmt::join(plan.targets, ", "));
  fmt::print("device        {}\n", plan.device);
  fmt::print("input         {} (items, channels, frames)\n", shape_text(plan.input));
  fmt::print("output        {} (items, targets, channels, frames)\n", shape_text(plan.output));
  fmt::print("tracks        {} to train on, {} to validate\n", plan.tracks, plan.validation_tracks);
  fmt::print("one batch     {:.3f} s to make on one thread, {:.3f} s to learn from\n", plan.data_s, plan.step_s);
  fmt::print("loss          {:.4g}\n", plan.loss);
  fmt::print("memory        {:.0f} MB at the peak; the state takes {:.0f} MB on disk\n",
             static_cast<double>(plan.peak_memory_bytes) / kMegabyte, static_cast<double>(plan.state_bytes) / kMegabyte);
}

struct Options {
  train::Request request;
  bool dry_run = false;
};

void run_train(const Options& options, const Session& session) {
  const train::Trainer& trainer = train::open_trainer();
  ThreadPool pool(session.threads);
  if (options.dry_run) {
    RunContext run{.pool = pool, .cancel = session.cancel};
    print_rehearsal(trainer.rehearse(options.request, run), session.json);
    return;
  }
  ProgressBar bar(!session.quiet && !session.json);
  Console console(bar, session.quiet || session.json);
  RunContext run{.pool = pool, .progress = bar.progress(), .cancel = session.cancel};
  const auto write_report = [&] {
    const std::filesystem::path& folder = options.request.output;
    if (std::filesystem::exists(folder / "log.csv")) write_file_atomically(folder / "report.html", report::training_page(folder));
  };
  train::Summary summary;
  try {
    summary = trainer.train(options.request, console, run);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kFormat) write_report();
    throw;
  }
  bar.clear();
  write_report();
  if (session.json) {
    fmt::print("{}\n", Json{{"schema", "unbraid.train/1"},
                            {"output", options.request.output.string()},
                            {"steps", summary.steps},
                            {"stopped_early", summary.stopped_early},
                            {"best_score", number_json(summary.best_score)},
                            {"best", summary.best.string()},
                            {"latest", summary.latest.string()},
                            {"validation", validation_json(console.last())}}
                           .dump());
  } else if (!session.quiet) {
    fmt::print(stderr, "{} after step {}; the model is {}\n", summary.stopped_early ? "stopped early" : "done", summary.steps,
               (summary.best.empty() ? summary.latest : summary.best).string());
  }
}

}  // namespace

void add_train(CLI::App& program, Session& session) {
  CLI::App* const verb = program.add_subcommand("train", "train a model from a configuration");
  const auto options = std::make_shared<Options>();
  verb->add_option("config", options->request.config, "what to train, on what, how")->type_name("FILE");
  verb->add_option("-o,--output", options->request.output, "folder of the run (default: runs/NAME-OF-CONFIG)")->type_name("DIR");
  verb->add_flag("--resume", options->request.resume, "go on where the run in the folder stopped");
  verb->add_flag("--overwrite", options->request.overwrite, "begin anew in a folder that has a run")->excludes("--resume");
  verb->add_option("--set", options->request.overrides, "change a key of the configuration: training.batch=2")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb->add_flag("--dry-run", options->dry_run, "one step: print shapes, parameters, memory and times; write nothing");
  verb->add_option("--device", options->request.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  verb->callback([verb, options, &session] {
    if (!verb->get_subcommands().empty()) return;  // another way to learn, which has a callback of its own
    if (options->request.config.empty()) throw CLI::RequiredError("config");
    if (options->request.output.empty()) options->request.output = std::filesystem::path("runs") / options->request.config.stem();
    run_train(*options, session);
  });
}

}  // namespace unbraid::app
