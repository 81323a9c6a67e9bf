#include "models/parity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string>

#include "models/family.hpp"
#include "models/state.hpp"
#include "models/torch_separator.hpp"
#include "unbraid/checkpoint/npy.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

namespace fs = std::filesystem;
using torch::Tensor;

constexpr double kIntermediateTolerance = 1e-4;  // of the peak
constexpr std::string_view kIntermediate = "inter_";
constexpr std::string_view kVariant = "output_";
constexpr std::string_view kEnding = ".npy";

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
    const auto named = std::ranges::find_if(
        known, [&](const Parameter& p) { return fmt::format("_{}_", p.name).find(fmt::format("_{}_", word)) != std::string::npos; });
    if (named == known.end()) return {};
    settings[named->name] = value.empty() ? "true" : std::string(value);
  }
  return settings;
}

ParityFile compare(std::string name, Tensor actual, const Tensor& expected, double tolerance) {
  ParityFile result{.file = std::move(name), .tolerance = tolerance};
  if (actual.dim() + 1 == expected.dim()) actual = actual.unsqueeze(0);  // a batch of one
  if (actual.sizes() != expected.sizes()) {
    result.max_abs_error = std::numeric_limits<double>::infinity();
    result.note =
        fmt::format("shape {} instead of {}", checkpoint::shape_text(actual.sizes().vec()), checkpoint::shape_text(expected.sizes().vec()));
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

/// A folder of the reference's inputs and outputs, and the models that belong to it.
class ParityRun {
 public:
  ParityRun(const fs::path& folder, double tolerance, const SeparateTrack& separate, RunContext& run)
      : folder_(folder), tolerance_(tolerance), separate_(separate), run_(run) {
    if (!fs::is_directory(folder)) throw Error{ErrorCode::kNotFound, "no such folder", folder.string()};
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.is_regular_file()) names_.insert(entry.path().filename().string());
  }

  std::vector<ParityFile> all() {
    const c10::InferenceMode no_gradient;
    network();
    for (const std::string& name : names_) {
      run_.cancel.check();
      if (!name.ends_with(kEnding)) continue;
      const std::string stem = name.substr(0, name.size() - kEnding.size());
      if (stem.starts_with(kIntermediate)) intermediate(name, stem.substr(kIntermediate.size()));
      else if (stem == "output_f16_weights") forward(name, "input.npy", half());
      else if (stem == "normalized_demix_output") demix(name, "demix_input.npy", main(), Normalization::kMsst);
      else if (stem == "apply_model_output") demix(name, "demix_input.npy", package(), Normalization::kNone);
      else if (stem.starts_with(kVariant)) variant(name, stem.substr(kVariant.size()));
      else if (!stem.ends_with("output") || stem == "output") continue;
      else if (stem.starts_with("th_")) forward(name, input_of(stem.substr(3)), package());
      else if (stem.starts_with("forward_")) forward(name, input_of(stem), main());
      else if (stem.starts_with("demix_")) demix(name, input_of(stem), main(), Normalization::kNone);
    }
    return std::move(files_);
  }

 private:
  using ModelPointer = std::shared_ptr<Model>;

  /// "demix_short_output" → "demix_short_input.npy"
  static std::string input_of(const std::string& stem) {
    return stem.substr(0, stem.size() - std::string_view("output").size()) + "input" + std::string(kEnding);
  }

  ModelPointer open(const fs::path& weights) {
    const bool configured = names_.contains("config.yaml") && weights.extension() != ".th";
    return open_model({.weights = weights, .config = configured ? folder_ / "config.yaml" : fs::path()});
  }
  ModelPointer main() {
    if (!main_) main_ = open(find_weights(folder_));
    return main_;
  }
  ModelPointer half() {
    for (const char* name : {"model_f16.safetensors", "model_f16.ckpt"})
      if (names_.contains(name)) return open(folder_ / name);
    return nullptr;
  }
  ModelPointer package() {
    for (const std::string& name : names_)
      if (!package_ && name.ends_with(".th") && name != "model.th") package_ = open(folder_ / name);
    return package_;
  }

  /// The network on input.npy with what its reference does around it, under settings.
  Tensor separated(std::map<std::string, std::string> settings) {
    settings.merge(main()->reference_settings());
    const ParameterValues values = ParameterValues::resolve(main()->settings(), settings);
    return main()->separate(load(folder_ / "input.npy").unsqueeze(0), values, run_).squeeze(0);
  }

  void network() {
    main()->record(&taps_);
    files_.push_back(compare("output.npy", separated({}), load(folder_ / "output.npy"), tolerance_));
    main()->record(nullptr);
  }

  void variant(const std::string& file, const std::string& name) {
    if (const auto settings = settings_of(name, main()->settings()))
      files_.push_back(compare(file, separated(*settings), load(folder_ / file), tolerance_));
  }

  void intermediate(const std::string& file, const std::string& name) {
    const Tensor expected = load(folder_ / file);
    const double tolerance = kIntermediateTolerance * expected.abs().max().item<double>();
    if (const auto found = taps_.find(name); found != taps_.end()) files_.push_back(compare(file, found->second, expected, tolerance));
    else missing(file, tolerance, "this model has no value of that name");
  }

  void forward(const std::string& file, const std::string& input, const ModelPointer& model) {
    if (!model) return missing(file, tolerance_, "the folder has no weights for it");
    const Tensor output = model->forward(load(folder_ / input).unsqueeze(0)).squeeze(0);
    files_.push_back(compare(file, output, load(folder_ / file), tolerance_));
  }

  void demix(const std::string& file, const std::string& input, const ModelPointer& model, Normalization normalization) {
    if (!model) return missing(file, tolerance_, "the folder has no weights for it");
    const auto separator = make_separator(
        model, torch::kCPU, {.sample_rate = model->traits().sample_rate, .channels = static_cast<std::size_t>(model->traits().channels)},
        ParameterValues::resolve(model->settings(), {}), /*bf16=*/false, normalization);
    const Tensor track = load(folder_ / input).contiguous();
    AudioBuffer mix(static_cast<std::size_t>(track.size(0)), static_cast<std::size_t>(track.size(1)));
    std::copy_n(track.data_ptr<float>(), track.numel(), mix.samples().begin());
    const Stems stems = separate_(mix, *separator, run_);
    std::vector<Tensor> rows;
    for (const Stem& stem : stems) {
      Tensor row = torch::empty_like(track);
      std::ranges::copy(stem.audio.samples(), row.data_ptr<float>());
      rows.push_back(row);
    }
    files_.push_back(compare(file, torch::stack(rows), load(folder_ / file), tolerance_));
  }

  void missing(const std::string& file, double tolerance, const char* why) {
    files_.push_back({.file = file, .max_abs_error = std::numeric_limits<double>::quiet_NaN(), .tolerance = tolerance, .note = why});
  }

  fs::path folder_;
  double tolerance_;
  const SeparateTrack& separate_;
  RunContext& run_;
  std::set<std::string> names_;
  ModelPointer main_, package_;
  std::map<std::string, Tensor> taps_;
  std::vector<ParityFile> files_;
};

}  // namespace

std::vector<ParityFile> run_parity(const fs::path& folder, double tolerance, const SeparateTrack& separate, RunContext& run) {
  return ParityRun(folder, tolerance, separate, run).all();
}

}  // namespace unbraid::models
