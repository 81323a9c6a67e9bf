#include "models/scnet/scnet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "nn/gelu.hpp"
#include "nn/lstm.hpp"
#include "nn/norms.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;
using Lengths = std::array<std::int64_t, ScnetConfig::kBands>;
constexpr std::size_t kBands = ScnetConfig::kBands;

/// The bins of each band.
Lengths split_bins(const ScnetConfig& config, std::int64_t bins) {
  const auto edge = [&](double share) { return static_cast<std::int64_t>(std::ceil(static_cast<double>(bins) * share)); };
  const std::int64_t low = edge(config.band_share[0]), mid = edge(config.band_share[0] + config.band_share[1]);
  return {low, mid - low, bins - mid};
}

std::vector<Tensor> split(const Tensor& x, const Lengths& lengths) {
  return x.split_with_sizes(std::vector<std::int64_t>(lengths.begin(), lengths.end()), 2);
}

/// Residual convolutions along time, each row of bins by itself: norm, gated, depth-wise, swish, point-wise.
struct ConvolutionModule : torch::nn::Module {
  ConvolutionModule(std::int64_t channels, std::int64_t depth, const ScnetConfig& config) {
    const std::int64_t hidden = channels / config.compress, kernel = config.convolution_kernel;
    const auto conv = [&](std::int64_t in, std::int64_t out, std::int64_t size, std::int64_t groups = 1) {
      return torch::nn::Conv1d(torch::nn::Conv1dOptions(in, out, size).padding(size / 2).groups(groups));
    };
    auto list = register_module("layers", std::make_shared<torch::nn::Module>());
    for (std::int64_t i = 0; i < std::abs(depth); ++i) {
      torch::nn::Sequential layer(nn::GroupNorm(1, channels), conv(channels, 2 * hidden, kernel), torch::nn::GLU(1),
                                  conv(hidden, hidden, kernel, hidden), nn::GroupNorm(1, hidden), torch::nn::SiLU(),
                                  conv(hidden, channels, 1));
      layers.push_back(list->register_module(std::to_string(i), layer));
    }
  }
  /// [batch, channels, bins, frames]
  Tensor forward(const Tensor& input) {
    Tensor x = input.transpose(1, 2).flatten(0, 1);
    for (auto& layer : layers) x = x + layer->forward(x);
    return nn::gelu(x.unflatten(0, {input.size(0), input.size(2)}).transpose(1, 2));
  }
  std::vector<torch::nn::Sequential> layers;
};

/// One level down.
struct Encoder : torch::nn::Module {
  Encoder(const ScnetConfig& model, std::int64_t in, std::int64_t out) : config(model) {
    auto down = register_module("SDlayer", std::make_shared<torch::nn::Module>());
    auto down_list = down->register_module("convs", std::make_shared<torch::nn::Module>());
    auto module_list = register_module("conv_modules", std::make_shared<torch::nn::Module>());
    for (std::size_t b = 0; b < kBands; ++b) {
      const auto options = torch::nn::Conv2dOptions(in, out, {config.kernel[b], 1}).stride({config.stride[b], 1});
      convs.push_back(down_list->register_module(std::to_string(b), torch::nn::Conv2d(options)));
      modules.push_back(module_list->register_module(std::to_string(b), std::make_shared<ConvolutionModule>(out, config.depth[b], config)));
    }
    global = register_module("globalconv", torch::nn::Conv2d(torch::nn::Conv2dOptions(out, out, 3).padding(1)));
  }

  struct Result {
    Tensor output, skip;
    Lengths lengths, original;  ///< bins of each band after and before
  };
  Result forward(const Tensor& x) {
    Result result;
    result.original = split_bins(config, x.size(2));
    std::vector<Tensor> bands = split(x, result.original);
    for (std::size_t b = 0; b < kBands; ++b) {
      const std::int64_t stride = config.stride[b];
      const std::int64_t padding = stride == 1 ? config.kernel[b] - 1 : (stride - result.original[b] % stride) % stride;
      const Tensor padded = torch::constant_pad_nd(bands[b], {0, 0, padding / 2, padding - padding / 2});
      bands[b] = modules[b]->forward(convs[b]->forward(padded));
      result.lengths[b] = bands[b].size(2);
    }
    result.skip = torch::cat(bands, 2);
    result.output = global->forward(result.skip);
    return result;
  }

