#include "models/bsrnn/bsrnn.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "models/spectrogram_model.hpp"
#include "nn/cell_gains.hpp"
#include "nn/lstm.hpp"
#include "nn/norms.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

constexpr double kCompression = 0.2;  // of powers
constexpr double kSilence = 1e-12;    // power that counts as none
constexpr std::int64_t kMostGrids = 64;

/// Mid and side of the last but one axis's left and right; its own inverse. Other numbers of channels stay as they are.
Tensor mid_side(const Tensor& audio) {
  if (audio.size(-2) != 2) return audio;
  const Tensor left = audio.select(-2, 0), right = audio.select(-2, 1);
  return torch::stack({left + right, left - right}, -2) / std::numbers::sqrt2;
}

/// One linear map per band: [bands, items, in] → [bands, items, out].
struct BandLinear : torch::nn::Module {
  BandLinear(std::int64_t bands, std::int64_t in, std::int64_t out) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    weight = register_parameter("weight", torch::empty({bands, in, out}).uniform_(-bound, bound));
    bias = register_parameter("bias", torch::zeros({bands, 1, out}));
  }
  Tensor forward(const Tensor& x) { return torch::baddbmm(bias, x, weight); }
  Tensor weight, bias;
};

/// x + F BLSTM(LN x) along one axis.
struct Path : torch::nn::Module {
  Path(std::int64_t features, std::int64_t hidden, double dropout, bool batch_first) : dropout_(dropout) {
    norm = register_module("norm", nn::LayerNorm(torch::nn::LayerNormOptions({features})));
    rnn = register_module("rnn", torch::nn::LSTM(torch::nn::LSTMOptions(features, hidden).bidirectional(true).batch_first(batch_first)));
    linear = register_module("linear", torch::nn::Linear(2 * hidden, features));
  }
  Tensor forward(const Tensor& x) {
    return x + linear->forward(torch::dropout(nn::run_lstm(rnn, norm->forward(x)), dropout_, is_training()));
  }
  double dropout_;
  nn::LayerNorm norm{nullptr};
  torch::nn::LSTM rnn{nullptr};
  torch::nn::Linear linear{nullptr};
};

class Bsrnn : public Model {
 public:
  Bsrnn(const BsrnnConfig& config, ModelTraits traits)
      : Model(std::move(traits)), config_(config), grid_(config.bands, config.cells, config.stft.bins()), bands_(grid_.bands()) {
    const std::int64_t views = powers_of(), outputs = stems_count() * config.channels * (config.mask == BsrnnConfig::Mask::kSoftmax ? 1 : 2);
    mean_ = register_buffer("mean", torch::zeros({views, bands_, config.cells}));
    scale_ = register_buffer("scale", torch::ones({views, bands_, config.cells}));
    encoder_ = register_module("encoder", std::make_shared<BandLinear>(bands_, views * config.cells, config.features));
    for (std::int64_t i = 0; i < config.layers; ++i) {
      time_.push_back(register_module(fmt::format("time_{}", i), std::make_shared<Path>(config.features, config.hidden, config.dropout, false)));
      band_.push_back(register_module(fmt::format("band_{}", i), std::make_shared<Path>(config.features, config.hidden, config.dropout, true)));
    }
    norm_ = register_module("norm", nn::LayerNorm(torch::nn::LayerNormOptions({config.features})));
    widen_ = register_module("widen", std::make_shared<BandLinear>(bands_, config.features, config.decoder));
    decoder_ = register_module("decoder", std::make_shared<BandLinear>(bands_, config.decoder, outputs * config.cells));
  }

  Tensor forward(const Tensor& mix) override {
    const std::int64_t frames = mix.size(-1);
    if (frames == 0) return torch::zeros({mix.size(0), stems_count(), mix.size(1), 0}, mix.options());
    const Tensor y = estimate_spectra(mix).transpose(-1, -2);  // torch's [bins, columns]
    return mid_side(config_.stft.inverse(y.flatten(0, 2), frames).view({mix.size(0), stems_count(), mix.size(1), frames}));
  }

  std::vector<Parameter> settings() const override {
    return {{.name = "grids", .help = "positions of the STFT's grid, evenly spread over a hop, whose results are averaged",
             .value = config_.grids, .minimum = 1, .maximum = kMostGrids}};
  }

