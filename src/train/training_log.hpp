#pragma once
// The curves of a run: log.csv (every step), validation.csv (every target), and TensorBoard's events.
//
// A resumed run takes off what was written after the state it resumes from, so that the files are as if it had never
// stopped.

#include <filesystem>
#include <fstream>
#include <memory>

#include "train/tensorboard.hpp"
#include "unbraid/train/train.hpp"

namespace unbraid::train {

class TrainingLog {
 public:
  /// Keeps the rows of steps up to `step`, those of the state.
  TrainingLog(const std::filesystem::path& folder, std::uint64_t step);

  void add(const StepRecord& step);
  void add(const ValidationRecord& validation);
  /// Everything so far is in the files. kIo when it could not be written.
  void flush();

 private:
  std::filesystem::path folder_;
  std::ofstream steps_, validations_;
  TensorBoardWriter events_;
};

}  // namespace unbraid::train
