#include "models/demucs/demucs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "nn/stft.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using demucs::DecoderLayer;
using demucs::EncoderLayer;
using demucs::LayerOptions;
using torch::Tensor;

/// Reflect padding that also works for short signals, which get zeros after (and before) them first.
Tensor pad_reflected(Tensor x, std::int64_t left, std::int64_t right) {
  const std::int64_t largest = std::max(left, right);
  if (x.size(-1) <= largest) {
    const std::int64_t extra = largest - x.size(-1) + 1;
    const std::int64_t extra_right = std::min(right, extra), extra_left = extra - extra_right;
    x = torch::constant_pad_nd(x, {extra_left, extra_right});
    left -= extra_left;
    right -= extra_right;
  }
  return torch::nn::functional::pad(x, torch::nn::functional::PadFuncOptions({left, right}).mode(torch::kReflect));
}

struct FrequencyEmbedding : torch::nn::Module {
  FrequencyEmbedding(std::int64_t bins, std::int64_t channels, double scale_wanted) : scale(scale_wanted) {
    embedding = register_module("embedding", torch::nn::Embedding(bins, channels));
    const torch::NoGradGuard no_gradient;  // neighbouring bins start alike
    const Tensor smooth = torch::cumsum(embedding->weight, 0) / torch::arange(1, bins + 1).sqrt().unsqueeze(1);
    embedding->weight.copy_(smooth / scale);
  }
  /// [1, channels, bins, 1]
  Tensor forward(std::int64_t bins) { return (embedding->weight.narrow(0, 0, bins) * scale).t().unsqueeze(0).unsqueeze(-1); }
  double scale;
  torch::nn::Embedding embedding{nullptr};
};

class Demucs : public Model {
 public:
  Demucs(DemucsConfig config, ModelTraits traits)
      : Model(std::move(traits)), config_(std::move(config)), stft_{.n_fft = config_.n_fft, .hop = config_.n_fft / 4, .normalized = true} {
    build_layers();
    if (!config_.transformer || config_.cross.layers == 0) return;
    auto width = config_.channels;
    for (std::int64_t i = 1; i < config_.depth; ++i) width = static_cast<std::int64_t>(config_.growth * static_cast<double>(width));
    if (config_.bottom_channels > 0) {
      const auto conv = [&](const char* name, std::int64_t in, std::int64_t out) {
        return register_module(name, torch::nn::Conv1d(torch::nn::Conv1dOptions(in, out, 1)));
      };
      up_ = conv("channel_upsampler", width, config_.bottom_channels);
      down_ = conv("channel_downsampler", config_.bottom_channels, width);
      up_t_ = conv("channel_upsampler_t", width, config_.bottom_channels);
      down_t_ = conv("channel_downsampler_t", config_.bottom_channels, width);
      width = config_.bottom_channels;
    }
    config_.cross.dim = width;
    cross_ = register_module("crosstransformer", std::make_shared<demucs::CrossTransformer>(config_.cross));
  }

