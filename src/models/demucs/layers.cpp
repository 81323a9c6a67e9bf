#include "models/demucs/layers.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "nn/gelu.hpp"
#include "nn/lstm.hpp"
#include "nn/norms.hpp"

namespace unbraid::models::demucs {

namespace {

using torch::Tensor;
using torch::nn::AnyModule;

struct LayerScale : torch::nn::Module {
  LayerScale(std::int64_t channels, double init) { scale = register_parameter("scale", torch::full({channels}, init)); }
  Tensor forward(const Tensor& x) { return scale.unsqueeze(-1) * x; }
  Tensor scale;
};

/// A bidirectional LSTM along time with a residual; long inputs go through it in overlapping frames, of which the middle
/// parts are kept.
struct FramedLstm : torch::nn::Module {
  explicit FramedLstm(std::int64_t channels) {
    lstm = register_module("lstm", torch::nn::LSTM(torch::nn::LSTMOptions(channels, channels).num_layers(2).bidirectional(true)));
    linear = register_module("linear", torch::nn::Linear(2 * channels, channels));
  }
  Tensor run(const Tensor& x) {  // [rows, channels, n]
    return linear->forward(nn::run_lstm(lstm, x.permute({2, 0, 1}))).permute({1, 2, 0});
  }
  Tensor forward(const Tensor& x) {
    constexpr std::int64_t kWidth = 200, kStride = kWidth / 2, kBorder = kStride / 2;
    const std::int64_t batch = x.size(0), channels = x.size(1), n = x.size(2);
    if (n <= kWidth) return x + run(x);
    const std::int64_t frames = (n + kStride - 1) / kStride;
    const Tensor padded = torch::constant_pad_nd(x, {0, (frames - 1) * kStride + kWidth - n});
    const Tensor framed = padded.unfold(2, kWidth, kStride).permute({0, 2, 1, 3}).reshape({-1, channels, kWidth});
    const Tensor out = run(framed).reshape({batch, frames, channels, kWidth});
    std::vector<Tensor> parts;
    for (std::int64_t k = 0; k < frames; ++k) {
      const std::int64_t first = k == 0 ? 0 : kBorder, last = k + 1 == frames && k > 0 ? kWidth : kWidth - kBorder;
      parts.push_back(out.select(1, k).narrow(2, first, last - first));
    }
    return x + torch::cat(parts, 2).narrow(2, 0, n);
  }
  torch::nn::LSTM lstm{nullptr};
  torch::nn::Linear linear{nullptr};
};

/// Attention by content alone, with a learnt penalty that grows with distance; a place does not attend to itself.
struct LocalState : torch::nn::Module {
  static constexpr std::int64_t kHeads = 4, kDecays = 4;

  explicit LocalState(std::int64_t channels) {
    const auto conv = [&](const char* name, std::int64_t out) {
      return register_module(name, torch::nn::Conv1d(torch::nn::Conv1dOptions(channels, out, 1)));
    };
    content = conv("content", channels);
    query = conv("query", channels);
    key = conv("key", channels);
    query_decay = conv("query_decay", kHeads * kDecays);
    proj = conv("proj", channels);
  }
  Tensor forward(const Tensor& x) {
    const std::int64_t batch = x.size(0), n = x.size(2);
    const auto heads = [&](torch::nn::Conv1d& conv) { return conv->forward(x).reshape({batch, kHeads, -1, n}); };
    const Tensor places = torch::arange(n, x.options());
    const Tensor distance = (places.unsqueeze(1) - places.unsqueeze(0)).abs();
    const Tensor keys = heads(key);
    Tensor dots = torch::matmul(keys.transpose(2, 3), heads(query)) / std::sqrt(static_cast<double>(keys.size(2)));
    // Σ_f −f·|t − s|/√F · σ(d_f[s])/2 does not depend on t but through |t − s|.
    const Tensor weights = torch::arange(1, kDecays + 1, x.options()).reshape({-1, 1}) / std::sqrt(static_cast<double>(kDecays));
    const Tensor decay = (torch::sigmoid(heads(query_decay)) / 2 * weights).sum(2, /*keepdim=*/true);  // [batch, heads, 1, s]
    dots = dots - distance * decay;
    dots.masked_fill_(torch::eye(n, torch::TensorOptions().dtype(torch::kBool).device(x.device())), -100);
    const Tensor result = torch::matmul(heads(content), torch::softmax(dots, 2));
    return x + proj->forward(result.reshape({batch, -1, n}));
  }
  torch::nn::Conv1d content{nullptr}, query{nullptr}, key{nullptr}, query_decay{nullptr}, proj{nullptr};
};

AnyModule group_norm(const LayerOptions& options, std::int64_t channels) {
  if (!options.norm) return AnyModule(torch::nn::Identity());
  return AnyModule(nn::GroupNorm(options.norm_groups, channels));
}

/// A convolution along bins or along time.
AnyModule convolution(bool frequency, std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  if (frequency)
    return AnyModule(torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, {kernel, 1}).stride({stride, 1}).padding({padding, 0})));
  return AnyModule(torch::nn::Conv1d(torch::nn::Conv1dOptions(in, out, kernel).stride(stride).padding(padding)));
}

/// The gated convolution after or before the strided one; with context it looks at neighbours in both directions.
AnyModule rewriting(const LayerOptions& options, std::int64_t channels) {
  const std::int64_t size = 1 + 2 * options.context;
  if (options.frequency)
    return AnyModule(torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, 2 * channels, size).padding(options.context)));
  return AnyModule(torch::nn::Conv1d(torch::nn::Conv1dOptions(channels, 2 * channels, size).padding(options.context)));
}