  ScnetConfig config;
  std::vector<torch::nn::Conv2d> convs;
  std::vector<std::shared_ptr<ConvolutionModule>> modules;
  torch::nn::Conv2d global{nullptr};
};

/// One level up: fusion with the skip connection, then the bands back to their bins.
struct Decoder : torch::nn::Module {
  Decoder(const ScnetConfig& config, std::int64_t in, std::int64_t out) {
    auto fuse = register_module("0", std::make_shared<torch::nn::Module>());
    fusion = fuse->register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(2 * in, 2 * in, 3).padding(1)));
    auto up = register_module("1", std::make_shared<torch::nn::Module>());
    auto list = up->register_module("convtrs", std::make_shared<torch::nn::Module>());
    for (std::size_t b = 0; b < kBands; ++b) {
      const auto options = torch::nn::ConvTranspose2dOptions(in, out, {config.kernel[b], 1}).stride({config.stride[b], 1});
      convs.push_back(list->register_module(std::to_string(b), torch::nn::ConvTranspose2d(options)));
    }
  }
  Tensor forward(const Tensor& x, const Encoder::Result& level) {
    const Tensor fused = torch::glu(fusion->forward((x + level.skip).repeat({1, 2, 1, 1})), 1);
    std::vector<Tensor> bands = split(fused, level.lengths);
    for (std::size_t b = 0; b < kBands; ++b) {
      const Tensor band = convs[b]->forward(bands[b]);
      const std::int64_t cut = std::abs(level.original[b] - band.size(2)) / 2;
      bands[b] = band.narrow(2, cut, level.original[b]);
    }
    return torch::cat(bands, 2);
  }
  torch::nn::Conv2d fusion{nullptr};
  std::vector<torch::nn::ConvTranspose2d> convs;
};

/// An LSTM along frequency, then one along time, each with norm and residual.
struct DualPath : torch::nn::Module {
  DualPath(std::int64_t channels, std::int64_t expand) {
    const std::int64_t hidden = channels * expand;
    auto lstm_list = register_module("lstm_layers", std::make_shared<torch::nn::Module>());
    auto linear_list = register_module("linear_layers", std::make_shared<torch::nn::Module>());
    auto norm_list = register_module("norm_layers", std::make_shared<torch::nn::Module>());
    for (const char* path : {"0", "1"}) {
      lstms.push_back(lstm_list->register_module(
          path, torch::nn::LSTM(torch::nn::LSTMOptions(channels, hidden).bidirectional(true).batch_first(true))));
      linears.push_back(linear_list->register_module(path, torch::nn::Linear(2 * hidden, channels)));
      norms.push_back(norm_list->register_module(path, nn::GroupNorm(1, channels)));
    }
  }
  Tensor forward(Tensor x) {
    // Rows [batch · frames, bins, channels] for frequency, [batch · bins, frames, channels] for time.
    const std::array<std::vector<std::int64_t>, 2> orders{{{0, 3, 2, 1}, {0, 2, 3, 1}}};
    for (std::size_t path = 0; path < 2; ++path) {
      const Tensor rows = norms[path]->forward(x).permute(orders[path]).contiguous();
      const Tensor along = nn::run_lstm(lstms[path], rows.flatten(0, 1));
      x = x + linears[path]
                  ->forward(along)
                  .unflatten(0, {rows.size(0), rows.size(1)})
                  .permute(path == 0 ? std::vector<std::int64_t>{0, 3, 2, 1} : std::vector<std::int64_t>{0, 3, 1, 2});
    }
    return x;
  }
  std::vector<torch::nn::LSTM> lstms;
  std::vector<torch::nn::Linear> linears;
  std::vector<nn::GroupNorm> norms;
};