  Tensor forward(const Tensor& input) override {
    const std::int64_t given = input.size(-1);
    const Tensor mix = given < config_.train_frames ? torch::constant_pad_nd(input, {0, config_.train_frames - given}) : input;
    const std::int64_t batch = mix.size(0), length = mix.size(-1);
    const auto stems = static_cast<std::int64_t>(traits().stems.size());

    Tensor x = fold(complex_as_channels(analyse(mix)));
    const auto [mean, deviation] = statistics(x, {1, 2, 3});
    x = (x - mean) / (1e-5 + deviation);
    const auto [mean_t, deviation_t] = statistics(mix, {1, 2});
    Tensor xt = (mix - mean_t) / (1e-5 + deviation_t);

    std::vector<Tensor> skips, skips_t;
    std::vector<std::int64_t> lengths, lengths_t;
    for (std::size_t i = 0; i < encoder_.size(); ++i) {
      lengths.push_back(x.size(-1));
      Tensor inject;
      if (i < encoder_t_.size()) {
        lengths_t.push_back(xt.size(-1));
        xt = encoder_t_[i]->forward(xt);
        tap(fmt::format("tencoder{}", i), xt);
        if (encoder_t_[i]->empty()) inject = xt;
        else skips_t.push_back(xt);
      }
      x = encoder_[i]->forward(x, inject);
      tap(fmt::format("encoder{}", i), x);
      if (i == 0 && frequency_embedding_) x = x + config_.frequency_embedding * frequency_embedding_->forward(x.size(2));
      skips.push_back(x);
    }
    bridge(x, xt);
    const std::size_t joint = decoder_.size() - decoder_t_.size();  // layers before the branches part
    for (std::size_t i = 0; i < decoder_.size(); ++i) {
      const DecoderLayer::Result result = decoder_[i]->forward(x, skips.back(), lengths.back());
      skips.pop_back();
      lengths.pop_back();
      x = result.output;
      tap(fmt::format("decoder{}", i), x);
      if (i < joint) continue;
      DecoderLayer& time = *decoder_t_[i - joint];
      if (time.empty()) {
        xt = time.forward(result.before.select(2, 0), {}, lengths_t.back()).output;
      } else {
        xt = time.forward(xt, skips_t.back(), lengths_t.back()).output;
        skips_t.pop_back();
      }
      lengths_t.pop_back();
      tap(fmt::format("tdecoder{}", i - joint), xt);
    }
    const Tensor spectra = unfold(x) * deviation + mean;
    const Tensor waves = xt * deviation_t + mean_t;
    const Tensor sum = synthesise(spectra.unflatten(1, {stems, -1}), length) + waves.reshape({batch, stems, -1, length});
    return sum.narrow(-1, 0, given);
  }

 private:
  void build_layers() {
    auto encoder = register_module("encoder", std::make_shared<torch::nn::Module>());
    auto decoder = register_module("decoder", std::make_shared<torch::nn::Module>());
    auto encoder_t = register_module("tencoder", std::make_shared<torch::nn::Module>());
    auto decoder_t = register_module("tdecoder", std::make_shared<torch::nn::Module>());
    const auto stems = static_cast<std::int64_t>(traits().stems.size());
    const auto grow = [&](std::int64_t width) { return static_cast<std::int64_t>(config_.growth * static_cast<double>(width)); };
    std::int64_t in_t = config_.audio_channels, in = in_t * 2 * config_.subbands;
    std::int64_t out_t = config_.channels_time, out = config_.channels;
    std::int64_t bins = config_.n_fft / 2;  // the published models count so, whatever the sub-bands
    for (std::int64_t i = 0; i < config_.depth; ++i) {
      const bool frequency = bins > 1;
      const bool last_frequency = frequency && bins <= config_.kernel;
      LayerOptions options{.kernel = config_.kernel,
                           .stride = config_.stride,
                           .norm_groups = config_.norm_groups,
                           .frequency = frequency,
                           .norm = i >= config_.norm_starts,
                           .rewrite = config_.rewrite,
                           .branch = config_.dconv};
      options.branch.lstm = !config_.transformer && i >= config_.dconv_lstm;
      options.branch.attention = !config_.transformer && i >= config_.dconv_attention;
      LayerOptions time = options;
      time.frequency = false;
      time.empty = last_frequency;
      if (last_frequency) {
        options.kernel = bins;
        options.pad = false;
        out = out_t = std::max(out, out_t);
      }
      if (!frequency) {
        options.kernel = 2 * config_.time_stride;
        options.stride = config_.time_stride;
      }
      const auto encode = [&](LayerOptions layer, std::int64_t from, std::int64_t to) {
        layer.in = from;
        layer.out = to;
        layer.context = config_.encoder_context;
        layer.dconv = config_.dconv_mode & 1;
        return std::make_shared<EncoderLayer>(layer);
      };
      const auto decode = [&](LayerOptions layer, std::int64_t from, std::int64_t to) {
        layer.in = from;
        layer.out = to;
        layer.context = config_.context;
        layer.dconv = config_.dconv_mode & 2;
        layer.last = i == 0;
        return std::make_shared<DecoderLayer>(layer);
      };
      encoder_.push_back(encode(options, in, out));
      if (frequency) encoder_t_.push_back(encode(time, in_t, out_t));
      if (i == 0) {
        in_t = config_.audio_channels * stems;
        in = in_t * 2 * config_.subbands;
      }
      decoder_.insert(decoder_.begin(), decode(options, out, in));
      if (frequency) decoder_t_.insert(decoder_t_.begin(), decode(time, out_t, in_t));
      in_t = out_t;
      in = out;
      out_t = grow(out_t);
      out = grow(out);
      if (frequency) bins = bins <= config_.kernel ? 1 : bins / config_.stride;
      if (i == 0 && config_.frequency_embedding > 0)
        frequency_embedding_ = register_module("freq_emb", std::make_shared<FrequencyEmbedding>(bins, in, config_.embedding_scale));
    }
    const auto name_all = [](torch::nn::Module& list, const auto& layers) {
      for (std::size_t i = 0; i < layers.size(); ++i) list.register_module(std::to_string(i), layers[i]);
    };
    name_all(*encoder, encoder_);
    name_all(*decoder, decoder_);
    name_all(*encoder_t, encoder_t_);
    name_all(*decoder_t, decoder_t_);
  }

