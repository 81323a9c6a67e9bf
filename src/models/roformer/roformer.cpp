#include "models/roformer/roformer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "nn/adaptable_linear.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/mel.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

/// [batch, frames, Σ inputs] → [batch, frames, bands, dim].
struct BandSplit : torch::nn::Module {
  BandSplit(const std::vector<std::int64_t>& band_inputs, std::int64_t dim) : inputs(band_inputs) {
    auto list = register_module("to_features", std::make_shared<torch::nn::Module>());
    for (std::size_t b = 0; b < inputs.size(); ++b)
      features.push_back(
          list->register_module(std::to_string(b), torch::nn::Sequential(nn::RmsNorm(inputs[b]), nn::AdaptableLinear(inputs[b], dim))));
  }
  Tensor forward(const Tensor& x) {
    const std::vector<Tensor> parts = x.split_with_sizes(inputs, -1);
    std::vector<Tensor> embedded(parts.size());
    for (std::size_t b = 0; b < parts.size(); ++b) embedded[b] = features[b]->forward(parts[b]);
    return torch::stack(embedded, -2);
  }
  std::vector<std::int64_t> inputs;
  std::vector<torch::nn::Sequential> features;
};

/// [batch, frames, bands, dim] → [batch, frames, Σ inputs]: per band an MLP with tanh, then a gated linear unit.
struct MaskEstimator : torch::nn::Module {
  MaskEstimator(const std::vector<std::int64_t>& inputs, std::int64_t dim, std::int64_t layers, std::int64_t expansion) {
    auto list = register_module("to_freqs", std::make_shared<torch::nn::Module>());
    for (std::size_t b = 0; b < inputs.size(); ++b) {
      torch::nn::Sequential mlp;
      std::int64_t in = dim;
      for (std::int64_t i = 0; i < layers; ++i) {
        const bool last = i + 1 == layers;
        const std::int64_t out = last ? 2 * inputs[b] : dim * expansion;
        mlp->push_back(nn::AdaptableLinear(in, out));
        if (!last) mlp->push_back(torch::nn::Tanh());
        in = out;
      }
      auto band = list->register_module(std::to_string(b), std::make_shared<torch::nn::Module>());
      mlps.push_back(band->register_module("0", mlp));
    }
  }
  Tensor forward(const Tensor& x) {
    const std::vector<Tensor> bands = x.unbind(-2);
    std::vector<Tensor> masks(bands.size());
    for (std::size_t b = 0; b < bands.size(); ++b) masks[b] = torch::glu(mlps[b]->forward(bands[b]), -1);
    return torch::cat(masks, -1);
  }
  std::vector<torch::nn::Sequential> mlps;
};

class Roformer : public Model {
 public:
  Roformer(RoformerConfig config, ModelTraits traits) : Model(std::move(traits)), config_(std::move(config)) {
    nn::TransformerOptions options = config_.transformer;
    options.norm_output = config_.norm_output;
    const auto time_rotary = std::make_shared<nn::RotaryEmbedding>(options.dim_head);
    const auto freq_rotary = std::make_shared<nn::RotaryEmbedding>(options.dim_head);
    auto layers = register_module("layers", std::make_shared<torch::nn::Module>());
    for (std::int64_t i = 0; i < config_.depth; ++i) {
      auto block = layers->register_module(std::to_string(i), std::make_shared<torch::nn::Module>());
      int index = 0;
      const auto add = [&](std::int64_t depth, bool linear, const std::shared_ptr<nn::RotaryEmbedding>& rotary) {
        options.depth = depth;
        options.linear = linear;
        return block->register_module(std::to_string(index++), std::make_shared<nn::Transformer>(options, rotary));
      };
      Block& transformers = blocks_.emplace_back();
      if (config_.linear_depth > 0) transformers.linear = add(config_.linear_depth, true, nullptr);
      transformers.time = add(config_.time_depth, false, time_rotary);
      transformers.freq = add(config_.freq_depth, false, freq_rotary);
    }

    // A band's input: its bins, each with all channels, each with real and imaginary part.
    std::vector<std::int64_t> inputs, rows;
    for (const auto& band : config_.bands) {
      inputs.push_back(static_cast<std::int64_t>(band.size()) * config_.channels * 2);
      for (const std::int64_t bin : band)
        for (std::int64_t c = 0; c < config_.channels; ++c) rows.push_back(bin * config_.channels + c);
    }
    rows_ = torch::tensor(rows);
    const std::int64_t all_rows = (config_.stft.n_fft / 2 + 1) * config_.channels;
    bands_per_row_ = torch::zeros({all_rows}).index_add_(0, rows_, torch::ones({rows_.numel()})).clamp_min(1e-8);
    band_split_ = register_module("band_split", std::make_shared<BandSplit>(inputs, options.dim));
    if (!config_.norm_output) final_norm_ = register_module("final_norm", std::make_shared<nn::RmsNorm>(options.dim));
    auto estimators = register_module("mask_estimators", std::make_shared<torch::nn::Module>());
    for (std::int64_t s = 0; s < config_.stems; ++s)
      mask_estimators_.push_back(estimators->register_module(
          std::to_string(s), std::make_shared<MaskEstimator>(inputs, options.dim, config_.mask_layers, config_.mask_expansion)));
    kept_.resize(mask_estimators_.size());
    std::iota(kept_.begin(), kept_.end(), std::size_t{0});
  }

