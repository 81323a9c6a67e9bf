#include "models/tfc_tdf.hpp"

#include <fmt/format.h>

#include <charconv>

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

torch::nn::Conv2d convolution(std::int64_t in, std::int64_t out, torch::ExpandingArray<2> kernel, torch::ExpandingArray<2> stride = 1,
                              std::int64_t padding = 0) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding).bias(false));
}

torch::nn::Linear dense(std::int64_t in, std::int64_t out) { return torch::nn::Linear(torch::nn::LinearOptions(in, out).bias(false)); }

/// times · base^exponent, or a number beyond all sizes.
std::int64_t power(std::int64_t base, std::int64_t exponent, std::int64_t times = 1) {
  constexpr std::int64_t kBeyond = std::int64_t{1} << 40;
  for (std::int64_t i = 0; i < exponent && base > 1 && times < kBeyond; ++i) times *= base;
  return times;
}

/// Norm, activation, then the layer: every layer of the net is one of these.
template <class Layer>
void push(Sequential& sequence, const TfcTdfConfig& config, std::int64_t channels, Layer layer) {
  sequence->push_back(tfc_tdf_norm(config.norm, channels));
  sequence->push_back(tfc_tdf_activation(config.activation));
  sequence->push_back(std::move(layer));
}

struct TfcTdfBlock : torch::nn::Module {
  TfcTdfBlock(const TfcTdfConfig& config, std::int64_t in, std::int64_t out, std::int64_t bins) {
    push(tfc1, config, in, convolution(in, out, 3, 1, 1));
    push(tdf, config, out, dense(bins, bins / config.bottleneck));
    push(tdf, config, out, dense(bins / config.bottleneck, bins));
    push(tfc2, config, out, convolution(out, out, 3, 1, 1));
    shortcut = pointwise(in, out);
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
  TfcTdf(const TfcTdfConfig& config, std::int64_t in, std::int64_t out, std::int64_t bins) {
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

}  // namespace

AnyModule tfc_tdf_norm(const std::string& kind, std::int64_t channels) {
  if (kind == "BatchNorm") return AnyModule(torch::nn::BatchNorm2d(channels));
  if (kind == "InstanceNorm") return AnyModule(torch::nn::InstanceNorm2d(torch::nn::InstanceNorm2dOptions(channels).affine(true)));
  if (constexpr std::string_view kGroups = "GroupNorm"; kind.starts_with(kGroups))
    return AnyModule(nn::GroupNorm(number<std::int64_t>(kind.substr(kGroups.size()), kind), channels));
  return AnyModule(torch::nn::Identity());
}

AnyModule tfc_tdf_activation(const std::string& kind) {
  if (kind == "gelu") return AnyModule(nn::Gelu());
  if (kind == "relu") return AnyModule(torch::nn::ReLU());
  if (kind.starts_with("elu")) return AnyModule(torch::nn::ELU(torch::nn::ELUOptions().alpha(number<double>(kind.substr(3), kind))));
  throw Error{ErrorCode::kUnsupported, fmt::format("unknown activation {}", kind)};
}

torch::nn::Conv2d pointwise(std::int64_t in, std::int64_t out) { return convolution(in, out, 1); }

TfcTdfConfig TfcTdfConfig::of(const Config& model) {
  TfcTdfConfig result;
  result.scales = model.get<std::int64_t>("num_scales");
  result.scale = model.get<std::vector<std::int64_t>>("scale");
  result.blocks_per_scale = model.get<std::int64_t>("num_blocks_per_scale");
  result.width = model.get<std::int64_t>("num_channels");
  result.growth = model.get<std::int64_t>("growth");
  result.bottleneck = model.get<std::int64_t>("bottleneck_factor");
  result.norm = model.get<std::string>("norm");
  result.activation = model.get<std::string>("act");
  constexpr std::int64_t kMost = 65536, kDeepest = 1024;
  model.check_range("num_scales", result.scales, 0, kDeepest);
  model.check_range("num_blocks_per_scale", result.blocks_per_scale, 1, kDeepest);
  model.check_range("num_channels", result.width, 1, kMost);
  model.check_range("growth", result.growth, 0, kMost);
  model.check_range("bottleneck_factor", result.bottleneck, 1, kMost);
  for (const std::int64_t factor : result.scale) model.check_range("scale", factor, 1, kMost);
  if (result.scale.size() != 2) throw Error{ErrorCode::kFormat, "scale needs two numbers", model.name()};
  return result;
}

std::int64_t TfcTdfConfig::column_multiple() const { return power(scale[0], scales); }
std::int64_t TfcTdfConfig::bin_multiple() const { return power(scale[1], scales); }

TfcTdfUnet::TfcTdfUnet(const TfcTdfConfig& config, std::int64_t bins) {
  const torch::ExpandingArray<2> scale(config.scale);
  std::int64_t width = config.width;
  for (std::int64_t i = 0; i < config.scales; ++i) {
    auto blocks = std::make_shared<TfcTdf>(config, width, width, bins);
    Sequential down;
    push(down, config, width, convolution(width, width + config.growth, scale, scale));
    encoder_->push_back(std::make_shared<Scale>("downscale", down, blocks));
    width += config.growth;
    bins /= config.scale[1];
  }
  bottleneck_width_ = width;
  bottleneck_ = std::make_shared<TfcTdf>(config, width, width, bins);
  for (std::int64_t i = 0; i < config.scales; ++i) {
    Sequential up;
    push(up, config, width,
         torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(width, width - config.growth, scale).stride(scale).bias(false)));
    width -= config.growth;
    bins *= config.scale[1];
    decoder_->push_back(std::make_shared<Scale>("upscale", up, std::make_shared<TfcTdf>(config, 2 * width, width, bins)));
  }
}

void TfcTdfUnet::register_in(torch::nn::Module& parent) const {
  parent.register_module("encoder_blocks", encoder_);
  parent.register_module("bottleneck_block", bottleneck_);
  parent.register_module("decoder_blocks", decoder_);
}

Tensor TfcTdfUnet::forward(Tensor x, const Tap& tap, const std::function<Tensor(const Tensor&)>& behind) {
  std::vector<Tensor> skips;
  for (std::size_t i = 0; i < encoder_->size(); ++i) {
    auto& scale = *encoder_[i]->as<Scale>();
    x = scale.tfc_tdf->forward(x);
    tap(fmt::format("enc{}_tfc_tdf", i), x);
    skips.push_back(x);
    x = scale.resize->forward(x);
    tap(fmt::format("enc{}_downscale", i), x);
  }
  x = bottleneck_->as<TfcTdf>()->forward(x);
  tap("bottleneck", x);
  if (behind) x = behind(x);
  for (std::size_t i = 0; i < decoder_->size(); ++i) {
    auto& scale = *decoder_[i]->as<Scale>();
    x = scale.resize->forward(x);
    tap(fmt::format("dec{}_upscale", i), x);
    x = scale.tfc_tdf->forward(torch::cat({x, skips.back()}, 1));
    skips.pop_back();
  }
  return x;
}

}  // namespace unbraid::models