class Scnet : public Model {
 public:
  Scnet(ScnetConfig config, ModelTraits traits) : Model(std::move(traits)), config_(std::move(config)) {
    const std::size_t levels = config_.dims.size() - 1;
    const auto stems = static_cast<std::int64_t>(this->traits().stems.size());
    auto encoders = register_module("encoder", std::make_shared<torch::nn::Module>());
    auto decoders = register_module("decoder", std::make_shared<torch::nn::Module>());
    for (std::size_t i = 0; i < levels; ++i) {
      encoder_.push_back(
          encoders->register_module(std::to_string(i), std::make_shared<Encoder>(config_, config_.dims[i], config_.dims[i + 1])));
      const std::size_t mirrored = levels - 1 - i;
      const std::int64_t out = mirrored == 0 ? config_.dims[0] * stems : config_.dims[mirrored];
      decoder_.push_back(decoders->register_module(std::to_string(i), std::make_shared<Decoder>(config_, config_.dims[mirrored + 1], out)));
    }
    auto net = register_module("separation_net", std::make_shared<torch::nn::Module>());
    auto list = net->register_module("dp_modules", std::make_shared<torch::nn::Module>());
    for (std::int64_t i = 0; i < config_.dual_path_layers; ++i)
      dual_paths_.push_back(
          list->register_module(std::to_string(i), std::make_shared<DualPath>(config_.dims.back() * (i % 2 == 1 ? 2 : 1), config_.expand)));
    if (!config_.masked) return;
    constexpr std::int64_t kMaskWidth = 64;
    const std::int64_t planes = config_.dims[0] * stems;
    position_ = register_parameter("pos_embed_f", 0.02 * torch::randn({1, config_.dims[0], config_.stft.n_fft / 2 + 1, 1}));
    mask_ = register_module("mask_layer",
                            torch::nn::Sequential(torch::nn::Conv2d(torch::nn::Conv2dOptions(planes, kMaskWidth, 3).padding(1)), nn::Gelu(),
                                                  torch::nn::Conv2d(torch::nn::Conv2dOptions(kMaskWidth, planes, 1)), torch::nn::Tanh()));
  }

  Tensor forward(const Tensor& mix) override {
    const std::int64_t batch = mix.size(0), hop = config_.stft.hop;
    // An odd number of hops, so that the Fourier transform along time has an even length.
    std::int64_t padding = hop - mix.size(-1) % hop;
    if ((mix.size(-1) + padding) / hop % 2 == 0) padding += hop;
    const Tensor spectrum = config_.stft.forward(torch::constant_pad_nd(mix, {0, padding}).flatten(0, 1));
    Tensor x = torch::view_as_real(spectrum).permute({0, 3, 1, 2}).unflatten(0, {batch, -1}).flatten(1, 2);
    if (config_.masked) x = x + position_;

    std::vector<Encoder::Result> levels;
    for (std::size_t i = 0; i < encoder_.size(); ++i) {
      levels.push_back(encoder_[i]->forward(x));
      x = levels.back().output;
      tap(fmt::format("enc{}_globalconv", i), x);
      tap(fmt::format("enc{}", i), x);
    }
    x = separate(x);
    tap("separation", x);
    for (std::size_t i = 0; i < decoder_.size(); ++i) {
      x = decoder_[i]->forward(x, levels.back());
      levels.pop_back();
      tap(fmt::format("dec{}_su", i), x);
    }
    if (config_.masked) x = mask_->forward(x);
    const Tensor pairs = x.unflatten(1, {-1, 2}).flatten(0, 1).permute({0, 2, 3, 1}).contiguous();
    Tensor estimate = torch::view_as_complex(pairs);
    if (config_.masked) {
      const Tensor mixture = spectrum.unflatten(0, {batch, 1, -1});  // [batch, 1, channels, bins, frames]
      estimate = (estimate.unflatten(0, {batch, -1, config_.channels}) * mixture).flatten(0, 2);
    }
    const Tensor signal = config_.stft.inverse(estimate);
    const Tensor stems = signal.reshape({batch, -1, config_.channels, signal.size(-1)});
    return stems.narrow(-1, 0, stems.size(-1) - padding);
  }

 private:
  /// Alternately on frames and on their Fourier transform along time, real and imaginary parts as channels.
  Tensor separate(Tensor x) {
    for (std::size_t i = 0; i < dual_paths_.size(); ++i) {
      x = dual_paths_[i]->forward(x);
      tap(fmt::format("dp{}", i), x);
      if (i % 2 == 0) {
        const Tensor transformed = torch::fft::rfft(x, c10::nullopt, 3, "ortho");
        x = torch::cat({torch::real(transformed), torch::imag(transformed)}, 1);
        tap(fmt::format("fc{}_rfft", i), x);
      } else {
        const std::vector<Tensor> parts = x.chunk(2, 1);
        x = torch::fft::irfft(torch::complex(parts[0].contiguous(), parts[1].contiguous()), c10::nullopt, 3, "ortho");
        tap(fmt::format("fc{}_irfft", i), x);
      }
    }
    return x;
  }

