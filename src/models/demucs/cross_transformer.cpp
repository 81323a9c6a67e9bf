#include "models/demucs/cross_transformer.hpp"

#include <cmath>

#include "nn/gelu.hpp"
#include "nn/norms.hpp"

namespace unbraid::models::demucs {

namespace {

using torch::Tensor;

struct LayerScale : torch::nn::Module {
  explicit LayerScale(std::int64_t dim) { scale = register_parameter("scale", torch::full({dim}, 1e-4)); }
  Tensor scale;
};

/// Multi-head attention with torch's packed projections; [batch, tokens, dim].
struct Attention : torch::nn::Module {
  Attention(std::int64_t dim, std::int64_t heads_wanted) : heads(heads_wanted) {
    in_proj_weight = register_parameter("in_proj_weight", torch::empty({3 * dim, dim}));
    in_proj_bias = register_parameter("in_proj_bias", torch::zeros({3 * dim}));
    torch::nn::init::xavier_uniform_(in_proj_weight);
    out_proj = register_module("out_proj", torch::nn::Linear(dim, dim));
  }
  Tensor forward(const Tensor& queries, const Tensor& others) {
    const std::vector<Tensor> weights = in_proj_weight.chunk(3), biases = in_proj_bias.chunk(3);
    const auto project = [&](const Tensor& x, std::size_t i) {
      return torch::linear(x, weights[i], biases[i]).unflatten(-1, {heads, -1}).transpose(1, 2);
    };
    const Tensor q = project(queries, 0), k = project(others, 1), v = project(others, 2);
    const Tensor scores = torch::matmul(q / std::sqrt(static_cast<double>(q.size(-1))), k.transpose(-1, -2));
    return out_proj->forward(torch::matmul(torch::softmax(scores, -1), v).transpose(1, 2).flatten(-2));
  }
  std::int64_t heads;
  Tensor in_proj_weight, in_proj_bias;
  torch::nn::Linear out_proj{nullptr};
};

/// [cos | sin] of p / period^(i / (half − 1)): [n, dim].
Tensor embedding_1d(std::int64_t n, std::int64_t dim, double period, const torch::TensorOptions& where) {
  const std::int64_t half = dim / 2;
  const Tensor exponents = torch::arange(half, where) / static_cast<double>(half - 1);
  const Tensor phase = torch::arange(n, where).unsqueeze(1) / torch::pow(period, exponents);
  return torch::cat({phase.cos(), phase.sin()}, -1);
}

/// First half of the channels for time, second for frequency, sine and cosine alternating: [frames, bins, dim].
Tensor embedding_2d(std::int64_t bins, std::int64_t frames, std::int64_t dim, double period, const torch::TensorOptions& where) {
  const std::int64_t half = dim / 2;
  const Tensor rates = torch::exp(torch::arange(0, half, 2, where) * (-std::log(period) / static_cast<double>(half)));
  const auto alternate = [&](std::int64_t n) {
    const Tensor phase = torch::arange(n, where).unsqueeze(1) * rates;
    return torch::stack({phase.sin(), phase.cos()}, -1).flatten(-2);  // [n, half]
  };
  return torch::cat(
      {alternate(frames).unsqueeze(1).expand({frames, bins, half}), alternate(bins).unsqueeze(0).expand({frames, bins, half})}, -1);
}

}  // namespace

/// One layer of either kind: attention to itself, or with `cross` to the other branch.
struct CrossTransformer::Layer : torch::nn::Module {
  Layer(const CrossTransformerOptions& model, bool cross_attention) : options(model), cross(cross_attention) {
    const std::int64_t dim = options.dim;
    const auto hidden = static_cast<std::int64_t>(static_cast<double>(dim) * options.hidden_scale);
    const auto norm = [&](const char* name) { return register_module(name, nn::LayerNorm(torch::nn::LayerNormOptions({dim}))); };
    attention = register_module(cross ? "cross_attn" : "self_attn", std::make_shared<Attention>(dim, options.heads));
    linear1 = register_module("linear1", torch::nn::Linear(dim, hidden));
    linear2 = register_module("linear2", torch::nn::Linear(hidden, dim));
    norm1 = norm("norm1");
    norm2 = norm("norm2");
    if (cross) norm3 = norm("norm3");
    if (options.norm_first && options.norm_out) norm_out = register_module("norm_out", nn::GroupNorm(1, dim));
    if (options.layer_scale) {
      gamma_1 = register_module("gamma_1", std::make_shared<LayerScale>(dim));
      gamma_2 = register_module("gamma_2", std::make_shared<LayerScale>(dim));
    }
  }

