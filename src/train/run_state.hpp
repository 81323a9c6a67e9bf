#pragma once
// Everything that a run goes on from, as one file: state.safetensors.
//
//   save_state_file(path, {.step = 500, .layout = flat.layout(), .tensors = {{"values", flat.values()}, …}});
//   RunState state = load_state_file(path);       // exactly what was saved
//
// Tensors are float32, or int64 for counters in buffers. The metadata hold the numbers as JSON under "unbraid.training".

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <string>

#include "train/schedule.hpp"

namespace unbraid::train {

struct RunState {
  std::uint64_t step = 0;  ///< optimiser steps done
  std::string layout;      ///< of the parameters
  Schedule::State schedule;
  double best_score = -std::numeric_limits<double>::infinity();
  std::uint64_t since_best = 0;  ///< validations
  bool validation_due = false;   ///< of this very step, and not done yet
  double seconds = 0;            ///< spent training
  std::map<std::string, torch::Tensor> tensors;
};

/// Atomically.
void save_state_file(const std::filesystem::path& path, const RunState& state);
/// kNotFound, kFormat.
RunState load_state_file(const std::filesystem::path& path);

}  // namespace unbraid::train