  bool keep_only(const std::vector<std::size_t>& stems) override {
    if (stems.empty() || stems.back() >= mask_estimators_.size()) return false;
    kept_ = stems;
    return true;
  }

  Tensor forward(const Tensor& mix) override {
    const std::int64_t batch = mix.size(0), channels = mix.size(1);
    // [batch, bins · channels, frames], channels innermost
    const Tensor spectrum = config_.stft.forward(mix.flatten(0, 1)).unflatten(0, {batch, channels}).transpose(1, 2).flatten(1, 2);
    const Tensor rows = rows_.to(mix.device());
    const Tensor selected = torch::view_as_real(spectrum.index_select(1, rows));  // [batch, rows, frames, 2]
    Tensor x = band_split_->forward(selected.transpose(1, 2).flatten(-2));
    tap("band_split", x);
    x = transform(x);

    const std::int64_t frames = spectrum.size(-1);
    std::vector<Tensor> stems;
    for (const std::size_t s : kept_) {
      const Tensor values = mask_estimators_[s]->forward(x);  // [batch, frames, rows · 2]
      tap(fmt::format("mask{}", s), values);
      Tensor mask = torch::view_as_complex(values.unflatten(-1, {-1, 2}).transpose(1, 2).contiguous());
      if (config_.mel) {
        mask = torch::zeros_like(spectrum).index_add_(1, rows, mask) / bands_per_row_.to(mix.device()).unsqueeze(-1);
      }
      Tensor masked = (spectrum * mask).unflatten(1, {-1, channels}).transpose(1, 2);  // [batch, channels, bins, frames]
      if (config_.zero_dc) {
        masked = masked.clone();
        masked.select(2, 0).zero_();
      }
      const auto length = config_.match_length ? c10::optional<std::int64_t>(mix.size(-1)) : c10::nullopt;
      const Tensor signal = config_.stft.inverse(masked.reshape({batch * channels, -1, frames}), length);
      stems.push_back(signal.unflatten(0, {batch, channels}));
    }
    return torch::stack(stems, 1);
  }

 private:
  struct Block {
    std::shared_ptr<nn::Transformer> linear, time, freq;
  };

