#include "models/mdx23c/mdx23c.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <string_view>

#include "nn/gelu.hpp"
#include "nn/norms.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;
using torch::nn::AnyModule;
using torch::nn::Sequential;

/// The number at the end of a name such as GroupNorm4; above 0.
template <class T>
T number(const std::string& text, const std::string& name) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value > 0))
    throw Error{ErrorCode::kFormat, fmt::format("{} needs a number above 0 behind it", name)};
  return value;
}

AnyModule norm(const std::string& kind, std::int64_t channels) {
  if (kind == "BatchNorm") return AnyModule(torch::nn::BatchNorm2d(channels));
  if (kind == "InstanceNorm")
    return AnyModule(torch::nn::InstanceNorm2d(torch::nn::InstanceNorm2dOptions(channels).affine(true)));
  if (constexpr std::string_view kGroups = "GroupNorm"; kind.starts_with(kGroups))
    return AnyModule(nn::GroupNorm(number<std::int64_t>(kind.substr(kGroups.size()), kind), channels));
  return AnyModule(torch::nn::Identity());
}

AnyModule activation(const std::string& kind) {
  if (kind == "gelu") return AnyModule(nn::Gelu());
  if (kind == "relu") return AnyModule(torch::nn::ReLU());
  if (kind.starts_with("elu")) return AnyModule(torch::nn::ELU(torch::nn::ELUOptions().alpha(number<double>(kind.substr(3), kind))));
  throw Error{ErrorCode::kUnsupported, fmt::format("unknown activation {}", kind)};
}

torch::nn::Conv2d convolution(std::int64_t in, std::int64_t out, torch::ExpandingArray<2> kernel,
                              torch::ExpandingArray<2> stride = 1, std::int64_t padding = 0) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding).bias(false));
}

torch::nn::Linear dense(std::int64_t in, std::int64_t out) {
  return torch::nn::Linear(torch::nn::LinearOptions(in, out).bias(false));
}

/// times · base^exponent, or a number beyond all sizes.
std::int64_t power(std::int64_t base, std::int64_t exponent, std::int64_t times = 1) {
  constexpr std::int64_t kBeyond = std::int64_t{1} << 40;
  for (std::int64_t i = 0; i < exponent && base > 1 && times < kBeyond; ++i) times *= base;
  return times;
}

/// Norm, activation, then the layer: every layer of the net is one of these.
template <class Layer>
void push(Sequential& sequence, const Mdx23cConfig& config, std::int64_t channels, Layer layer) {
  sequence->push_back(norm(config.norm, channels));
  sequence->push_back(activation(config.activation));
  sequence->push_back(std::move(layer));
}

struct TfcTdfBlock : torch::nn::Module {
  TfcTdfBlock(const Mdx23cConfig& config, std::int64_t in, std::int64_t out, std::int64_t bins) {
    push(tfc1, config, in, convolution(in, out, 3, 1, 1));
    push(tdf, config, out, dense(bins, bins / config.bottleneck));
    push(tdf, config, out, dense(bins / config.bottleneck, bins));
    push(tfc2, config, out, convolution(out, out, 3, 1, 1));
    shortcut = convolution(in, out, 1);
    register_module("tfc1", tfc1);
    register_module("tdf", tdf);
    register_module("tfc2", tfc2);
    register_module("shortcut", shortcut);
  }
  Tensor forward(const Tensor& x) {
    Tensor y = tfc1->forward(x);
    y = y + tdf->forward(y);
    return tfc2->forward(y) + shortcut->forward(x);
  }
  Sequential tfc1, tdf, tfc2;
  torch::nn::Conv2d shortcut{nullptr};
};

struct TfcTdf : torch::nn::Module {
  TfcTdf(const Mdx23cConfig& config, std::int64_t in, std::int64_t out, std::int64_t bins) {
    for (std::int64_t i = 0; i < config.blocks_per_scale; ++i)
      blocks->push_back(std::make_shared<TfcTdfBlock>(config, i == 0 ? in : out, out, bins));
    register_module("blocks", blocks);
  }
  Tensor forward(Tensor x) {
    for (const auto& block : *blocks) x = block->as<TfcTdfBlock>()->forward(x);
    return x;
  }
  torch::nn::ModuleList blocks;
};