  static std::pair<Tensor, Tensor> statistics(const Tensor& x, torch::IntArrayRef axes) {
    return {x.mean(axes, /*keepdim=*/true), x.std(axes, /*unbiased=*/true, /*keepdim=*/true)};
  }

  /// complex [batch, channels, n_fft / 2, ceil(length / hop)]: aligned so that frame m of hop samples is frame m of the
  /// time branch, without the highest bin.
  Tensor analyse(const Tensor& mix) const {
    const std::int64_t hop = stft_.hop, frames = (mix.size(-1) + hop - 1) / hop, pad = hop / 2 * 3;
    const Tensor padded = pad_reflected(mix, pad, pad + frames * hop - mix.size(-1));
    const Tensor z = stft_.forward(padded.flatten(0, 1));
    return z.narrow(1, 0, z.size(1) - 1).narrow(2, 2, frames).unflatten(0, {mix.size(0), mix.size(1)});
  }
  /// [batch, stems, 2·channels, n_fft / 2, frames] → [batch, stems, channels, length]
  Tensor synthesise(const Tensor& spectra, std::int64_t length) const {
    const std::int64_t hop = stft_.hop, pad = hop / 2 * 3;
    const Tensor pairs = spectra.unflatten(2, {-1, 2}).permute({0, 1, 2, 4, 5, 3}).contiguous();
    const Tensor z = torch::constant_pad_nd(torch::view_as_complex(pairs), {2, 2, 0, 1});
    const Tensor signal = stft_.inverse(z.flatten(0, 2), hop * ((length + hop - 1) / hop) + 2 * pad);
    return signal.narrow(-1, pad, length).unflatten(0, {z.size(0), z.size(1), z.size(2)});
  }
  static Tensor complex_as_channels(const Tensor& z) { return torch::view_as_real(z).permute({0, 1, 4, 2, 3}).flatten(1, 2); }
  Tensor fold(const Tensor& x) const {
    return x.reshape({x.size(0), x.size(1) * config_.subbands, x.size(2) / config_.subbands, x.size(3)});
  }
  Tensor unfold(const Tensor& x) const {
    return x.reshape({x.size(0), x.size(1) / config_.subbands, x.size(2) * config_.subbands, x.size(3)});
  }

