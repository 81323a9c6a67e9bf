#include "train/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <iterator>
#include <utility>

#include "models/family.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/views.hpp"

namespace unbraid::train {

namespace {

namespace fs = std::filesystem;
using models::Config;

/// "a.b.0=c" put into the tree; what is not there yet is made, and refused later if nobody knows it.
void set(YAML::Node root, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) throw Error{ErrorCode::kUsage, "must be written as key.key=value", assignment};
  std::vector<std::string> keys;
  for (std::size_t at = 0; at <= equals;) {
    const std::size_t dot = std::min(assignment.find('.', at), equals);
    keys.push_back(assignment.substr(at, dot - at));
    at = dot + 1;
  }
  YAML::Node node = root;
  for (std::size_t k = 0; k < keys.size(); ++k) {
    const std::string& key = keys[k];
    YAML::Node next;
    if (node.IsSequence()) {
      const bool is_number = !key.empty() && key.size() < 6 && std::ranges::all_of(key, [](unsigned char c) { return std::isdigit(c); });
      if (!is_number || std::stoul(key) >= node.size())
        throw Error{ErrorCode::kUsage, fmt::format("'{}' is no position in a list of {}", key, node.size()), assignment};
      next.reset(node[std::stoul(key)]);
    } else {
      if (key.empty() || (!node.IsMap() && node.IsDefined() && !node.IsNull()))
        throw Error{ErrorCode::kUsage, fmt::format("'{}' cannot be set: there is a value above it", key), assignment};
      next.reset(node[key]);
    }
    node.reset(next);
  }
  try {
    node = YAML::Load(assignment.substr(equals + 1));
  } catch (const YAML::Exception&) {
    throw Error{ErrorCode::kUsage, "its value is no YAML", assignment};
  }
}

/// `over` on top of `base`: mappings key by key, everything else as a whole; null takes a key out. Nothing of either is changed,
/// since what aliases stand for is shared.
YAML::Node merged(const YAML::Node& base, const YAML::Node& over) {
  YAML::Node result(YAML::NodeType::Map);
  for (const auto& item : base) {
    const YAML::Node mine = over[item.first.Scalar()];
    if (!mine.IsDefined()) result[item.first.Scalar()] = item.second;
    else if (!mine.IsNull()) result[item.first.Scalar()] = item.second.IsMap() && mine.IsMap() ? merged(item.second, mine) : mine;
  }
  for (const auto& item : over)
    if (!item.second.IsNull() && !base[item.first.Scalar()].IsDefined()) result[item.first.Scalar()] = item.second;
  return result;
}

/// The whole configuration where it names another as its `base`.
YAML::Node with_base(const Config& config, const fs::path& folder, int depth = 0) {
  constexpr int kDeepest = 8;
  if (!config.node().IsMap() || !config.has("base")) return YAML::Clone(config.node());
  if (depth == kDeepest) throw Error{ErrorCode::kUsage, "is the base of itself", config.name()};
  const fs::path path = folder / config.get<std::string>("base");
  if (!fs::is_regular_file(path)) throw Error{ErrorCode::kNotFound, "no such configuration", path.string()};
  YAML::Node node = merged(with_base(Config::load(path), path.parent_path(), depth + 1), config.node());
  node.remove("base");
  return YAML::Clone(node);
}

/// A part of the tree as a configuration of its own.
Config part(const YAML::Node& node, const std::string& name) {
  if (!node.IsMap()) throw Error{ErrorCode::kUsage, "must be a mapping of names to values", name};
  return Config::parse(YAML::Dump(node), name);
}

/// A mapping, or a list of mappings.
std::vector<Config> parts(const Config& config, const char* key) {
  std::vector<Config> list;
  if (!config.has(key)) return list;
  const YAML::Node node = config.node()[key];
  const std::string name = fmt::format("{}: {}", config.name(), key);
  if (!node.IsSequence()) return {part(node, name)};
  for (std::size_t i = 0; i < node.size(); ++i) list.push_back(part(node[i], fmt::format("{}[{}]", name, i)));
  return list;
}

std::vector<SourceSpec> read_sources(const Config& config, const fs::path& root) {
  std::vector<SourceSpec> sources;
  const auto resolved = [&](const std::string& path) { return fs::path(path).is_absolute() ? fs::path(path) : root / path; };
  for (const Config& entry : parts(config, "sources")) {
    SourceSpec source;
    source.path = resolved(entry.get<std::string>("path"));
    source.format = entry.get<std::string>("format", source.format);
    source.split = entry.get<std::string>("split", source.split);
    source.submix = entry.get<std::string>("submix", source.submix);
    if (!source.submix.empty() && source.submix != "four_stems") source.submix = resolved(source.submix).string();
    source.only = entry.get<std::vector<std::string>>("only", {});
    source.without = entry.get<std::vector<std::string>>("without", {});
    source.rename = entry.get<std::map<std::string, std::string>>("rename", {});
    entry.refuse_others({});
    sources.push_back(std::move(source));
  }
  return sources;
}

/// A mix recipe's keys without sources. Rate, channels and length are the model's unless they are given.
data::MixRecipe read_recipe(const Config& config, const models::ModelTraits& traits, std::int64_t frames, std::uint64_t seed,
                            const fs::path& root) {
  YAML::Node node = YAML::Clone(config.node());
  node["sources"] = ".";
  const auto otherwise = [&](const char* key, const auto& value) {
    if (!node[key]) node[key] = value;
  };
  otherwise("sample_rate", traits.sample_rate);
  otherwise("channels", traits.channels);
  otherwise("seed", seed);
  // Half a frame more, because recipes cut to whole frames.
  if (frames > 0) otherwise("duration_s", (static_cast<double>(frames) + 0.5) / traits.sample_rate);
  data::MixRecipe recipe = data::parse_mix_recipe(YAML::Dump(node), config.name(), root);
  if (recipe.sample_rate != traits.sample_rate)
    throw Error{ErrorCode::kUsage, fmt::format("the model works at {} Hz", traits.sample_rate), config.name() + ": sample_rate"};
  return recipe;
}

void read_data(const Config& config, DataSpec& data, const fs::path& root) {
  data.sources = read_sources(config, root);
  if (data.sources.empty()) throw Error{ErrorCode::kUsage, "names no sources to train on", config.name()};
  constexpr std::uint64_t kMegabyte = 1 << 20;
  data.cache_bytes = config.get<std::uint64_t>("cache_mb", data.cache_bytes / kMegabyte) * kMegabyte;
  data.workers = config.get<std::size_t>("workers", data.workers);
  data.ahead = config.get<std::size_t>("ahead", data.ahead);
  data.targets = config.get<std::map<std::string, std::vector<std::string>>>("targets", {});
  data.count = config.get<std::uint64_t>("count", 0);
  if (data.workers < 1 || data.workers > 64) throw Error{ErrorCode::kUsage, "must be 1 … 64", config.name() + ": workers"};
  if (data.ahead < 1 || data.ahead > 1024) throw Error{ErrorCode::kUsage, "must be 1 … 1024", config.name() + ": ahead"};
  if (config.has("songs")) {
    const Config songs = config.section("songs");
    SongBlocks blocks;
    blocks.block = songs.get<std::size_t>("block", blocks.block);
    blocks.step = songs.get<std::size_t>("step", blocks.step);
    blocks.epochs = songs.get<std::size_t>("epochs", blocks.epochs);
    blocks.repetitions = songs.get<std::size_t>("repetitions", blocks.repetitions);
    songs.refuse_others({});
    if (blocks.block < 1 || blocks.step < 1 || blocks.epochs < 1 || blocks.repetitions < 1)
      throw Error{ErrorCode::kUsage, "every number must be at least 1", songs.name()};
    data.songs = blocks;
  }
  if (config.has("mixtures") == data.songs.has_value()) throw Error{ErrorCode::kUsage, "needs either mixtures or songs", config.name()};
}

void read_validation(const Config& config, ValidationSpec& validation, const fs::path& root) {
  validation.sources = read_sources(config, root);
  validation.start_s = config.get<double>("start_s", validation.start_s);
  validation.length_s = config.get<double>("length_s", validation.length_s);
  validation.tracks = config.get<std::size_t>("tracks", validation.tracks);
  validation.every_steps = config.get<std::uint64_t>("every_steps", validation.every_steps);
  validation.score = config.get<std::string>("score", validation.score);
  validation.patience = config.get<std::size_t>("patience", validation.patience);
  const auto require = [&](bool fine, const char* key, const char* message) {
    if (!fine) throw Error{ErrorCode::kUsage, message, fmt::format("{}: {}", config.name(), key)};
  };
  require(validation.start_s >= 0, "start_s", "must be at least 0");
  require(validation.length_s > 0, "length_s", "must be above 0");
  require(validation.every_steps > 0, "every_steps", "must be at least 1");
  require(validation.score == "sdr" || validation.score == "si_sdr", "score", "there are sdr and si_sdr");
}

void read_training(const Config& config, TrainConfig& train) {
  train.steps = config.get<std::uint64_t>("steps");
  train.epoch_steps = config.get<std::uint64_t>("epoch_steps", 1000);
  train.batch = config.get<std::int64_t>("batch", train.batch);
  train.accumulate = config.get<std::int64_t>("accumulate", train.accumulate);
  train.frames = config.get<std::int64_t>("frames", 0);
  train.clip_norm = config.get<double>("clip_norm", train.clip_norm);
  train.average_decay = config.get<double>("average_decay", train.average_decay);
  train.checkpoint_steps = config.get<std::uint64_t>("checkpoint_steps", train.checkpoint_steps);
  train.divergence = config.get<double>("divergence", train.divergence);
  const auto precision = config.get<std::string>("precision", "fp32");
  train.bf16 = precision == "bf16";
  const auto require = [&](bool fine, const char* key, const char* message) {
    if (!fine) throw Error{ErrorCode::kUsage, message, fmt::format("{}: {}", config.name(), key)};
  };
  require(train.epoch_steps > 0, "epoch_steps", "must be at least 1");
  require(train.batch > 0 && train.batch <= 65536, "batch", "must be 1 … 65536");
  require(train.accumulate > 0, "accumulate", "must be at least 1");
  require(train.frames >= 0, "frames", "must be at least 0");
  require(train.clip_norm >= 0, "clip_norm", "must be at least 0");
  require(train.average_decay >= 0 && train.average_decay < 1, "average_decay", "must lie in 0 … 1");
  require(train.checkpoint_steps > 0, "checkpoint_steps", "must be at least 1");
  require(train.divergence > 0, "divergence", "must be above 0");
  require(precision == "fp32" || precision == "bf16", "precision", "there are fp32 and bf16");
}

/// Keys of `training` that belong to the model.
constexpr const char* kModelKeys[] = {"instruments", "target_instrument", "samplerate", "channels", "segment"};

/// Sections that are the model's alone; the two kinds of Demucs have theirs under their own names.
constexpr const char* kModelSections[] = {"audio", "model", "inference", "htdemucs", "hdemucs", "lora"};

/// The sections that describe the model, with nothing of the run in them.
Config model_config(const Config& config) {
  YAML::Node node(YAML::NodeType::Map);
  for (const char* section : kModelSections)
    if (config.has(section)) node[section] = YAML::Clone(config.node()[section]);
  const Config training = config.section("training");
  for (const char* key : kModelKeys)
    if (training.has(key)) node["training"][key] = YAML::Clone(training.node()[key]);
  return Config::parse(YAML::Dump(node), config.name());
}

/// Once the model is built: what it did not read of a configuration of our own making, and the sections of other families.
void refuse_other_models_keys(const Config& config, const TrainConfig& train) {
  for (const char* section : {"htdemucs", "hdemucs"})
    if (config.has(section) && train.architecture != section)
      throw Error{ErrorCode::kUsage, fmt::format("belongs to another architecture than {}", train.architecture),
                  fmt::format("{}: {}", config.name(), section)};
  if (!std::ranges::find(models::families(), train.architecture, &models::Family::name)->own_keys) return;
  for (const char* section : {"audio", "inference", "training"}) train.model.section(section).refuse_others({});
}

TrainConfig read(const Config& config, const fs::path& folder) {
  const Config training = config.section("training");
  const Config data = config.section("data");
  const Config validation = config.section("validation");
  TrainConfig train{.architecture = config.get<std::string>("architecture"), .model = model_config(config)};
  train.seed = config.get<std::uint64_t>("seed", 0);
  train.card = config.get<std::map<std::string, std::string>>("card", {});
  read_training(training, train);
  if (const auto weights = training.get<std::string>("start_from", ""); !weights.empty()) train.start_from = folder / weights;
  train.start_partial = training.get<bool>("start_partial", false);
  if (config.has("lora") && train.start_from.empty())
    throw Error{ErrorCode::kUsage, "adapters need the model that they adapt: training.start_from", config.name() + ": lora"};
  const fs::path root = folder / data.get<std::string>("root", ".");
  read_data(data, train.data, root);
  read_validation(validation, train.validation, root);
  train.optimizer = OptimizerOptions::of(config.section("optimizer"));
  train.schedule = ScheduleOptions::of(config.section("schedule"));
  for (const Config& term : parts(config, "loss")) train.losses.push_back(LossTerm::of(term));
  if (train.losses.empty()) train.losses.emplace_back();

  // Built once to check its keys, and for what the data must look like.
  const std::shared_ptr<models::Model> model = models::make_model(train.architecture, train.model, train.seed);
  refuse_other_models_keys(config, train);
  train.traits = model->traits();
  const models::ModelTraits& traits = train.traits;
  for (const auto& [target, stems] : train.data.targets)
    if (std::ranges::find(traits.stems, target) == traits.stems.end())
      throw Error{ErrorCode::kUsage, fmt::format("the model has no such stem, but {}", fmt::join(traits.stems, ", ")),
                  fmt::format("{}: targets: {}", data.name(), target)};
  if (model->conditioned() && std::ranges::any_of(train.losses, [](const LossTerm& term) { return term.name == "deepconvsep"; }))
    throw Error{ErrorCode::kUsage, "deepconvsep compares all stems, and the model is trained on one at a time", config.name() + ": loss"};
  if (train.frames == 0) train.frames = static_cast<std::int64_t>(traits.blocks.length);
  if (train.frames == 0) throw Error{ErrorCode::kUsage, "the model has no block length of its own: give one", training.name() + ": frames"};
  if (train.steps == 0 && !train.data.songs)
    throw Error{ErrorCode::kUsage, "must be at least 1: mixtures have no end", training.name() + ": steps"};
  if (data.has("mixtures")) {
    train.data.recipe = read_recipe(data.section("mixtures"), traits, train.frames, train.seed, root);
    if (train.data.recipe.channels != static_cast<std::size_t>(traits.channels))
      throw Error{ErrorCode::kUsage, fmt::format("the model takes {} channels", traits.channels), data.name() + ": mixtures: channels"};
  }
  if (validation.has("mixtures")) train.validation.recipe = read_recipe(validation.section("mixtures"), traits, 0, train.seed + 1, root);

  training.refuse_others({"instruments", "target_instrument", "samplerate", "channels", "segment"});
  data.refuse_others({});
  validation.refuse_others({});
  config.refuse_others(
      {"audio", "model", "inference", "htdemucs", "hdemucs", "lora", "training", "data", "validation", "optimizer", "schedule"});
  return train;
}

}  // namespace