  /// x: [batch, frames, bands, dim]
  Tensor transform(Tensor x) {
    const std::int64_t batch = x.size(0), frames = x.size(1), bands = x.size(2);
    std::vector<Tensor> earlier;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const Block& block = blocks_[i];
      if (block.linear) x = block.linear->forward(x.flatten(1, 2)).unflatten(1, {frames, bands});
      if (config_.skip_connection)
        for (const Tensor& output : earlier) x = x + output;
      Tensor along_time = block.time->forward(x.transpose(1, 2).reshape({batch * bands, frames, -1}));
      tap(fmt::format("layer{}_time", i), along_time);
      x = along_time.unflatten(0, {batch, bands}).transpose(1, 2);
      Tensor along_bands = block.freq->forward(x.reshape({batch * frames, bands, -1}));
      tap(fmt::format("layer{}_freq", i), along_bands);
      x = along_bands.unflatten(0, {batch, frames});
      if (config_.skip_connection) earlier.push_back(x);
    }
    if (final_norm_) {
      x = final_norm_->forward(x);
      tap("final_norm", x);
    }
    return x;
  }

  RoformerConfig config_;
  std::vector<Block> blocks_;
  std::shared_ptr<BandSplit> band_split_;
  std::shared_ptr<nn::RmsNorm> final_norm_;
  std::vector<std::shared_ptr<MaskEstimator>> mask_estimators_;
  std::vector<std::size_t> kept_;  ///< the stems that are asked for
  Tensor rows_;                    ///< for every band's input, its place among the bins · channels
  Tensor bands_per_row_;           ///< how many bands share it
};

/// Bands side by side, of so many bins each.
std::vector<std::vector<std::int64_t>> adjacent_bands(const std::vector<std::int64_t>& sizes) {
  std::vector<std::vector<std::int64_t>> bands;
  std::int64_t first = 0;
  for (const std::int64_t size : sizes) {
    auto& band = bands.emplace_back(static_cast<std::size_t>(size));
    std::iota(band.begin(), band.end(), first);
    first += size;
  }
  return bands;
}

/// The bins under each triangle of Slaney's mel filter bank; the first and the last bin belong to the outer bands.
std::vector<std::vector<std::int64_t>> mel_bands(double sample_rate, std::int64_t n_fft, std::int64_t count) {
  const dsp::MelFilterBank bank(
      {.sample_rate = sample_rate, .n_fft = static_cast<std::size_t>(n_fft), .bands = static_cast<std::size_t>(count)});
  std::vector<std::vector<std::int64_t>> bands(static_cast<std::size_t>(count));
  for (std::size_t b = 0; b < bands.size(); ++b) {
    const auto& triangle = bank.band(b);
    for (std::size_t i = 0; i < triangle.weights.size(); ++i)
      if (triangle.weights[i] > 0) bands[b].push_back(static_cast<std::int64_t>(triangle.first + i));
  }
  const std::int64_t last = n_fft / 2;
  if (bands.front().empty() || bands.front().front() != 0) bands.front().insert(bands.front().begin(), 0);
  if (bands.back().empty() || bands.back().back() != last) bands.back().push_back(last);
  return bands;
}

/// The paper's bands for n_fft = 2048: finer below.
std::vector<std::int64_t> default_band_sizes() {
  std::vector<std::int64_t> sizes;
  for (const auto& [count, size] : {std::pair{24, 2}, {12, 4}, {8, 12}, {8, 24}, {8, 48}}) sizes.insert(sizes.end(), count, size);
  sizes.insert(sizes.end(), {128, 129});
  return sizes;
}

}  // namespace

