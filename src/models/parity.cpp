#include "models/parity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/family.hpp"
#include "models/state.hpp"
#include "unbraid/checkpoint/npy.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

namespace fs = std::filesystem;
using torch::Tensor;

constexpr double kIntermediateTolerance = 1e-4;  // of the peak
constexpr std::string_view kIntermediate = "inter_";

Tensor load(const fs::path& path) { return to_torch(checkpoint::load_npy(path)); }

/// The checkpoint of the folder: any one of the formats.
fs::path find_weights(const fs::path& folder) {
  for (const char* name : {"model.ckpt", "model.safetensors", "model.pth", "model.th"})
    if (fs::exists(folder / name)) return folder / name;
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path ending = entry.path().extension();
    if (ending == ".ckpt" || ending == ".safetensors" || ending == ".pth" || ending == ".th" || ending == ".h5") others.push_back(entry.path());
  }
  if (others.size() == 1) return others[0];
  throw Error{ErrorCode::kNotFound, "the folder has no model.ckpt or model.safetensors", folder.string()};
}

ParityFile compare(std::string name, const Tensor& actual, const Tensor& expected, double tolerance) {
  ParityFile result{.file = std::move(name), .tolerance = tolerance};
  if (actual.sizes() != expected.sizes()) {
    result.max_abs_error = std::numeric_limits<double>::infinity();
    result.note = fmt::format("shape {} instead of {}", checkpoint::shape_text(actual.sizes().vec()),
                              checkpoint::shape_text(expected.sizes().vec()));
    return result;
  }
  const Tensor error = (actual.to(torch::kFloat64) - expected.to(torch::kFloat64)).abs().flatten();
  if (error.numel() == 0) {
    result.pass = true;
    return result;
  }
  auto place = error.argmax().item<std::int64_t>();  // a NaN counts as the largest
  result.max_abs_error = error[place].item<double>();
  for (std::int64_t axis = expected.dim() - 1; axis >= 0; --axis) {
    result.at.insert(result.at.begin(), place % expected.size(axis));
    place /= expected.size(axis);
  }
  result.pass = result.max_abs_error <= tolerance;
  return result;
}

}  // namespace

std::vector<ParityFile> run_parity(const fs::path& folder, double tolerance, RunContext& run) {
  if (!fs::is_directory(folder)) throw Error{ErrorCode::kNotFound, "no such folder", folder.string()};
  const std::shared_ptr<Model> model = open_model(
      {.weights = find_weights(folder), .config = fs::exists(folder / "config.yaml") ? folder / "config.yaml" : fs::path{}});
  const c10::InferenceMode no_gradient;
  std::vector<ParityFile> files;

  std::map<std::string, Tensor> taps;
  model->record(&taps);
  const Tensor output = model->forward(load(folder / "input.npy").unsqueeze(0)).squeeze(0);
  model->record(nullptr);
  files.push_back(compare("output.npy", output, load(folder / "output.npy"), tolerance));

  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  for (const fs::path& name : names) {
    run.cancel.check();
    const std::string stem = name.stem().string();
    if (name.extension() != ".npy" || !stem.starts_with(kIntermediate)) continue;
    const Tensor expected = load(folder / name);
    const double peak = expected.abs().max().item<double>();
    const auto found = taps.find(stem.substr(kIntermediate.size()));
    if (found == taps.end())
      files.push_back({.file = name.string(), .max_abs_error = std::numeric_limits<double>::quiet_NaN(),
                       .tolerance = kIntermediateTolerance * peak, .note = "this model has no value of that name"});
    else
      files.push_back(compare(name.string(), found->second, expected, kIntermediateTolerance * peak));
  }
  return files;
}

}  // namespace unbraid::models