/// The branch works along time, every row of bins by itself.
Tensor run_branch(DConv& branch, const Tensor& y, bool frequency) {
  if (!frequency) return branch.forward(y);
  const Tensor rows = branch.forward(y.transpose(1, 2).flatten(0, 1));
  return rows.unflatten(0, {y.size(0), y.size(2)}).transpose(1, 2);
}

void add(torch::nn::Module& owner, const char* name, AnyModule& module) {
  if (!module.is_empty()) owner.register_module(name, module.ptr());
}

}  // namespace

DConv::DConv(std::int64_t channels, const DConvOptions& options) {
  const auto hidden = static_cast<std::int64_t>(static_cast<double>(channels) / options.compress);
  auto list = register_module("layers", std::make_shared<torch::nn::Module>());
  for (std::int64_t d = 0; d < std::abs(options.depth); ++d) {
    const std::int64_t dilation = options.depth > 0 ? std::int64_t{1} << d : 1;
    torch::nn::Sequential layer;
    layer->push_back(torch::nn::Conv1d(torch::nn::Conv1dOptions(channels, hidden, 3).dilation(dilation).padding(dilation)));
    layer->push_back(nn::GroupNorm(1, hidden));
    layer->push_back(nn::Gelu());
    if (options.lstm) layer->push_back(FramedLstm(hidden));
    if (options.attention) layer->push_back(LocalState(hidden));
    layer->push_back(torch::nn::Conv1d(torch::nn::Conv1dOptions(hidden, 2 * channels, 1)));
    layer->push_back(nn::GroupNorm(1, 2 * channels));
    layer->push_back(torch::nn::GLU(1));
    layer->push_back(LayerScale(channels, options.init));
    layers_.push_back(list->register_module(std::to_string(d), layer));
  }
}

Tensor DConv::forward(Tensor x) {
  for (auto& layer : layers_) x = x + layer->forward(x);
  return x;
}

EncoderLayer::EncoderLayer(const LayerOptions& options) : options_(options) {
  conv_ = convolution(options.frequency, options.in, options.out, options.kernel, options.stride, options.pad ? options.kernel / 4 : 0);
  add(*this, "conv", conv_);
  if (options.empty) return;
  norm1_ = group_norm(options, options.out);
  add(*this, "norm1", norm1_);
  if (options.rewrite) {
    rewrite_ = rewriting(options, options.out);
    norm2_ = group_norm(options, 2 * options.out);
    add(*this, "rewrite", rewrite_);
    add(*this, "norm2", norm2_);
  }
  if (options.dconv) dconv_ = register_module("dconv", std::make_shared<DConv>(options.out, options.branch));
}

Tensor EncoderLayer::forward(Tensor x, const Tensor& inject) {
  if (!options_.frequency) {
    if (x.dim() == 4) x = x.flatten(1, 2);
    const std::int64_t surplus = x.size(-1) % options_.stride;
    if (surplus != 0) x = torch::constant_pad_nd(x, {0, options_.stride - surplus});
  }
  Tensor y = conv_.forward(x);
  if (options_.empty) return y;
  if (inject.defined()) y = y + (inject.dim() == 3 && y.dim() == 4 ? inject.unsqueeze(2) : inject);
  y = nn::gelu(norm1_.forward(y));
  if (dconv_) y = run_branch(*dconv_, y, options_.frequency);
  return options_.rewrite ? torch::glu(norm2_.forward(rewrite_.forward<Tensor>(y)), 1) : y;
}

DecoderLayer::DecoderLayer(const LayerOptions& options) : options_(options) {
  if (options.frequency)
    conv_tr_ = AnyModule(torch::nn::ConvTranspose2d(
        torch::nn::ConvTranspose2dOptions(options.in, options.out, {options.kernel, 1}).stride({options.stride, 1})));
  else
    conv_tr_ = AnyModule(
        torch::nn::ConvTranspose1d(torch::nn::ConvTranspose1dOptions(options.in, options.out, options.kernel).stride(options.stride)));
  norm2_ = group_norm(options, options.out);
  add(*this, "conv_tr", conv_tr_);
  add(*this, "norm2", norm2_);
  if (options.empty) return;
  if (options.rewrite) {
    rewrite_ = rewriting(options, options.in);
    norm1_ = group_norm(options, 2 * options.in);
    add(*this, "rewrite", rewrite_);
    add(*this, "norm1", norm1_);
  }
  if (options.dconv) dconv_ = register_module("dconv", std::make_shared<DConv>(options.in, options.branch));
}

DecoderLayer::Result DecoderLayer::forward(Tensor x, const Tensor& skip, std::int64_t length) {
  if (options_.frequency && x.dim() == 3) x = x.unflatten(1, {options_.in, -1});
  Tensor y = x;
  if (!options_.empty) {
    y = x + skip;
    if (options_.rewrite) y = torch::glu(norm1_.forward(rewrite_.forward<Tensor>(y)), 1);
    if (dconv_) y = run_branch(*dconv_, y, options_.frequency);
  }
  Tensor z = norm2_.forward(conv_tr_.forward<Tensor>(y));  // normalised before it is cut
  const std::int64_t padding = options_.pad ? options_.kernel / 4 : 0;
  if (!options_.frequency) z = z.narrow(-1, padding, length);
  else if (padding > 0) z = z.narrow(2, padding, z.size(2) - 2 * padding);
  return {options_.last ? z : nn::gelu(z), y};
}

}  // namespace unbraid::models::demucs