  Tensor separate(const Tensor& mix, const ParameterValues& values, RunContext& run) override {
    const std::int64_t grids = values.integer("grids");
    Tensor sum = forward(mix);
    for (std::int64_t i = 1; i < grids; ++i) {
      run.cancel.check();
      const std::int64_t offset = i * config_.stft.hop / grids;
      sum += forward(torch::constant_pad_nd(mix, {offset, 0})).narrow(-1, offset, mix.size(-1));
    }
    return sum / grids;
  }

  bool has_spectra() const override { return true; }

  /// Of mid and side: [..., channels, frames] → [..., channels, columns, bins].
  Tensor spectra(const Tensor& audio) const override {
    const Tensor z = config_.stft.forward(mid_side(audio).flatten(0, -2)).transpose(1, 2);
    std::vector<std::int64_t> shape(audio.sizes().begin(), audio.sizes().end() - 1);
    shape.insert(shape.end(), {z.size(1), z.size(2)});
    return z.view(shape);
  }

  Tensor estimate_spectra(const Tensor& mix) override {
    if (mix.size(1) != config_.channels)
      throw Error{ErrorCode::kUsage, fmt::format("{} channels for a model of {}", mix.size(1), config_.channels)};
    const Tensor x = spectra(mix);
    const std::int64_t batch = x.size(0), columns = x.size(2);
    Tensor y = (features(x) - mean_.unsqueeze(1).unsqueeze(1)) * scale_.unsqueeze(1).unsqueeze(1);  // [views, columns, batch, bands, cells]
    y = encoder_->forward(y.permute({3, 1, 2, 0, 4}).flatten(3).flatten(1, 2));                     // [bands, columns·batch, features]
    y = y.transpose(0, 1).to(torch::kFloat32).contiguous();                                         // [columns·batch, bands, features]
    for (std::size_t i = 0; i < time_.size(); ++i) {
      y = time_[i]->forward(y.view({columns, batch * bands_, -1})).view({columns * batch, bands_, -1});
      y = band_[i]->forward(y);
    }
    y = torch::tanh(widen_->forward(norm_->forward(y).transpose(0, 1)));
    y = decoder_->forward(y).to(torch::kFloat32).view({bands_, columns, batch, stems_count(), -1, config_.channels, config_.cells});
    return apply(y, x);
  }

  /// The mean and the deviation of every cell's features.
  void fit_input(std::span<const Tensor> mixtures) override {
    const torch::NoGradGuard no_gradient;
    std::vector<Tensor> seen;
    for (const Tensor& mix : mixtures) seen.push_back(features(spectra(mix.unsqueeze(0))).flatten(1, 2));
    if (seen.empty()) return;
    const auto [deviation, mean] = torch::std_mean(torch::cat(seen, 1), 1);
    constexpr double kLeastDeviation = 1e-2;  // of the largest: cells that are always silent
    mean_.copy_(mean);
    scale_.copy_(deviation.clamp_min(kLeastDeviation * deviation.max().item<double>()).clamp_min(1e-12).reciprocal());
  }

 private:
  std::int64_t stems_count() const { return static_cast<std::int64_t>(traits().stems.size()); }
  std::int64_t powers_of() const { return config_.channels == 2 ? 4 : config_.channels; }

  /// Compressed powers in cells: [batch, channels, columns, bins] → [views, columns, batch, bands, cells].
  Tensor features(const Tensor& x) const {
    Tensor views = x;
    if (config_.channels == 2) views = torch::cat({x, mid_side(x.flatten(2)).view(x.sizes())}, 1);  // left and right again
    const Tensor power = torch::view_as_real(views).square().sum(-1);
    const Tensor level = power.narrow(1, 0, config_.channels).mean({1, 2, 3}, /*keepdim=*/true) + kSilence;
    std::vector<Tensor> parts;
    std::int64_t from = 0;
    for (const auto& [bins_per_cell, bands] : config_.bands) {
      const std::int64_t length = bands * config_.cells * bins_per_cell;
      Tensor part = power.narrow(3, from, length);
      if (bins_per_cell > 1) part = part.unflatten(3, {-1, bins_per_cell}).mean(-1);
      parts.push_back(part.unflatten(3, {bands, config_.cells}));
      from += length;
    }
    const Tensor cells = torch::cat(parts, 3) / level.unsqueeze(-1);
    return (cells + kSilence).pow(kCompression).permute({1, 2, 0, 3, 4});
  }