/// One step down (encoder) or up (decoder) with its blocks; `resize` holds the strided convolution.
struct Scale : torch::nn::Module {
  Scale(const char* resize_name, Sequential layers, std::shared_ptr<TfcTdf> tfc_tdf_blocks)
      : resize(std::move(layers)), tfc_tdf(std::move(tfc_tdf_blocks)) {
    auto holder = register_module(resize_name, std::make_shared<torch::nn::Module>());
    holder->register_module("conv", resize);
    register_module("tfc_tdf", tfc_tdf);
  }
  Sequential resize;
  std::shared_ptr<TfcTdf> tfc_tdf;
};

class Mdx23c : public Model {
 public:
  Mdx23c(Mdx23cConfig config, ModelTraits traits) : Model(std::move(traits)), config_(std::move(config)) {
    const std::int64_t folded = config_.subbands * config_.channels * 2;
    const auto stems = static_cast<std::int64_t>(this->traits().stems.size());
    const torch::ExpandingArray<2> scale(config_.scale);
    std::int64_t width = config_.width;
    std::int64_t bins = config_.bins / config_.subbands;

    first_ = register_module("first_conv", convolution(folded, width, 1));
    for (std::int64_t i = 0; i < config_.scales; ++i) {
      auto blocks = std::make_shared<TfcTdf>(config_, width, width, bins);
      Sequential down;
      push(down, config_, width, convolution(width, width + config_.growth, scale, scale));
      encoder_->push_back(std::make_shared<Scale>("downscale", down, blocks));
      width += config_.growth;
      bins /= config_.scale[1];
    }
    bottleneck_ = std::make_shared<TfcTdf>(config_, width, width, bins);
    for (std::int64_t i = 0; i < config_.scales; ++i) {
      Sequential up;
      push(up, config_, width,
           torch::nn::ConvTranspose2d(
               torch::nn::ConvTranspose2dOptions(width, width - config_.growth, scale).stride(scale).bias(false)));
      width -= config_.growth;
      bins *= config_.scale[1];
      decoder_->push_back(
          std::make_shared<Scale>("upscale", up, std::make_shared<TfcTdf>(config_, 2 * width, width, bins)));
    }
    final_->push_back(convolution(width + folded, width, 1));
    final_->push_back(activation(config_.activation));
    final_->push_back(convolution(width, stems * folded, 1));
    register_module("encoder_blocks", encoder_);
    register_module("bottleneck_block", bottleneck_);
    register_module("decoder_blocks", decoder_);
    register_module("final_conv", final_);
  }

  Tensor forward(const Tensor& mix) override {
    const Tensor spectrum = fold(analyse(mix));
    check_columns(spectrum.size(-1), mix.size(-1));
    const Tensor first = first_->forward(spectrum);
    tap("first_conv", first);
    Tensor x = first.transpose(-1, -2);  // [batch, channels, time, bins]: dense layers act on bins
    std::vector<Tensor> skips;
    for (std::size_t i = 0; i < encoder_->size(); ++i) {
      auto& scale = *encoder_[i]->as<Scale>();
      x = scale.tfc_tdf->forward(x);
      tap(fmt::format("enc{}_tfc_tdf", i), x);
      skips.push_back(x);
      x = scale.resize->forward(x);
      tap(fmt::format("enc{}_downscale", i), x);
    }
    x = bottleneck_->forward(x);
    tap("bottleneck", x);
    for (std::size_t i = 0; i < decoder_->size(); ++i) {
      auto& scale = *decoder_[i]->as<Scale>();
      x = scale.resize->forward(x);
      tap(fmt::format("dec{}_upscale", i), x);
      x = scale.tfc_tdf->forward(torch::cat({x, skips.back()}, 1));
      skips.pop_back();
    }
    x = x.transpose(-1, -2) * first;  // the paper's guard against artifacts: silence stays silence
    return synthesise(unfold(final_->forward(torch::cat({spectrum, x}, 1))), mix.size(0));
  }

