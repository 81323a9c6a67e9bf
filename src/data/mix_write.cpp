#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "data/sample_steps.hpp"
#include "unbraid/core/atomic_file.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/version.hpp"
#include "unbraid/data/mix.hpp"
#include "unbraid/io/writer.hpp"

namespace unbraid::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kJamsVersion = "0.3.4";

/// Names that are not UTF-8 get replacement characters.
std::string text_of(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json effects_json(const std::vector<DrawnEffect>& effects) {
  Json list = Json::array();
  for (const DrawnEffect& effect : effects) {
    Json item{{"kind", effect.kind}};
    for (const auto& [name, value] : effect.values) item[name] = value;
    if (!effect.file.empty()) item["file"] = effect.file.generic_string();
    list.push_back(std::move(item));
  }
  return list;
}

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

/// What the items in a folder have in common. Equal manifests mean equal items.
Json manifest_json(const MixRecipe& recipe, const MixFiles& files) {
  Json names = Json::array();
  for (const MixStemSpec& stem : recipe.stems) names.push_back(stem.name);
  return {{"schema", "unbraid.mixtures/1"},
          {"version", std::string(version())},
          {"seed", recipe.seed},
          {"sources", recipe.sources.path.generic_string()},
          {"duration_s", recipe.duration_s},
          {"sample_rate", recipe.sample_rate},
          {"channels", recipe.channels},
          {"stems", std::move(names)},
          {"container", std::string(io::to_string(files.container))},
          {"sample_format", std::string(io::to_string(files.format))},
          {"recipe", recipe.text}};
}

void write_manifest(const MixRecipe& recipe, const fs::path& folder, const MixFiles& files) {
  const fs::path path = folder / "manifest.json";
  const std::string manifest = text_of(manifest_json(recipe, files));
  if (std::ifstream stream(path); stream && !files.overwrite) {
    const Json there = Json::parse(stream, nullptr, /*allow_exceptions=*/false);
    if (there != Json::parse(manifest))
      throw Error{ErrorCode::kUsage, "holds mixtures of another recipe, seed or format (--overwrite replaces them)", folder.string()};
    return;
  }
  write_file_atomically(path, manifest);
}

void write_audio(const AudioBuffer& audio, const fs::path& base, const MixRecipe& recipe, const MixFiles& files) {
  const auto writer = io::create_writer(base.string() + io::extension(files.container), {.container = files.container,
                                                                                         .format = files.format,
                                                                                         .sample_rate = recipe.sample_rate,
                                                                                         .channels = audio.channels(),
                                                                                         .overwrite = true});
  writer->write(audio);
  writer->finish();
}

/// Whether integers from −steps to steps − 1 hold the rounded stems and what is stored as their mixture.
bool fits(const Mixture& mixture, double steps) {
  const auto held = [&](double value) { return value >= -steps && value <= steps - 1; };
  for (std::size_t n = 0; n < mixture.audio.samples().size(); ++n) {
    double sum = 0;
    for (const Stem& stem : mixture.stems) {
      const double value = std::nearbyint(stem.audio.samples()[n] * steps);
      if (!held(value)) return false;
      sum += value;
    }
    if (!held(mixture.plan.mixture_effects.empty() ? sum : std::nearbyint(mixture.audio.samples()[n] * steps))) return false;
  }
  return true;
}

double peak_of(const Mixture& mixture) {
  double peak = 0;
  const auto add = [&](const AudioBuffer& audio) {
    for (const float x : audio.samples()) peak = std::max(peak, std::abs(static_cast<double>(x)));
  };
  add(mixture.audio);
  for (const Stem& stem : mixture.stems) add(stem.audio);
  return peak;
}

/// Rounds the stems to the steps of an integer format and makes the mixture their sum. What would clip is scaled first, or
/// refused if the recipe leaves clipping alone.
void fit_to_format(Mixture& mixture, bool fix_clipping, io::SampleFormat format, const std::string& item) {
  const double steps = std::ldexp(1.0, io::bits(format) - 1);
  if (!fits(mixture, steps)) {
    const double peak = peak_of(mixture);
    if (!fix_clipping)
      throw Error{ErrorCode::kFormat, fmt::format("peaks at {:.3f} and would clip: set fix_clipping, or store 32f", peak), item};
    // The largest value is a step below 1, and rounding may add half a step per stem.
    const double gain = (1 - (1 + 0.5 * static_cast<double>(mixture.stems.size())) / steps) / peak;
    for (Stem& stem : mixture.stems)
      for (float& x : stem.audio.samples()) x = static_cast<float>(gain * x);
    for (float& x : mixture.audio.samples()) x = static_cast<float>(gain * x);
    mixture.scale *= gain;
  }
  for (Stem& stem : mixture.stems) round_to_format(stem.audio, format);
  if (!mixture.plan.mixture_effects.empty()) return;
  for (std::size_t n = 0; n < mixture.audio.samples().size(); ++n) {
    double sum = 0;  // of 24 bits and a carry, more than a float holds
    for (const Stem& stem : mixture.stems) sum += static_cast<double>(stem.audio.samples()[n]);
    mixture.audio.samples()[n] = static_cast<float>(sum);
  }
}

void write_item(const MixtureDataset& mixtures, std::size_t index, const fs::path& folder, const MixFiles& files) {
  const MixRecipe& recipe = mixtures.recipe();
  const fs::path item = folder / mixtures.track_name(index);
  const fs::path annotation = item / "mixture.jams";  // written last: it says that the item is whole
  if (!files.overwrite && fs::exists(annotation)) return;
  fs::remove(annotation);
  Mixture mixture = mixtures.make(index);
  if (files.format != io::SampleFormat::kFloat32) fit_to_format(mixture, recipe.fix_clipping, files.format, mixtures.track_name(index));
  for (const Stem& stem : mixture.stems) write_audio(stem.audio, item / stem.name, recipe, files);
  write_audio(mixture.audio, item / "mixture", recipe, files);
  write_file_atomically(annotation, jams_annotation(mixtures, index, mixture));
}

}  // namespace