TrainConfig TrainConfig::parse(const std::string& yaml, const std::string& name, const fs::path& folder,
                               const std::vector<std::string>& overrides) {
  const Config as_written = Config::parse(yaml, name);
  YAML::Node node = with_base(as_written, folder);
  for (const std::string& assignment : overrides) set(node, assignment);
  const std::string text = YAML::Dump(node) + "\n";
  try {
    TrainConfig config = read(Config::parse(text, name), folder);
    config.text = text;
    return config;
  } catch (const Error& error) {
    // Whatever is wrong here is wrong use: the file is well-formed.
    const bool wrong = error.code() == ErrorCode::kFormat || error.code() == ErrorCode::kUnsupported;
    throw Error{wrong ? ErrorCode::kUsage : error.code(), error.message(), error.context()};
  }
}

TrainConfig TrainConfig::load(const fs::path& path, const std::vector<std::string>& overrides) {
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path)) throw Error{ErrorCode::kNotFound, "no such configuration", path.string()};
  return parse({std::istreambuf_iterator<char>(file), {}}, path.string(), path.parent_path(), overrides);
}

namespace {

void require_stem(const data::Dataset& tracks, const std::string& name, const fs::path& path) {
  for (std::size_t t = 0; t < tracks.size(); ++t)
    if (tracks.track(t).find(name)) return;
  throw Error{ErrorCode::kUsage, fmt::format("no track has a stem '{}' to rename", name), path.string()};
}

}  // namespace

data::DatasetPtr open_sources(const std::vector<SourceSpec>& sources) {
  std::vector<data::DatasetPtr> opened;
  for (const SourceSpec& source : sources) {
    data::DatasetPtr tracks =
        data::open_mix_sources({.path = source.path, .format = source.format, .split = source.split, .submix = source.submix});
    for (const auto& [from, to] : source.rename) require_stem(*tracks, from, source.path);
    if (!source.only.empty() || !source.without.empty()) tracks = data::with_names(tracks, source.only, source.without);
    if (!source.rename.empty()) tracks = data::renamed(tracks, source.rename);
    if (tracks->size() == 0) throw Error{ErrorCode::kNotFound, "no track fits 'only' and 'without'", source.path.string()};
    opened.push_back(std::move(tracks));
  }
  return opened.size() == 1 ? opened[0] : data::concatenated(std::move(opened));
}

}  // namespace unbraid::train