 private:
  /// Every scale divides the columns; what is left over then is missing on the way up.
  void check_columns(std::int64_t columns, std::int64_t frames) const {
    if (const std::int64_t multiple = power(config_.scale[0], config_.scales); columns % multiple != 0)
      throw Error{ErrorCode::kUsage, fmt::format("blocks of {} samples have {} columns, and this network takes multiples of {} only",
                                                 frames, columns, multiple)};
  }
  /// [batch, channels, frames] → [batch, 2·channels, bins, columns], real and imaginary parts beside each other.
  Tensor analyse(const Tensor& mix) const {
    const Tensor z = torch::view_as_real(config_.stft.forward(mix.flatten(0, 1)));  // [rows, all bins, columns, 2]
    return z.permute({0, 3, 1, 2}).narrow(2, 0, config_.bins).unflatten(0, {mix.size(0), mix.size(1)}).flatten(1, 2);
  }
  /// [batch, stems·2·channels, bins, columns] → [batch, stems, channels, frames].
  Tensor synthesise(const Tensor& x, std::int64_t batch) const {
    const std::int64_t all_bins = config_.stft.n_fft / 2 + 1;
    const Tensor full = torch::constant_pad_nd(x, {0, 0, 0, all_bins - config_.bins});
    const Tensor rows = full.reshape({-1, 2, all_bins, x.size(-1)}).permute({0, 2, 3, 1}).contiguous();
    const Tensor signal = config_.stft.inverse(torch::view_as_complex(rows));
    return signal.reshape({batch, -1, config_.channels, signal.size(-1)});
  }
  /// Sub-bands become channels: [batch, c, bins, t] → [batch, c·k, bins / k, t], and back.
  Tensor fold(const Tensor& x) const {
    return x.reshape({x.size(0), x.size(1) * config_.subbands, x.size(2) / config_.subbands, x.size(3)});
  }
  Tensor unfold(const Tensor& x) const {
    return x.reshape({x.size(0), x.size(1) / config_.subbands, x.size(2) * config_.subbands, x.size(3)});
  }

  Mdx23cConfig config_;
  torch::nn::Conv2d first_{nullptr};
  torch::nn::ModuleList encoder_, decoder_;
  std::shared_ptr<TfcTdf> bottleneck_;
  Sequential final_;
};

}  // namespace

Mdx23cConfig Mdx23cConfig::of(const Config& config) {
  const Config audio = config.section("audio");
  const Config model = config.section("model");
  Mdx23cConfig result;
  result.stft = {.n_fft = audio.get<std::int64_t>("n_fft"), .hop = audio.get<std::int64_t>("hop_length")};
  result.channels = audio.get<std::int64_t>("num_channels", 2);
  result.bins = audio.get<std::int64_t>("dim_f");
  result.subbands = model.get<std::int64_t>("num_subbands");
  result.scales = model.get<std::int64_t>("num_scales");
  result.scale = model.get<std::vector<std::int64_t>>("scale");
  result.blocks_per_scale = model.get<std::int64_t>("num_blocks_per_scale");
  result.width = model.get<std::int64_t>("num_channels");
  result.growth = model.get<std::int64_t>("growth");
  result.bottleneck = model.get<std::int64_t>("bottleneck_factor");
  result.norm = model.get<std::string>("norm");
  result.activation = model.get<std::string>("act");
  model.refuse_others({});
  constexpr std::int64_t kMost = 65536, kDeepest = 1024;
  audio.check_range("n_fft", result.stft.n_fft, 4, 1 << 20);
  audio.check_range("hop_length", result.stft.hop, 1, result.stft.n_fft);
  audio.check_range("num_channels", result.channels, 1, 64);
  audio.check_range("dim_f", result.bins, 1, result.stft.n_fft / 2 + 1);
  model.check_range("num_subbands", result.subbands, 1, result.bins);
  model.check_range("num_scales", result.scales, 0, kDeepest);
  model.check_range("num_blocks_per_scale", result.blocks_per_scale, 1, kDeepest);
  model.check_range("num_channels", result.width, 1, kMost);
  model.check_range("growth", result.growth, 0, kMost);
  model.check_range("bottleneck_factor", result.bottleneck, 1, kMost);
  for (const std::int64_t factor : result.scale) model.check_range("scale", factor, 1, kMost);
  if (result.scale.size() != 2) throw Error{ErrorCode::kFormat, "model.scale needs two numbers", config.name()};
  if (const std::int64_t multiple = power(result.scale[1], result.scales, result.subbands); result.bins % multiple != 0)
    throw Error{ErrorCode::kFormat, fmt::format("audio.dim_f is {}, and these scales and sub-bands need a multiple of {}",
                                                result.bins, multiple), config.name()};
  return result;
}

std::shared_ptr<Model> make_mdx23c(const Mdx23cConfig& config, ModelTraits traits) {
  return std::make_shared<Mdx23c>(config, std::move(traits));
}

}  // namespace unbraid::models