RoformerConfig RoformerConfig::of(const Config& whole, bool mel) {
  const Config config = whole.section("model");
  RoformerConfig result;
  result.mel = mel;
  result.channels = config.get<bool>("stereo", false) ? 2 : 1;
  result.stems = config.get<std::int64_t>("num_stems", 1);
  result.depth = config.get<std::int64_t>("depth");
  result.time_depth = config.get<std::int64_t>("time_transformer_depth", 2);
  result.freq_depth = config.get<std::int64_t>("freq_transformer_depth", 2);
  result.linear_depth = config.get<std::int64_t>("linear_transformer_depth", 0);
  result.transformer = {.dim = config.get<std::int64_t>("dim"),
                        .heads = config.get<std::int64_t>("heads", 8),
                        .dim_head = config.get<std::int64_t>("dim_head", 64),
                        .feed_forward_factor = config.get<std::int64_t>("ff_mult", 4),
                        .attention_dropout = config.get<double>("attn_dropout", 0.0),
                        .feed_forward_dropout = config.get<double>("ff_dropout", 0.0)};
  result.stft = {.n_fft = config.get<std::int64_t>("stft_n_fft", 2048),
                 .hop = config.get<std::int64_t>("stft_hop_length", 512),
                 .win_length = config.get<std::int64_t>("stft_win_length", 2048),
                 .normalized = config.get<bool>("stft_normalized", false)};
  const auto mask_depth = config.get<std::int64_t>("mask_estimator_depth", mel ? 1 : 2);
  constexpr std::int64_t kMost = 65536, kDeepest = 1024, kLongest = 1 << 20;
  config.check_range("dim", result.transformer.dim, 1, kMost);
  config.check_range("heads", result.transformer.heads, 1, kMost);
  config.check_range("dim_head", result.transformer.dim_head, 2, kMost);
  config.check_range("ff_mult", result.transformer.feed_forward_factor, 1, kDeepest);
  config.check_range("num_stems", result.stems, 1, kDeepest);
  config.check_range("depth", result.depth, 1, kDeepest);
  config.check_range("time_transformer_depth", result.time_depth, 1, kDeepest);
  config.check_range("freq_transformer_depth", result.freq_depth, 1, kDeepest);
  config.check_range("linear_transformer_depth", result.linear_depth, 0, kDeepest);
  config.check_range("mask_estimator_depth", mask_depth, 1, kDeepest);
  config.check_range("stft_n_fft", result.stft.n_fft, 4, kLongest);
  config.check_range("stft_hop_length", result.stft.hop, 1, result.stft.n_fft);
  config.check_range("stft_win_length", result.stft.win_length, 1, result.stft.n_fft);
  result.mask_layers = mel ? mask_depth + 1 : mask_depth;  // Mel counts hidden layers, BS all of them
  result.mask_expansion = config.get<std::int64_t>("mlp_expansion_factor", 4);
  config.check_range("mlp_expansion_factor", result.mask_expansion, 1, kDeepest);
  result.zero_dc = config.get<bool>("zero_dc", true);
  result.skip_connection = config.get<bool>("skip_connection", false);
  result.norm_output = config.get<bool>("norm_output", mel);
  result.match_length = mel ? config.get<bool>("match_input_audio_length", false) : true;
  if (mel) {
    const auto bands = config.get<std::int64_t>("num_bands", 60);
    config.check_range("num_bands", bands, 1, result.stft.n_fft / 2);
    result.bands = mel_bands(config.get<double>("sample_rate", 44100), result.stft.n_fft, bands);
  } else {
    const auto sizes = config.get<std::vector<std::int64_t>>("freqs_per_bands", default_band_sizes());
    for (const std::int64_t size : sizes) config.check_range("freqs_per_bands", size, 1, result.stft.n_fft);
    if (std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) != result.stft.n_fft / 2 + 1)
      throw Error{ErrorCode::kFormat, "freqs_per_bands must add up to stft_n_fft / 2 + 1", config.name()};
    result.bands = adjacent_bands(sizes);
  }
  if (config.get<bool>("use_pope", false))
    throw Error{ErrorCode::kUnsupported, "polar position embedding (use_pope) is not supported", config.name()};
  // Of no consequence for inference: how attention is computed, the training loss, memory saving.
  config.refuse_others({"flash_attn", "dim_freqs_in", "multi_stft_resolution_loss_weight", "multi_stft_resolutions_window_sizes",
                        "multi_stft_hop_size", "multi_stft_normalized", "use_torch_checkpoint", "sage_attention"});
  return result;
}

std::shared_ptr<Model> make_roformer(const RoformerConfig& config, ModelTraits traits) {
  if (config.stems != static_cast<std::int64_t>(traits.stems.size()))
    throw Error{
        ErrorCode::kFormat,
        fmt::format("num_stems is {}, but there are {} stems: {}", config.stems, traits.stems.size(), fmt::join(traits.stems, ", ")),
        "model"};
  return std::make_shared<Roformer>(config, std::move(traits));
}

}  // namespace unbraid::models
