#include "models/family.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "models/adapters.hpp"
#include "models/bsrnn/bsrnn.hpp"
#include "models/cunet/cunet.hpp"
#include "models/deepconvsep/deepconvsep.hpp"
#include "models/demucs/demucs.hpp"
#include "models/demucs/package.hpp"
#include "models/mask_inference/mask_inference.hpp"
#include "models/mask_unet/mask_unet.hpp"
#include "models/mdx23c/mdx23c.hpp"
#include "models/model_file.hpp"
#include "models/open_unmix/open_unmix.hpp"
#include "models/peak_allocation.hpp"
#include "models/roformer/roformer.hpp"
#include "models/scnet/scnet.hpp"
#include "models/splifft.hpp"
#include "models/state.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using checkpoint::TensorMap;

bool has(const TensorMap& tensors, std::string_view part) {
  return std::ranges::any_of(tensors, [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
}

constexpr double kBlockSeconds = 10;  // of our own families, unless inference.chunk_size says otherwise
constexpr double kBlockFade = 0.1;    // of a block's length, at both ends; they overlap by as much

/// Facts that whoever makes buffers must be able to rely on.
void check(const ModelTraits& traits, const Config& config) {
  constexpr std::int64_t kMostChannels = 64;
  constexpr std::size_t kLongestBlock = std::size_t{1} << 30;
  const auto require = [&](bool fine, const char* what) {
    if (!fine) throw Error{ErrorCode::kFormat, fmt::format("{} is missing or out of range", what), config.name()};
  };
  require(!traits.stems.empty(), "training.instruments");
  require(traits.channels >= 1 && traits.channels <= kMostChannels, "the number of channels");
  require(traits.sample_rate >= 1 && traits.sample_rate <= 1e7, "the sample rate");
  require(traits.blocks.length >= 1 && traits.blocks.length <= kLongestBlock, "the length of a block");
}

/// What MSST's configurations say alike for every family.
ModelTraits msst_traits(const Config& config, std::string family) {
  const Config audio = config.section("audio");
  const Config training = config.section("training");
  const Config inference = config.section("inference");
  ModelTraits traits;
  traits.family = std::move(family);
  const auto target = training.get<std::string>("target_instrument", "");
  traits.stems =
      target.empty() || target == "null" ? training.get<std::vector<std::string>>("instruments") : std::vector<std::string>{target};
  traits.sample_rate = audio.get<double>("sample_rate", 44100);
  traits.channels = audio.get<std::int64_t>("num_channels", 2);
  traits.normalize = inference.get<bool>("normalize", false) ? Normalization::kMsst : Normalization::kNone;
  const auto overlap = inference.get<std::int64_t>("num_overlap", 2);
  if (overlap < 1) throw Error{ErrorCode::kFormat, "inference.num_overlap must be at least 1", config.name()};
  const auto batch = inference.get<std::size_t>("batch_size", 1);
  traits.blocks = {
      .length = inference.get<std::size_t>("chunk_size", audio.get<std::size_t>("chunk_size", 0)),
      .overlap = 1.0 - 1.0 / static_cast<double>(overlap),
      .window = BlockWindow::kLinearFade,
      .fade = 0.1,
      .padding = PaddingMode::kReflect,
      .batch = batch,
      .policy = BlockPolicy::kMsst,
      .reference_batch = batch,
  };
  adopt_splifft(inference, traits);
  check(traits, config);
  return traits;
}

/// The same for our own families: MSST's layout with defaults, long blocks that just cross-fade.
ModelTraits own_traits(const Config& config, std::string family) {
  const Config audio = config.section("audio");
  const Config inference = config.section("inference");
  ModelTraits traits;
  traits.family = std::move(family);
  traits.stems = config.section("training").get<std::vector<std::string>>("instruments");
  traits.sample_rate = audio.get<double>("sample_rate", 44100);
  traits.channels = audio.get<std::int64_t>("num_channels", 2);
  traits.normalize = inference.get<bool>("normalize", false) ? Normalization::kShared : Normalization::kNone;
  const auto length = inference.get<std::int64_t>("chunk_size", static_cast<std::int64_t>(kBlockSeconds * traits.sample_rate));
  inference.check_range("chunk_size", length, 1, std::int64_t{1} << 30);
  const auto overlap = inference.get<std::int64_t>("num_overlap", 0);
  inference.check_range("num_overlap", overlap, 0, 1000);
  traits.blocks = {
      .length = static_cast<std::size_t>(length),
      .overlap = overlap == 0 ? kBlockFade : 1.0 - 1.0 / static_cast<double>(overlap),
      .window = BlockWindow::kLinearFade,
      .fade = kBlockFade,
      .padding = PaddingMode::kReflect,
      .batch = inference.get<std::size_t>("batch_size", 1),
  };
  check(traits, config);
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
  traits.normalize = inference.get<bool>("normalize", false) ? Normalization::kMsst : Normalization::kNone;
  const auto overlap = inference.get<std::int64_t>("num_overlap", 2);
  if (overlap < 1) throw Error{ErrorCode::kFormat, "inference.num_overlap must be at least 1", config.name()};
  traits.blocks = {
      .length = static_cast<std::size_t>(training.get<double>("segment") * traits.sample_rate),
      .overlap = 1.0 - 1.0 / static_cast<double>(overlap),
      .window = BlockWindow::kBox,
      .padding = PaddingMode::kConstant,
      .batch = inference.get<std::size_t>("batch_size", 1),
      .policy = BlockPolicy::kMsstDemucs,
  };
  if (inference.get<std::string>("policy", "") == demucs::kPackagePolicy) demucs::adopt_apply_model(inference, traits);
  check(traits, config);
  return traits;
}

const Family kFamilies[] = {
    {"mask_inference", [](const TensorMap& tensors) { return has(tensors, "recurrent_stack.rnn.") && has(tensors, "embedding.linear."); },
     [](const Config& config) { return make_mask_inference(MaskInferenceConfig::of(config), own_traits(config, "mask_inference")); },
     read_nussl, /*own_keys=*/true},
    {"open_unmix", [](const TensorMap& tensors) { return has(tensors, "input_mean") && has(tensors, "lstm.weight_ih_l0"); },
     [](const Config& config) { return make_open_unmix(OpenUnmixConfig::of(config), own_traits(config, "open_unmix")); },
     [](const checkpoint::Checkpoint&, const std::filesystem::path& path) { return read_open_unmix(path); }, /*own_keys=*/true},
    {"deepconvsep", [](const TensorMap& tensors) { return has(tensors, "vertical_convolution/") && has(tensors, "single_dense_"); },
     [](const Config& config) { return make_deepconvsep(DeepConvSepConfig::of(config), own_traits(config, "deepconvsep")); },
     read_keras_deepconvsep, /*own_keys=*/true},
    {"cunet", [](const TensorMap& tensors) { return has(tensors, "gamma_beta.weight") && has(tensors, "encoder.0.conv.weight"); },
     [](const Config& config) { return make_cunet(CunetConfig::of(config), own_traits(config, "cunet")); }, nullptr, /*own_keys=*/true},
    {"bsrnn", [](const TensorMap& tensors) { return has(tensors, "encoder.weight") && has(tensors, "time_0.rnn.weight_ih_l0"); },
     [](const Config& config) { return make_bsrnn(BsrnnConfig::of(config), own_traits(config, "bsrnn")); }, nullptr, /*own_keys=*/true},
    {"mask_unet", [](const TensorMap& tensors) { return has(tensors, "usual") && has(tensors, "first_conv.weight"); },
     [](const Config& config) { return make_mask_unet(MaskUnetConfig::of(config), own_traits(config, "mask_unet")); }, nullptr,
     /*own_keys=*/true},
    {"mdx23c", [](const TensorMap& tensors) { return has(tensors, "first_conv.weight") && has(tensors, "bottleneck_block."); },
     [](const Config& config) { return make_mdx23c(Mdx23cConfig::of(config), msst_traits(config, "mdx23c")); }},
    {"bs_roformer", [](const TensorMap& tensors) { return has(tensors, "mask_estimators.") && has(tensors, "final_norm.gamma"); },
     [](const Config& config) { return make_roformer(RoformerConfig::of(config, false), msst_traits(config, "bs_roformer")); }},
    {"mel_band_roformer", [](const TensorMap& tensors) { return has(tensors, "mask_estimators."); },
     [](const Config& config) { return make_roformer(RoformerConfig::of(config, true), msst_traits(config, "mel_band_roformer")); }},
    {"scnet_masked", [](const TensorMap& tensors) { return has(tensors, "separation_net.dp_modules.") && has(tensors, "pos_embed_f"); },
     [](const Config& config) { return make_scnet(ScnetConfig::of(config, true), msst_traits(config, "scnet_masked")); }},
    {"scnet", [](const TensorMap& tensors) { return has(tensors, "separation_net.dp_modules."); },
     [](const Config& config) { return make_scnet(ScnetConfig::of(config, false), msst_traits(config, "scnet")); }},
    {"htdemucs", [](const TensorMap& tensors) { return has(tensors, "crosstransformer."); },
     [](const Config& config) { return make_demucs(DemucsConfig::of(config, true), demucs_traits(config, "htdemucs")); }},
    {"hdemucs", [](const TensorMap& tensors) { return has(tensors, "tencoder."); },
     [](const Config& config) { return make_demucs(DemucsConfig::of(config, false), demucs_traits(config, "hdemucs")); }},
};

std::string known_names() {
  std::vector<std::string_view> names;
  for (const Family& family : kFamilies) names.push_back(family.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::span<const Family> families() { return kFamilies; }

std::shared_ptr<Model> make_model(std::string_view name, const Config& config, std::uint64_t seed) {
  const auto family = std::ranges::find(families(), name, &Family::name);
  if (family == families().end())
    throw Error{ErrorCode::kUnsupported, fmt::format("unknown architecture {}; there are {}", name, known_names()), config.name()};
  // torch initialises from its global generator: it is seeded for the while, and gets its state back.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  torch::Generator generator = at::detail::getDefaultCPUGenerator();
  const torch::Tensor before = generator.get_state();
  generator.set_current_seed(seed);
  std::shared_ptr<Model> model;
  try {
    model = family->build(config);
    if (config.has("lora")) add_adapters(*model, AdapterOptions::of(config.section("lora")));
  } catch (...) {
    generator.set_state(before);
    throw;
  }
  generator.set_state(before);
  model->set_configuration(config.text());
  model->train();
  return model;
}

std::shared_ptr<Model> make_contained_model(std::string_view family, const Config& config, const TensorMap& tensors) {
  constexpr std::size_t kBesides = 64 << 20;  // windows, tables, what initialising takes
  std::shared_ptr<Model> model;
  try {
    limit_allocation(kBesides + 2 * sizeof(float) * tensors.distinct_values(), [&] { model = make_model(family, config); });
  } catch (const c10::Error& error) {  // sizes that no allocator takes, or no module
    throw Error{ErrorCode::kFormat, error.what_without_backtrace(), config.name()};
  }
  return model;
}

void load_weights(Model& model, const std::filesystem::path& weights, bool allow_partial) {
  SelfContained own;
  if (std::filesystem::is_directory(weights)) {
    own = read_open_unmix(weights);
  } else {
    checkpoint::Checkpoint file = checkpoint::load(weights);
    const auto family = std::ranges::find(families(), model.traits().family, &Family::name);
    const bool as_published = family != families().end() && family->read && !is_model_file(file);
    own = as_published ? family->read(file, weights) : SelfContained{.tensors = std::move(file.tensors)};
  }
  try {
    load_state(model, own.tensors, allow_partial);
  } catch (const Error& error) {
    throw Error{error.code(), error.what(), weights.string()};
  }
}

std::shared_ptr<Model> open_model(const ModelFiles& files) { return open_with_card(files).model; }

namespace {

/// What a configuration beside safetensors, as `models export` writes it, says that they are; empty where it does not.
std::string exported_architecture(const ModelFiles& files) {
  if (files.config.empty() || files.weights.extension() != ".safetensors") return "";
  return Config::load(files.config).get<std::string>("architecture", "");
}

LoadedModel open_plain(const ModelFiles& files) {
  const bool folder = std::filesystem::is_directory(files.weights);
  checkpoint::Checkpoint file;
  SelfContained own;
  std::string_view family_name = "open_unmix";
  if (folder) {
    own = read_open_unmix(files.weights);
  } else {
    file = checkpoint::load(files.weights);
    if (is_model_file(file))
      return files.config.empty() ? load_model(file) : load_model(file, Config::load(files.config).section("inference"));
    const std::string exported = exported_architecture(files);
    const auto family = std::ranges::find_if(
        families(), [&](const Family& f) { return exported.empty() ? f.recognises(file.tensors) : f.name == exported; });
    if (family == families().end()) throw Error{ErrorCode::kUnsupported, "its tensors are of no model that Unbraid knows"};
    const bool package = files.config.empty() && file.document && demucs::is_package(*file.document);
    if (files.config.empty() && !family->read && !package)
      throw Error{ErrorCode::kUsage, fmt::format("a {} checkpoint needs its configuration (--config FILE)", family->name)};
    family_name = family->name;
    const bool as_published = family->read && exported.empty();
    own = as_published ? family->read(file, files.weights) : SelfContained{.tensors = file.tensors};
    if (package) own.configuration = demucs::package_config(*file.document, "its own configuration").text();
  }
  LoadedModel result{.model = {}, .card = {.source = files.weights.filename().string()}};
  if (files.config.empty()) {
    const Config config = Config::parse(own.configuration, "its own configuration");
    result.model = make_contained_model(family_name, config, own.tensors);
  } else {
    Config config = without_adapters(Config::load(files.config));
    if (is_splifft(config)) {
      config = from_splifft(config);
      family_name = std::ranges::find(families(), config.get<std::string>("family"), &Family::name)->name;
    }
    result.model = make_model(family_name, config);
  }
  load_state(*result.model, own.tensors, files.allow_partial);
  result.model->eval();
  return result;
}

}  // namespace

LoadedModel open_with_card(const ModelFiles& files) {
  LoadedModel opened;
  try {
    opened = open_plain(files);
  } catch (const Error& error) {
    if (!error.context().empty() && error.context().starts_with(files.weights.string())) throw;
    throw Error{error.code(), error.what(), files.weights.string()};
  }
  if (!files.adapters.empty())
    merge_adapters(*opened.model, files.adapters,
                   files.config.empty() ? Config::parse("{}", files.adapters.string()) : Config::load(files.config));
  return opened;
}

}  // namespace unbraid::models