  ScnetConfig config_;
  std::vector<std::shared_ptr<Encoder>> encoder_;
  std::vector<std::shared_ptr<Decoder>> decoder_;
  std::vector<std::shared_ptr<DualPath>> dual_paths_;
  Tensor position_;  ///< [1, channels, bins, 1]; masked only, as what follows
  torch::nn::Sequential mask_{nullptr};
};

template <class T>
std::array<T, kBands> three(const Config& config, std::string_view key, const std::vector<T>& fallback) {
  const auto values = config.get<std::vector<T>>(key, fallback);
  if (values.size() != kBands) throw Error{ErrorCode::kFormat, fmt::format("{} needs three values", key), config.name()};
  std::array<T, kBands> result{};
  std::ranges::copy(values, result.begin());
  return result;
}

}  // namespace

ScnetConfig ScnetConfig::of(const Config& whole, bool masked) {
  const Config config = whole.section("model");
  ScnetConfig result;
  result.masked = masked;
  const auto n_fft = config.get<std::int64_t>("nfft", 4096), win_length = config.get<std::int64_t>("win_size", 4096);
  config.check_range("nfft", n_fft, 4, 1 << 20);
  config.check_range("win_size", win_length, 1, n_fft);
  result.stft = {.n_fft = n_fft,
                 .hop = config.get<std::int64_t>("hop_size", 1024),
                 .win_length = win_length,
                 .normalized = config.get<bool>("normalized", true),
                 .window = masked ? torch::Tensor() : torch::ones({win_length})};
  result.channels = config.get<std::int64_t>("audio_channels", 2);
  result.dims = config.get<std::vector<std::int64_t>>("dims", {4, 32, 64, 128});
  result.band_share = three<double>(config, "band_SR", {0.175, 0.392, 0.433});
  result.stride = three<std::int64_t>(config, "band_stride", {1, 4, 16});
  result.kernel = three<std::int64_t>(config, "band_kernel", {3, 4, 16});
  result.depth = three<std::int64_t>(config, "conv_depths", {3, 2, 1});
  result.compress = config.get<std::int64_t>("compress", 4);
  result.convolution_kernel = config.get<std::int64_t>("conv_kernel", 3);
  result.dual_path_layers = config.get<std::int64_t>("num_dplayer", 6);
  // Every layer goes from the features to their spectrum over time or back.
  if (result.dual_path_layers < 0 || result.dual_path_layers % 2 != 0)
    throw Error{ErrorCode::kFormat, "num_dplayer must be even", config.name()};
  result.expand = config.get<std::int64_t>("expand", 1);
  config.refuse_others({"sources"});
  constexpr std::int64_t kMost = 65536, kDeepest = 1024;
  config.check_range("audio_channels", result.channels, 1, 64);
  config.check_range("hop_size", result.stft.hop, 1, result.stft.n_fft);
  config.check_range("num_dplayer", result.dual_path_layers, 0, kDeepest);
  config.check_range("expand", result.expand, 1, kDeepest);
  config.check_range("compress", result.compress, 1, kMost);
  config.check_range("conv_kernel", result.convolution_kernel, 1, kMost);
  for (const std::int64_t dim : result.dims) config.check_range("dims", dim, 1, kMost);
  for (std::size_t b = 0; b < kBands; ++b) {
    config.check_range("band_stride", result.stride[b], 1, kMost);
    config.check_range("band_kernel", result.kernel[b], 1, kMost);
    config.check_range("conv_depths", result.depth[b], -kDeepest, kDeepest);
  }
  if (result.dims.size() < 2 || result.dims[0] != 2 * result.channels)
    throw Error{ErrorCode::kFormat, "dims must begin with twice the channels", config.name()};
  return result;
}

std::shared_ptr<Model> make_scnet(const ScnetConfig& config, ModelTraits traits) {
  return std::make_shared<Scnet>(config, std::move(traits));
}

}  // namespace unbraid::models
