#include "train/training_log.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string>

#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::train {

namespace {

constexpr const char* kStepHeader = "step,loss,learning_rate,gradient_norm,samples_per_s,data_wait\n";
constexpr const char* kValidationHeader = "step,target,tracks,sdr,si_sdr,mix_sdr,mix_si_sdr\n";

/// Opens a CSV for appending, with the header and the rows whose first number is at most `step`.
std::ofstream continue_csv(const std::filesystem::path& path, const char* header, std::uint64_t step) {
  std::string kept = header;
  if (std::ifstream old(path); old) {
    std::string line;
    std::getline(old, line);
    while (std::getline(old, line)) {
      std::uint64_t of = 0;
      const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), of);
      const bool whole = !old.eof() && error == std::errc() && *end == ',';  // a row cut off has no end of line
      if (whole && of <= step) kept += line + "\n";
    }
  }
  write_file_atomically(path, kept);
  std::ofstream file(path, std::ios::app);
  if (!file) throw Error{ErrorCode::kIo, "cannot be written", path.string()};
  return file;
}

/// Nothing for what is not a number.
std::string cell(double value) { return std::isnan(value) ? "" : fmt::format("{:.4f}", value); }

}  // namespace

TrainingLog::TrainingLog(const std::filesystem::path& folder, std::uint64_t step)
    : folder_(folder),
      steps_(continue_csv(folder / "log.csv", kStepHeader, step)),
      validations_(continue_csv(folder / "validation.csv", kValidationHeader, step)),
      events_(folder, step + 1) {}

void TrainingLog::add(const StepRecord& step) {
  // The shortest form that reads back as the same number: curves can be compared exactly.
  steps_ << fmt::format("{},{},{},{},{:.2f},{:.3f}\n", step.step, step.loss, step.learning_rate, step.gradient_norm, step.samples_per_s,
                        step.data_wait);
  events_.scalar("train/loss", step.step, step.loss);
  events_.scalar("train/learning_rate", step.step, step.learning_rate);
  events_.scalar("train/gradient_norm", step.step, step.gradient_norm);
  events_.scalar("speed/samples_per_s", step.step, step.samples_per_s);
}

void TrainingLog::add(const ValidationRecord& validation) {
  for (const TargetScores& target : validation.targets) {
    validations_ << fmt::format("{},{},{},{},{},{},{}\n", validation.step, target.target, target.tracks, cell(target.sdr),
                                cell(target.si_sdr), cell(target.mix_sdr), cell(target.mix_si_sdr));
    events_.scalar("validation/sdr/" + target.target, validation.step, target.sdr);
    events_.scalar("validation/si_sdr/" + target.target, validation.step, target.si_sdr);
  }
  events_.scalar("validation/sdr", validation.step, validation.sdr);
  events_.scalar("validation/si_sdr", validation.step, validation.si_sdr);
}

void TrainingLog::flush() {
  steps_.flush();
  validations_.flush();
  events_.flush();
  if (!steps_ || !validations_) throw Error{ErrorCode::kIo, "the log cannot be written: is the disk full?", folder_.string()};
}

}  // namespace unbraid::train