  /// Between encoder and decoder: the transformer; without one the decoder starts from nothing but skip connections.
  void bridge(Tensor& x, Tensor& xt) {
    if (!config_.transformer) {
      x = torch::zeros_like(x);
      xt = torch::zeros_like(x);
      return;
    }
    if (!cross_) return;
    if (up_) {
      const std::int64_t bins = x.size(2);
      const Tensor wide = up_->forward(x.flatten(2));
      tap("channel_upsampler", wide);
      x = wide.unflatten(2, {bins, -1});
      xt = up_t_->forward(xt);
    }
    std::tie(x, xt) = cross_->forward(x, xt, [&](const std::string& name, const Tensor& value) { tap(name, value); });
    if (up_) {
      const std::int64_t bins = x.size(2);
      x = down_->forward(x.flatten(2)).unflatten(2, {bins, -1});
      xt = down_t_->forward(xt);
    }
  }

  DemucsConfig config_;
  nn::TorchStft stft_;
  std::vector<std::shared_ptr<EncoderLayer>> encoder_, encoder_t_;
  std::vector<std::shared_ptr<DecoderLayer>> decoder_, decoder_t_;
  std::shared_ptr<FrequencyEmbedding> frequency_embedding_;
  torch::nn::Conv1d up_{nullptr}, down_{nullptr}, up_t_{nullptr}, down_t_{nullptr};
  std::shared_ptr<demucs::CrossTransformer> cross_;
};

/// For options that every published model leaves as they are: kUnsupported for any other value.
template <class T>
void require(const Config& config, std::string_view key, const T& only) {
  if (config.get<T>(key, only) != only)
    throw Error{ErrorCode::kUnsupported, fmt::format("the option {} has a value that is not supported", key), config.name()};
}

}  // namespace

