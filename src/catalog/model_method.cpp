#include "unbraid/catalog/model_method.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "catalog/alike.hpp"
#include "catalog/folders.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/catalog/model_card.hpp"
#include "unbraid/catalog/model_store.hpp"
#include "unbraid/catalog/neural.hpp"
#include "unbraid/catalog/recipe.hpp"
#include "unbraid/catalog/sha256.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/plugin.hpp"

namespace unbraid::catalog {

namespace {

/// The hashes of what the model is made of, and how precisely it computes.
std::string fingerprint(const ModelFiles& files, Precision precision) {
  namespace fs = std::filesystem;
  std::vector<fs::path> parts;
  if (fs::is_directory(files.weights)) {
    for (const auto& entry : fs::directory_iterator(files.weights))
      if (entry.is_regular_file()) parts.push_back(entry.path());
    std::ranges::sort(parts);
  } else {
    parts.push_back(files.weights);
  }
  std::string text;
  for (const fs::path& part : parts)
    text +=
        fmt::format("{}{}sha256:{}", text.empty() ? "" : " ", parts.size() > 1 ? part.filename().string() + " " : "", sha256_of_file(part));
  if (!files.config.empty()) text += " config sha256:" + sha256_of_file(files.config);
  if (!files.adapters.empty()) text += " lora sha256:" + sha256_of_file(files.adapters);
  if (precision == Precision::kBfloat16) text += " bf16";
  return text;
}

bool contains(const std::vector<std::string>& names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

std::vector<std::string> card_names() {
  std::vector<std::string> names;
  for (ModelCard& card : model_cards()) names.push_back(std::move(card.name));
  return names;
}

/// A separator of the model with blocks as the user wants them.
class ReblockedSeparator : public Separator {
 public:
  ReblockedSeparator(std::unique_ptr<Separator> inner, SeparatorInfo info) : inner_(std::move(inner)), info_(std::move(info)) {}
  const SeparatorInfo& info() const override { return info_; }
  bool keep_only(std::span<const std::string> stems) override {
    if (!inner_->keep_only(stems)) return false;
    info_.stems = inner_->info().stems;
    return true;
  }
  Stems process(AudioView block, RunContext& run) override { return inner_->process(block, run); }
  std::vector<Stems> process_batch(std::span<const AudioView> blocks, RunContext& run) override {
    return inner_->process_batch(blocks, run);
  }

 private:
  std::unique_ptr<Separator> inner_;
  SeparatorInfo info_;
};

/// What can be set of how a model's blocks are laid and joined.
std::vector<Parameter> parameters_of(const SeparatorInfo& info) {
  const Chunked* const blocks = std::get_if<Chunked>(&info.blocks);
  if (!blocks) return {};
  const Parameter segment{.name = "segment",
                          .help = "length of a block; 0: the model's own",
                          .unit = "s",
                          .value = 0.0,
                          .minimum = 0.0,
                          .maximum = 600.0,
                          .source = "demucs --segment"};
  if (blocks->policy != BlockPolicy::kDemucs) return {segment};
  return {segment,
          {.name = "transition_power",
           .help = "of the triangles that weight blocks where they overlap",
           .value = 1.0,
           .minimum = 1.0,
           .maximum = 100.0,
           .source = "demucs apply_model"},
          {.name = "split", .help = "in blocks; no: the whole track at once", .value = true, .source = "demucs --no-split"}};
}

SeparatorInfo with(SeparatorInfo info, const ParameterValues& values, const std::string& name) {
  Chunked* const blocks = std::get_if<Chunked>(&info.blocks);
  if (!blocks) return info;
  const bool demucs = blocks->policy == BlockPolicy::kDemucs;
  if (const double segment = values.number("segment"); segment > 0.0) {
    const auto frames = static_cast<std::size_t>(segment * info.sample_rate);
    if (frames == 0) throw Error{ErrorCode::kUsage, "segment: shorter than a sample", name};
    if (demucs && !blocks->shorten_last && frames > blocks->length)
      throw Error{ErrorCode::kUsage,
                  fmt::format("segment: this model takes at most {:g} s", static_cast<double>(blocks->length) / info.sample_rate), name};
    blocks->length = frames;
  }
  if (!demucs) return info;
  blocks->transition_power = values.number("transition_power");
  if (!values.flag("split")) info.blocks = WholeTrack{};
  return info;
}

}  // namespace

bool names_model_file(std::string_view name) {
  if (name.find('/') != std::string_view::npos) return true;
  if (find_method(name)) return false;
  for (const std::string_view ending : {".ckpt", ".th", ".pth", ".pt", ".safetensors", ".h5", ".yaml", ".yml"})
    if (name.ends_with(ending)) return true;
  // A folder that happens to be called like a model is not meant.
  return std::filesystem::is_directory(name) && !contains(ModelStore().names(), name) && !contains(card_names(), name);
}

Method model_method(const ModelFiles& files, const NeuralRuntime& runtime, double segment_s) {
  if (!std::filesystem::exists(files.weights)) throw Error{ErrorCode::kNotFound, "no such file", files.weights.string()};
  if (is_recipe(files.weights)) return recipe_method(files.weights, runtime);
  const std::shared_ptr<const NeuralModel> model = neural_backend().open(files, runtime);
  const SeparatorInfo usual = model->separator({}, ParameterValues::resolve(model->parameters(), {}))->info();
  Method method;
  method.name = files.weights.filename().string();
  method.summary = "a model given by its files";
  method.stems = model->facts().stems;
  method.parameters = model->parameters();
  for (Parameter& parameter : parameters_of(usual)) method.parameters.push_back(std::move(parameter));
  method.fingerprint = fingerprint(files, runtime.precision);
  method.make = [model, segment_s, name = method.name](const StreamFormat& format, const ParameterValues& values,
                                                       std::uint64_t) -> std::unique_ptr<Separator> {
    auto separator = model->separator(format, values);
    SeparatorInfo info = separator->info();
    if (Chunked* const blocks = std::get_if<Chunked>(&info.blocks); blocks && blocks->shorten_last)
      blocks->length = std::max(blocks->length, static_cast<std::size_t>(segment_s * info.sample_rate));
    info = with(std::move(info), values, name);
    return std::make_unique<ReblockedSeparator>(std::move(separator), std::move(info));
  };
  return method;
}

ModelFiles installed_files(std::string_view name) {
  const ModelStore store;
  const std::vector<std::string> here = store.names(), published = card_names();
  if (contains(here, name) || contains(published, name)) return store.files(std::string(name));
  std::vector<std::string> known;
  for (const Method& method : methods()) known.push_back(method.name);
  std::string message = fmt::format("no such method or model; there are {}; unbraid models ls shows all", fmt::join(known, ", "));
  known.insert(known.end(), here.begin(), here.end());
  for (const std::string& one : published)
    if (!contains(known, one)) known.push_back(one);
  if (const std::vector<std::string> alike = names_alike(name, known); !alike.empty())
    message = fmt::format("no such method or model; did you mean {}?", fmt::join(alike, " or "));
  throw Error{ErrorCode::kNotFound, message, std::string(name)};
}

Method installed_method(std::string_view name, const NeuralRuntime& runtime) {
  Method method = model_method(installed_files(name), runtime);
  method.name = name;
  return method;
}

Method open_method(const ModelFiles& named, const NeuralRuntime& runtime) {
  const std::string name = named.weights.string();
  if (names_model_file(name)) return model_method(named, runtime);
  if (const Method* const method = find_method(name)) return *method;
  return installed_method(name, runtime);
}

std::string usual_method() {
  const std::string name = "default";
  const std::filesystem::path bundled = bundled_folder();
  try {
    const bool there = !bundled.empty() && ModelStore({}, bundled).installed(name) && plugin_exists("nn");
    return there ? name : methods().front().name;
  } catch (const Error&) {
    return name;  // damaged: who uses it is told
  }
}

}  // namespace unbraid::catalog