  Tensor forward(const Tensor& x, const Tensor& other) {
    const auto attend = [&](const Tensor& q, const Tensor& k) {
      const Tensor y = attention->forward(q, k);
      return gamma_1 ? gamma_1->scale * y : y;
    };
    const auto feed_forward = [&](const Tensor& input) {
      const Tensor hidden = linear1->forward(input);
      const Tensor y = linear2->forward(options.gelu ? nn::gelu(hidden) : torch::relu(hidden));
      return gamma_2 ? gamma_2->scale * y : y;
    };
    if (!options.norm_first) {
      const Tensor y = norm1->forward(x + (cross ? attend(x, other) : attend(x, x)));
      return norm2->forward(y + feed_forward(y));
    }
    const Tensor q = norm1->forward(x);
    Tensor y = x + (cross ? attend(q, norm2->forward(other)) : attend(q, q));
    y = y + feed_forward(cross ? norm3->forward(y) : norm2->forward(y));
    return norm_out ? norm_out->forward(y.transpose(1, 2)).transpose(1, 2) : y;
  }

  CrossTransformerOptions options;
  bool cross;
  std::shared_ptr<Attention> attention;
  torch::nn::Linear linear1{nullptr}, linear2{nullptr};
  nn::LayerNorm norm1{nullptr}, norm2{nullptr}, norm3{nullptr};
  nn::GroupNorm norm_out{nullptr};
  std::shared_ptr<LayerScale> gamma_1, gamma_2;
};

CrossTransformer::CrossTransformer(const CrossTransformerOptions& options) : options_(options) {
  if (options.norm_in) {
    norm_in_ = register_module("norm_in", nn::LayerNorm(torch::nn::LayerNormOptions({options.dim})));
    norm_in_t_ = register_module("norm_in_t", nn::LayerNorm(torch::nn::LayerNormOptions({options.dim})));
  }
  auto list = register_module("layers", std::make_shared<torch::nn::Module>());
  auto list_t = register_module("layers_t", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < options.layers; ++i) {
    const bool cross = (i % 2 == 1) != options.cross_first;
    layers_.push_back(list->register_module(std::to_string(i), std::make_shared<Layer>(options, cross)));
    layers_t_.push_back(list_t->register_module(std::to_string(i), std::make_shared<Layer>(options, cross)));
  }
}

std::pair<Tensor, Tensor> CrossTransformer::forward(Tensor spectrogram, Tensor waveform, const Tap& tap) {
  const std::int64_t bins = spectrogram.size(2), frames = spectrogram.size(3);
  const torch::TensorOptions where = spectrogram.options();
  Tensor x = spectrogram.permute({0, 3, 2, 1}).flatten(1, 2);  // tokens: frame after frame, bins inside
  Tensor xt = waveform.transpose(1, 2);
  if (norm_in_) {
    x = norm_in_->forward(x);
    xt = norm_in_t_->forward(xt);
  }
  x = x + options_.position_weight * embedding_2d(bins, frames, options_.dim, options_.max_period, where).flatten(0, 1);
  xt = xt + options_.position_weight * embedding_1d(xt.size(1), options_.dim, options_.max_period, where);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Tensor before = x;
    x = layers_[i]->forward(x, xt);
    xt = layers_t_[i]->forward(xt, before);
    const std::string name = "xf_layer" + std::to_string(i) + (layers_[i]->cross ? "_cross" : "");
    tap(name, x);
    tap(name + "_t", xt);
  }
  return {x.unflatten(1, {frames, bins}).permute({0, 3, 2, 1}), xt.transpose(1, 2)};
}

}  // namespace unbraid::models::demucs