std::string jams_annotation(const MixtureDataset& mixtures, std::size_t index, const Mixture& mixture) {
  const MixRecipe& recipe = mixtures.recipe();
  Json events = Json::array();
  for (const MixEvent& event : mixture.plan.events) {
    if (event.silent) continue;
    const double length = event.event_duration_s * event.time_stretch.value_or(1);
    events.push_back({{"time", event.event_time_s},
                      {"duration", length},
                      {"value",
                       {{"label", event.stem},
                        {"source_file", event.source},
                        {"source_time", event.source_time_s},
                        {"event_time", event.event_time_s},
                        {"event_duration", event.event_duration_s},
                        {"snr", optional_json(event.snr_db)},
                        {"role", "foreground"},
                        {"pitch_shift", optional_json(event.pitch_shift)},
                        {"time_stretch", optional_json(event.time_stretch)},
                        {"effects", effects_json(event.effects)}}},
                      {"confidence", 1.0}});
  }
  const Json annotation{{"namespace", "scaper"},
                        {"data", std::move(events)},
                        {"annotation_metadata", {{"annotation_tools", fmt::format("unbraid {}", version())}}},
                        {"sandbox",
                         {{"scaper",
                           {{"duration", recipe.duration_s},
                            {"ref_db", recipe.ref_db},
                            {"n_channels", recipe.channels},
                            {"sr", recipe.sample_rate},
                            {"fade_in_len", recipe.fade_s},
                            {"fade_out_len", recipe.fade_s},
                            {"fix_clipping", recipe.fix_clipping},
                            {"scale_factor", mixture.scale},
                            {"random_state", recipe.seed},
                            {"item", index},
                            {"coherent", mixture.plan.coherent},
                            {"mixture_effects", effects_json(mixture.plan.mixture_effects)}}}}},
                        {"time", 0.0},
                        {"duration", recipe.duration_s}};
  const Json document{
      {"annotations", Json::array({annotation})},
      {"file_metadata", {{"title", mixtures.track_name(index)}, {"duration", recipe.duration_s}, {"jams_version", kJamsVersion}}},
      {"sandbox", Json::object()}};
  return text_of(document);
}

void write_mixtures(const MixtureDataset& mixtures, const fs::path& folder, const MixFiles& files, RunContext& run) {
  if (files.format != io::SampleFormat::kPcm16 && files.format != io::SampleFormat::kPcm24 && files.format != io::SampleFormat::kFloat32)
    throw Error{ErrorCode::kUsage, "must be 16, 24 or 32f", "bit depth"};
  if (files.container == io::Container::kFlac && files.format == io::SampleFormat::kFloat32)
    throw Error{ErrorCode::kUsage, "FLAC holds no floating-point samples; use 16 or 24 bits, or WAV", "bit depth"};
  std::vector<std::size_t> items = files.items;
  if (items.empty()) {
    items.resize(mixtures.size());
    std::iota(items.begin(), items.end(), std::size_t{0});
  }
  for (const std::size_t item : items)
    if (item >= mixtures.size())
      throw Error{ErrorCode::kUsage, fmt::format("there is no item {}; the recipe has {}", item, mixtures.size()), "items"};
  write_manifest(mixtures.recipe(), folder, files);
  run.progress.start("mix", items.size(), "mixtures");
  run.pool.parallel_for(items.size(), [&](std::size_t i) {
    run.cancel.check();
    write_item(mixtures, items[i], folder, files);
    run.progress.advance(1);
  });
}

}  // namespace unbraid::data
