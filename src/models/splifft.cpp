#include "models/splifft.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using Renaming = std::pair<const char*, const char*>;  ///< splifft's name, MSST's

/// Copies what is there.
void copy(const Config& from, YAML::Node to, std::initializer_list<Renaming> names) {
  for (const auto& [theirs, ours] : names)
    if (from.has(theirs)) to[ours] = from.node()[theirs];
}

template <class T>
void require(const Config& config, std::string_view key, const T& only) {
  if (config.get<T>(key, only) != only)
    throw Error{ErrorCode::kUnsupported, fmt::format("the option {} has a value that is not supported", key), config.name()};
}

void roformer(const Config& model, const Config& transform, YAML::Node result) {
  const Config bands = model.section("band_config");
  const auto kind = bands.get<std::string>("kind");
  if (kind != "fixed" && kind != "mel") throw Error{ErrorCode::kUnsupported, fmt::format("bands of the kind {}", kind), bands.name()};
  const bool mel = kind == "mel";
  result["family"] = mel ? "mel_band_roformer" : "bs_roformer";
  YAML::Node out = result["model"];
  copy(model, out,
       {{"dim", "dim"},
        {"depth", "depth"},
        {"stereo", "stereo"},
        {"dim_head", "dim_head"},
        {"heads", "heads"},
        {"linear_transformer_depth", "linear_transformer_depth"},
        {"attn_dropout", "attn_dropout"},
        {"ff_dropout", "ff_dropout"},
        {"ff_mult", "ff_mult"},
        {"mlp_expansion_factor", "mlp_expansion_factor"},
        {"skip_connection", "skip_connection"}});
  if (!out["stereo"]) out["stereo"] = true;
  out["num_stems"] = model.get<std::vector<std::string>>("output_stem_names").size();
  out["time_transformer_depth"] = model.get<int>("time_transformer_depth", 1);
  out["freq_transformer_depth"] = model.get<int>("freq_transformer_depth", 1);
  out["mask_estimator_depth"] = model.get<int>("mask_estimator_depth", 2) - (mel ? 1 : 0);
  out["norm_output"] = model.get<bool>("norm_output", false);
  out["zero_dc"] = false;
  if (mel) out["match_input_audio_length"] = true;
  copy(bands, out, {{"freqs_per_bands", "freqs_per_bands"}, {"num_bands", "num_bands"}, {"sample_rate", "sample_rate"}});
  out["stft_n_fft"] = transform.get<int>("n_fft", 2048);
  out["stft_hop_length"] = transform.get<int>("hop_length", model.get<int>("stft_hop_length", 512));
  out["stft_win_length"] = transform.get<int>("win_length", 2048);
  out["stft_normalized"] = transform.get<bool>("normalized", false);
  require(model.section("mask_estimator"), "kind", std::string("baseline"));
  require(model, "use_shared_bias", false);
  bands.refuse_others({"stft_n_fft"});
  model.refuse_others({"chunk_size", "flash_attn", "use_torch_checkpoint", "sage_attention", "rms_norm_eps", "rotary_embed_dtype",
                       "transformer_residual_dtype", "debug"});
}

void mdx23c(const Config& model, const Config& transform, YAML::Node result) {
  result["family"] = "mdx23c";
  YAML::Node out = result["model"];
  copy(model, out,
       {{"num_subbands", "num_subbands"},
        {"num_scales", "num_scales"},
        {"scale", "scale"},
        {"num_blocks_per_scale", "num_blocks_per_scale"},
        {"hidden_channels", "num_channels"},
        {"growth", "growth"},
        {"bottleneck_factor", "bottleneck_factor"}});
  out["norm"] = model.get<std::string>("norm_type", "InstanceNorm");
  out["act"] = model.get<std::string>("act_type", "gelu");
  result["audio"]["n_fft"] = transform.get<int>("n_fft", 2048);
  result["audio"]["hop_length"] = transform.get<int>("hop_length", 512);
  result["audio"]["dim_f"] = model.get<int>("dim_f");
  require(transform, "normalized", false);
  model.refuse_others({"chunk_size", "output_stem_names", "stereo"});
}

}  // namespace

bool is_splifft(const Config& config) { return config.has("model_type") && config.section("model").has("output_stem_names"); }

Config from_splifft(const Config& config) {
  const Config model = config.section("model"), transform = config.section("transform");
  const Config chunking = config.section("waveform_chunking"), audio = config.section("audio_io");
  YAML::Node result;
  result["model"] = YAML::Node(YAML::NodeType::Map);
  result["training"]["instruments"] = model.get<std::vector<std::string>>("output_stem_names");
  result["audio"]["chunk_size"] = model.get<std::int64_t>("chunk_size");
  result["audio"]["sample_rate"] = audio.get<double>("target_sample_rate", 44100);
  result["audio"]["num_channels"] = model.get<bool>("stereo", true) ? 2 : 1;
  YAML::Node inference = result["inference"];
  inference["splifft_overlap"] = chunking.get<double>("overlap_ratio", 0.5);
  inference["splifft_padding"] = chunking.get<std::string>("padding_mode", "reflect");
  inference["batch_size"] = config.section("inference").get<int>("batch_size", 8);
  inference["splifft_normalize"] = config.section("normalization").get<bool>("enabled", false);
  require(chunking, "method", std::string("overlap_add_windowed"));
  require(chunking, "window_shape", std::string("hann"));
  require(transform, "kind", std::string("stft"));
  require(transform, "window_shape", std::string("hann"));
  const auto type = config.get<std::string>("model_type");
  if (type == "bs_roformer" || type == "mel_roformer") roformer(model, transform, result);
  else if (type == "mdx23c") mdx23c(model, transform, result);
  else throw Error{ErrorCode::kUnsupported, fmt::format("a model of the type {}", type), config.name()};
  return Config::of(result, config.name());
}

bool adopt_splifft(const Config& inference, ModelTraits& traits) {
  if (!inference.has("splifft_overlap")) return false;
  const auto padding = inference.get<std::string>("splifft_padding");
  constexpr std::array<std::pair<std::string_view, PaddingMode>, 3> kModes{
      {{"reflect", PaddingMode::kReflect}, {"constant", PaddingMode::kConstant}, {"replicate", PaddingMode::kReplicate}}};
  traits.blocks = {.length = traits.blocks.length,
                   .overlap = inference.get<double>("splifft_overlap"),
                   .window = BlockWindow::kHann,
                   .batch = inference.get<std::size_t>("batch_size")};
  bool known = false;
  for (const auto& [name, mode] : kModes)
    if (name == padding) {
      traits.blocks.padding = mode;
      known = true;
    }
  if (!known) throw Error{ErrorCode::kUnsupported, fmt::format("padding_mode {}", padding), inference.name()};
  traits.normalize = inference.get<bool>("splifft_normalize") ? Normalization::kShared : Normalization::kNone;
  return true;
}

}  // namespace unbraid::models
