#include "models/parity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

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
constexpr std::string_view kVariant = "output_";

Tensor load(const fs::path& path) { return to_torch(checkpoint::load_npy(path)); }

bool is_weights(const fs::path& path) {
  constexpr std::string_view kEndings[] = {".ckpt", ".safetensors", ".pth", ".th", ".pt", ".h5"};
  return std::ranges::find(kEndings, path.extension().string()) != std::end(kEndings);
}

/// The checkpoint of the folder: of the usual name, or the only one, or the folder itself where it holds one per target.
fs::path find_weights(const fs::path& folder) {
  for (const char* name : {"model.ckpt", "model.safetensors", "model.pth", "model.th"})
    if (fs::exists(folder / name)) return folder / name;
  if (fs::exists(folder / "separator.json")) return folder;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (is_weights(entry.path())) found.push_back(entry.path());
  if (found.empty()) throw Error{ErrorCode::kNotFound, "the folder has no checkpoint", folder.string()};
  return found.size() == 1 ? found[0] : folder;
}

/// The settings of "niter2_softmask_win100": each part names a setting, or a word of its name, with its value behind.
/// Nothing when a part does not: then the file is about something else.
std::optional<std::map<std::string, std::string>> settings_of(std::string_view text, const std::vector<Parameter>& known) {
  std::map<std::string, std::string> settings;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('_'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const std::string_view word = part.substr(0, std::min(part.size(), part.find_first_of("0123456789")));
    const std::string_view value = part.substr(word.size());
    const auto named = std::ranges::find_if(known, [&](const Parameter& p) {
      return fmt::format("_{}_", p.name).find(fmt::format("_{}_", word)) != std::string::npos;
    });
    if (named == known.end()) return {};
    settings[named->name] = value.empty() ? "true" : std::string(value);
  }
  return settings;
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

  const Tensor input = load(folder / "input.npy").unsqueeze(0);
  const auto separate = [&](std::map<std::string, std::string> settings) {
    settings.merge(model->reference_settings());
    return model->separate(input, ParameterValues::resolve(model->settings(), settings), run).squeeze(0);
  };

  std::map<std::string, Tensor> taps;
  model->record(&taps);
  files.push_back(compare("output.npy", separate({}), load(folder / "output.npy"), tolerance));
  model->record(nullptr);

  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  for (const fs::path& name : names) {
    run.cancel.check();
    const std::string stem = name.stem().string();
    if (name.extension() != ".npy") continue;
    if (stem.starts_with(kVariant)) {
      if (const auto settings = settings_of(std::string_view(stem).substr(kVariant.size()), model->settings()))
        files.push_back(compare(name.string(), separate(*settings), load(folder / name), tolerance));
    }
    if (!stem.starts_with(kIntermediate)) continue;
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