  /// raw: [bands, columns, batch, stems, 1 | 2, channels, cells], x [batch, channels, columns, bins]
  /// → [batch, stems, channels, columns, bins].
  Tensor apply(const Tensor& raw, const Tensor& x) const {
    const Tensor first = raw.select(4, 0);
    if (config_.mask == BsrnnConfig::Mask::kSoftmax) return nn::apply_gains(grid_, torch::softmax(first, 3), x);
    const Tensor second = raw.select(4, 1), balanced = second - second.mean(3, true);
    if (config_.mask == BsrnnConfig::Mask::kMatrix)
      return nn::apply_gains(grid_, torch::softmax(first, 3), x) + nn::apply_gains(grid_, balanced, x.flip(1));
    const Tensor real = first - first.mean(3, true) + 1.0 / static_cast<double>(stems_count());
    const Tensor turned = torch::view_as_real(x);  // i·x
    return nn::apply_gains(grid_, real, x) +
           nn::apply_gains(grid_, balanced, torch::complex(-turned.select(-1, 1), turned.select(-1, 0)));
  }

  BsrnnConfig config_;
  nn::CellGrid grid_;
  std::int64_t bands_;
  Tensor mean_, scale_;
  std::shared_ptr<BandLinear> encoder_, widen_, decoder_;
  std::vector<std::shared_ptr<Path>> time_, band_;
  nn::LayerNorm norm_{nullptr};
};

}  // namespace

BsrnnConfig BsrnnConfig::of(const Config& config) {
  const Config audio = config.section("audio");
  const Config model = config.section("model");
  BsrnnConfig result;
  result.stft = stft_of(audio, {.padding = "zeros"});
  result.channels = audio.get<std::int64_t>("num_channels", 2);
  result.cells = model.get<std::int64_t>("cells", result.cells);
  result.features = model.get<std::int64_t>("features", result.features);
  result.hidden = model.get<std::int64_t>("hidden", result.hidden);
  result.layers = model.get<std::int64_t>("layers", result.layers);
  result.decoder = model.get<std::int64_t>("decoder", result.decoder);
  result.dropout = model.get<double>("dropout", 0.0);
  const auto mask = model.get<std::string>("mask", "softmax");
  result.bands = model.get<std::vector<std::pair<std::int64_t, std::int64_t>>>("bands");
  model.refuse_others({});
  const Config inference = config.section("inference");
  result.grids = inference.get<std::int64_t>("grids", result.grids);
  inference.check_range("grids", result.grids, 1, kMostGrids);
  for (const auto& [key, value] : {std::pair{"cells", result.cells}, {"features", result.features}, {"hidden", result.hidden}, {"decoder", result.decoder}})
    model.check_range(key, value, 1, 65536);
  model.check_range("layers", result.layers, 1, 64);
  if (!(result.dropout >= 0 && result.dropout < 1)) throw Error{ErrorCode::kFormat, "dropout must lie between 0 and 1", model.name()};
  audio.check_range("num_channels", result.channels, 1, 2);
  std::int64_t bins = 0;
  for (const auto& [bins_per_cell, bands] : result.bands) {
    model.check_range("bands", bins_per_cell, 1, result.stft.bins());
    model.check_range("bands", bands, 1, result.stft.bins());
    bins += bins_per_cell * bands * result.cells;
  }
  if (bins < 1 || bins > result.stft.bins())
    throw Error{ErrorCode::kFormat, fmt::format("the bands cover {} of {} bins", bins, result.stft.bins()), model.name()};
  if (mask == "matrix") result.mask = Mask::kMatrix;
  else if (mask == "complex") result.mask = Mask::kComplex;
  else if (mask != "softmax") throw Error{ErrorCode::kUnsupported, fmt::format("unknown mask {}; there are softmax, matrix and complex", mask), model.name()};
  if (result.mask == Mask::kMatrix && result.channels != 2) throw Error{ErrorCode::kFormat, "mask: matrix needs two channels", model.name()};
  return result;
}

std::shared_ptr<Model> make_bsrnn(const BsrnnConfig& config, ModelTraits traits) {
  return std::make_shared<Bsrnn>(config, std::move(traits));
}

}  // namespace unbraid::models