DemucsConfig DemucsConfig::of(const Config& whole, bool transformer) {
  const Config config = whole.section(transformer ? "htdemucs" : "hdemucs");
  const Config training = whole.section("training");
  DemucsConfig result;
  result.transformer = transformer;
  result.audio_channels = training.get<std::int64_t>("channels", 2);
  result.channels = config.get<std::int64_t>("channels", 48);
  result.channels_time = config.get<std::int64_t>("channels_time", result.channels);
  result.growth = config.get<double>("growth", 2);
  result.n_fft = config.get<std::int64_t>("nfft", 4096);
  result.subbands = config.get<std::int64_t>("num_subbands", 1);
  result.depth = config.get<std::int64_t>("depth", transformer ? 4 : 6);
  result.kernel = config.get<std::int64_t>("kernel_size", 8);
  result.stride = config.get<std::int64_t>("stride", 4);
  result.time_stride = config.get<std::int64_t>("time_stride", 2);
  result.context = config.get<std::int64_t>("context", 1);
  result.encoder_context = config.get<std::int64_t>("context_enc", 0);
  result.norm_starts = config.get<std::int64_t>("norm_starts", 4);
  result.norm_groups = config.get<std::int64_t>("norm_groups", 4);
  result.dconv_mode = config.get<std::int64_t>("dconv_mode", 1);
  result.dconv = {.depth = config.get<std::int64_t>("dconv_depth", 2),
                  .compress = config.get<double>("dconv_comp", transformer ? 8 : 4),
                  .init = config.get<double>("dconv_init", transformer ? 1e-3 : 1e-4)};
  result.dconv_lstm = config.get<std::int64_t>("dconv_lstm", 4);
  result.dconv_attention = config.get<std::int64_t>("dconv_attn", 4);
  result.rewrite = config.get<bool>("rewrite", true);
  result.frequency_embedding = config.get<double>("freq_emb", 0.2);
  result.embedding_scale = config.get<double>("emb_scale", 10);
  result.bottom_channels = config.get<std::int64_t>("bottom_channels", 0);
  if (config.get<bool>("use_train_segment", false))
    result.train_frames = static_cast<std::int64_t>(training.get<double>("segment") * training.get<double>("samplerate"));
  result.cross = {.layers = config.get<std::int64_t>("t_layers", transformer ? 5 : 0),
                  .heads = config.get<std::int64_t>("t_heads", 8),
                  .hidden_scale = config.get<double>("t_hidden_scale", 4),
                  .max_period = config.get<double>("t_max_period", 10000),
                  .position_weight = config.get<double>("t_weight_pos_embed", 1),
                  .norm_in = config.get<bool>("t_norm_in", true),
                  .norm_first = config.get<bool>("t_norm_first", true),
                  .norm_out = config.get<bool>("t_norm_out", true),
                  .layer_scale = config.get<bool>("t_layer_scale", true),
                  .gelu = config.get<bool>("t_gelu", true),
                  .cross_first = config.get<bool>("t_cross_first", false)};
  constexpr std::int64_t kMost = 65536, kDeepest = 64;
  training.check_range("channels", result.audio_channels, 1, 64);
  config.check_range("channels", result.channels, 1, kMost);
  config.check_range("channels_time", result.channels_time, 1, kMost);
  config.check_range("nfft", result.n_fft, 16, 1 << 20);
  config.check_range("num_subbands", result.subbands, 1, result.n_fft / 2);
  config.check_range("depth", result.depth, 1, kDeepest);
  config.check_range("kernel_size", result.kernel, 1, kMost);
  config.check_range("stride", result.stride, 1, result.kernel);
  config.check_range("time_stride", result.time_stride, 1, kMost);
  config.check_range("context", result.context, 0, kMost);
  config.check_range("context_enc", result.encoder_context, 0, kMost);
  config.check_range("norm_groups", result.norm_groups, 1, kMost);
  config.check_range("dconv_depth", result.dconv.depth, -kDeepest, 32);
  config.check_range("bottom_channels", result.bottom_channels, 0, kMost);
  config.check_range("t_layers", result.cross.layers, 0, 1024);
  config.check_range("t_heads", result.cross.heads, 1, kMost);
  const auto sensible = [&](std::string_view key, double value) {
    if (!(value >= 0.5 && value <= 1000)) throw Error{ErrorCode::kFormat, fmt::format("{} is out of range", key), config.name()};
  };
  if (static_cast<double>(std::min(result.channels, result.channels_time)) < result.dconv.compress)
    throw Error{ErrorCode::kFormat, "dconv_comp leaves no channel", config.name()};
  sensible("growth", result.growth);
  sensible("dconv_comp", result.dconv.compress);
  sensible("t_hidden_scale", result.cross.hidden_scale);
  require(config, "cac", true);
  require(config, "hybrid", true);
  require(config, "hybrid_old", false);
  require(config, "t_norm_in_group", false);
  require(config, "t_group_norm", false);
  require(config, "t_sparse_self_attn", false);
  require(config, "t_sparse_cross_attn", false);
  require(config, "t_sin_random_shift", std::int64_t{0});
  require(config, "t_emb", std::string("sin"));
  if (!config.get<std::vector<double>>("multi_freqs", {}).empty())
    throw Error{ErrorCode::kUnsupported, "multi_freqs is not supported", config.name()};
  // Of no consequence for the network's values: training, initialisation, and options of what was refused above.
  config.refuse_others({"wiener_iters", "end_iters", "wiener_residual", "multi_freqs_depth", "emb_smooth", "t_dropout", "t_max_positions",
                        "t_cape_mean_normalize", "t_cape_augment", "t_cape_glob_loc_scale", "t_weight_decay", "t_lr", "t_mask_type",
                        "t_mask_random_seed", "t_sparse_attn_window", "t_global_window", "t_sparsity", "t_auto_sparsity", "rescale"});
  return result;
}

std::shared_ptr<Model> make_demucs(const DemucsConfig& config, ModelTraits traits) {
  return std::make_shared<Demucs>(config, std::move(traits));
}

}  // namespace unbraid::models
