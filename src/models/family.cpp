#include "models/family.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "models/demucs/demucs.hpp"
#include "models/mdx23c/mdx23c.hpp"
#include "models/roformer/roformer.hpp"
#include "models/scnet/scnet.hpp"
#include "models/state.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using checkpoint::TensorMap;

bool has(const TensorMap& tensors, std::string_view part) {
  return std::ranges::any_of(tensors, [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
}

/// What MSST's configurations say alike for every family.
ModelTraits msst_traits(const Config& config, std::string family) {
  const Config audio = config.section("audio");
  const Config training = config.section("training");
  const Config inference = config.section("inference");
  ModelTraits traits;
  traits.family = std::move(family);
  const auto target = training.get<std::string>("target_instrument", "");
  traits.stems = target.empty() || target == "null" ? training.get<std::vector<std::string>>("instruments")
                                                     : std::vector<std::string>{target};
  traits.sample_rate = audio.get<double>("sample_rate", 44100);
  traits.channels = audio.get<std::int64_t>("num_channels", 2);
  traits.normalize = inference.get<bool>("normalize", false);
  const auto overlap = inference.get<std::int64_t>("num_overlap", 2);
  if (overlap < 1) throw Error{ErrorCode::kFormat, "inference.num_overlap must be at least 1", config.name()};
  traits.blocks = {
      .length = inference.get<std::size_t>("chunk_size", audio.get<std::size_t>("chunk_size", 0)),
      .overlap = 1.0 - 1.0 / static_cast<double>(overlap),
      .window = BlockWindow::kLinearFade,
      .fade = 0.1,
      .padding = PaddingMode::kReflect,
      .batch = inference.get<std::size_t>("batch_size", 1),
  };
  if (traits.blocks.length == 0) throw Error{ErrorCode::kFormat, "audio.chunk_size is missing", config.name()};
  return traits;
}

/// The same for the two kinds of Demucs, whose configurations have another shape: plain averages of padded blocks.
ModelTraits demucs_traits(const Config& config, std::string family) {
  const Config training = config.section("training");
  const Config inference = config.section("inference");
  ModelTraits traits;
  traits.family = std::move(family);
  traits.stems = training.get<std::vector<std::string>>("instruments");
  traits.sample_rate = training.get<double>("samplerate", 44100);
  traits.channels = training.get<std::int64_t>("channels", 2);
  const auto overlap = inference.get<std::int64_t>("num_overlap", 2);
  if (overlap < 1) throw Error{ErrorCode::kFormat, "inference.num_overlap must be at least 1", config.name()};
  traits.blocks = {
      .length = static_cast<std::size_t>(training.get<double>("segment") * traits.sample_rate),
      .overlap = 1.0 - 1.0 / static_cast<double>(overlap),
      .window = BlockWindow::kTriangular,
      .padding = PaddingMode::kConstant,
      .batch = inference.get<std::size_t>("batch_size", 1),
  };
  if (traits.blocks.length == 0) throw Error{ErrorCode::kFormat, "training.segment is zero", config.name()};
  return traits;
}

const Family kFamilies[] = {
    {"mdx23c",
     [](const TensorMap& tensors) { return has(tensors, "first_conv.weight") && has(tensors, "bottleneck_block."); },
     [](const Config& config) { return make_mdx23c(Mdx23cConfig::of(config), msst_traits(config, "mdx23c")); }},
    {"bs_roformer",
     [](const TensorMap& tensors) { return has(tensors, "mask_estimators.") && has(tensors, "final_norm.gamma"); },
     [](const Config& config) { return make_roformer(RoformerConfig::of(config, false), msst_traits(config, "bs_roformer")); }},
    {"mel_band_roformer",
     [](const TensorMap& tensors) { return has(tensors, "mask_estimators."); },
     [](const Config& config) { return make_roformer(RoformerConfig::of(config, true), msst_traits(config, "mel_band_roformer")); }},
    {"scnet",
     [](const TensorMap& tensors) { return has(tensors, "separation_net.dp_modules."); },
     [](const Config& config) { return make_scnet(ScnetConfig::of(config), msst_traits(config, "scnet")); }},
    {"htdemucs",
     [](const TensorMap& tensors) { return has(tensors, "crosstransformer."); },
     [](const Config& config) { return make_demucs(DemucsConfig::of(config, true), demucs_traits(config, "htdemucs")); }},
    {"hdemucs",
     [](const TensorMap& tensors) { return has(tensors, "tencoder."); },
     [](const Config& config) { return make_demucs(DemucsConfig::of(config, false), demucs_traits(config, "hdemucs")); }},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

std::shared_ptr<Model> open_model(const ModelFiles& files) {
  const checkpoint::Checkpoint file = checkpoint::load(files.weights);
  const auto family = std::ranges::find_if(families(), [&](const Family& f) { return f.recognises(file.tensors); });
  if (family == families().end())
    throw Error{ErrorCode::kUnsupported, "its tensors are of no model that Unbraid knows", files.weights.string()};
  if (files.config.empty())
    throw Error{ErrorCode::kUsage, fmt::format("a {} checkpoint needs its configuration (--config FILE)", family->name),
                files.weights.string()};
  std::shared_ptr<Model> model = family->build(Config::load(files.config));
  try {
    load_state(*model, file.tensors, files.allow_partial);
  } catch (const Error& error) {
    throw Error{error.code(), error.what(), files.weights.string()};
  }
  model->eval();
  return model;
}

}  // namespace unbraid::models
