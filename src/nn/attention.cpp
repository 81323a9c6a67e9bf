#include "nn/attention.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "nn/adaptable_linear.hpp"
#include "nn/gelu.hpp"
#include "nn/threads.hpp"

namespace unbraid::nn {

namespace {

using torch::Tensor;
using torch::nn::LinearOptions;
using Linear = AdaptableLinear;

/// softmax(q kᵀ · scale) v over the last two axes.
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, double scale, torch::nn::Dropout& dropout) {
  return torch::matmul(dropout->forward(torch::softmax(torch::matmul(q * scale, k.transpose(-1, -2)), -1)), v);
}

struct Attention : torch::nn::Module {
  Attention(const TransformerOptions& options, std::shared_ptr<RotaryEmbedding> rotary)
      : heads(options.heads), rotary_embed(std::move(rotary)), dropout(options.attention_dropout) {
    const std::int64_t inner = options.heads * options.dim_head;
    norm = register_module("norm", std::make_shared<RmsNorm>(options.dim));
    to_qkv = register_module("to_qkv", Linear(LinearOptions(options.dim, 3 * inner).bias(false)));
    to_gates = register_module("to_gates", Linear(options.dim, options.heads));
    to_out->push_back(Linear(LinearOptions(inner, options.dim).bias(false)));
    to_out->push_back(torch::nn::Dropout(options.attention_dropout));
    register_module("to_out", to_out);
    register_module("dropout", dropout);
    if (rotary_embed) register_module("rotary_embed", rotary_embed);
  }

  Tensor forward(const Tensor& input) {
    const Tensor x = norm->forward(input);
    const std::int64_t batch = x.size(0), tokens = x.size(1);
    const Tensor qkv = to_qkv->forward(x).reshape({batch, tokens, 3, heads, -1}).permute({2, 0, 3, 1, 4});
    Tensor q = qkv[0], k = qkv[1];
    if (rotary_embed) {
      q = rotary_embed->forward(q);
      k = rotary_embed->forward(k);
    }
    const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
    const Tensor gates = torch::sigmoid(to_gates->forward(x)).transpose(1, 2).unsqueeze(-1);  // [batch, heads, tokens, 1]
    const Tensor out = attend(q, k, qkv[2], scale, dropout) * gates;
    return to_out->forward(out.transpose(1, 2).reshape({batch, tokens, -1}));
  }

  std::int64_t heads;
  std::shared_ptr<RmsNorm> norm;
  Linear to_qkv{nullptr}, to_gates{nullptr};
  torch::nn::Sequential to_out;
  std::shared_ptr<RotaryEmbedding> rotary_embed;
  torch::nn::Dropout dropout;
};

/// Attention between features: q and k are normalised over the tokens, so that q kᵀ is their cross-covariance.
struct LinearAttention : torch::nn::Module {
  explicit LinearAttention(const TransformerOptions& options) : heads(options.heads), dropout(options.attention_dropout) {
    const std::int64_t inner = options.heads * options.dim_head;
    norm = register_module("norm", std::make_shared<RmsNorm>(options.dim));
    to_qkv->push_back(Linear(LinearOptions(options.dim, 3 * inner).bias(false)));
    register_module("to_qkv", to_qkv);
    temperature = register_parameter("temperature", torch::ones({options.heads, 1, 1}));
    to_out->push_back(torch::nn::Identity());  // the checkpoints number a reshaping step here
    to_out->push_back(Linear(LinearOptions(inner, options.dim).bias(false)));
    register_module("to_out", to_out);
    register_module("dropout", dropout);
  }

  Tensor forward(const Tensor& input) {
    constexpr double kScale = 8;
    const Tensor x = norm->forward(input);
    const std::int64_t batch = x.size(0), tokens = x.size(1);
    const Tensor qkv = to_qkv->forward(x).reshape({batch, tokens, 3, heads, -1}).permute({2, 0, 3, 4, 1});
    const auto unit = torch::nn::functional::NormalizeFuncOptions().dim(-1);
    const Tensor q = torch::nn::functional::normalize(qkv[0], unit) * temperature.exp();
    const Tensor k = torch::nn::functional::normalize(qkv[1], unit);
    const Tensor out = attend(q, k, qkv[2], kScale, dropout);  // [batch, heads, dim_head, tokens]
    return to_out->forward(out.permute({0, 3, 1, 2}).reshape({batch, tokens, -1}));
  }

  std::int64_t heads;
  std::shared_ptr<RmsNorm> norm;
  torch::nn::Sequential to_qkv, to_out;
  Tensor temperature;
  torch::nn::Dropout dropout;
};

struct FeedForward : torch::nn::Module {
  explicit FeedForward(const TransformerOptions& options) {
    const std::int64_t inner = options.dim * options.feed_forward_factor;
    net->push_back(RmsNorm(options.dim));
    net->push_back(Linear(options.dim, inner));
    net->push_back(Gelu());
    net->push_back(torch::nn::Dropout(options.feed_forward_dropout));
    net->push_back(Linear(inner, options.dim));
    net->push_back(torch::nn::Dropout(options.feed_forward_dropout));
    register_module("net", net);
  }
  Tensor forward(const Tensor& x) { return net->forward(x); }
  torch::nn::Sequential net;
};

}  // namespace

RmsNorm::RmsNorm(std::int64_t dim) : scale(std::sqrt(static_cast<double>(dim))) { gamma = register_parameter("gamma", torch::ones({dim})); }

Tensor RmsNorm::forward(const Tensor& x) {
  const Tensor norm = torch::linalg_vector_norm(x, 2, torch::IntArrayRef{-1}, /*keepdim=*/true).clamp_min(1e-12);
  return x / norm * scale * gamma;
}

RotaryEmbedding::RotaryEmbedding(std::int64_t dim) {
  const Tensor exponents = torch::arange(0, dim, 2, torch::kFloat32) / static_cast<double>(dim);
  freqs = register_parameter("freqs", torch::pow(10000.0, -exponents), /*requires_grad=*/false);
}

Tensor RotaryEmbedding::forward(const Tensor& x) const {
  const Tensor positions = torch::arange(x.size(-2), freqs.options());
  const Tensor angles = positions.unsqueeze(-1) * freqs;  // [tokens, dim / 2]
  const Tensor cosine = angles.cos(), sine = angles.sin();
  const Tensor pairs = x.unflatten(-1, {-1, 2});
  const Tensor even = pairs.select(-1, 0), odd = pairs.select(-1, 1);
  return torch::stack({even * cosine - odd * sine, odd * cosine + even * sine}, -1).flatten(-2);
}

struct Transformer::Layer : torch::nn::Module {
  Layer(const TransformerOptions& options, const std::shared_ptr<RotaryEmbedding>& rotary) {
    if (options.linear) linear = register_module("0", std::make_shared<LinearAttention>(options));
    else attention = register_module("0", std::make_shared<Attention>(options, rotary));
    feed_forward = register_module("1", std::make_shared<FeedForward>(options));
  }
  std::shared_ptr<Attention> attention;
  std::shared_ptr<LinearAttention> linear;
  std::shared_ptr<FeedForward> feed_forward;
};

Transformer::Transformer(const TransformerOptions& options, const std::shared_ptr<RotaryEmbedding>& rotary) : options_(options) {
  auto list = register_module("layers", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < options.depth; ++i)
    layers_.push_back(list->register_module(std::to_string(i), std::make_shared<Layer>(options, rotary)));
  if (options.norm_output) norm_ = register_module("norm", std::make_shared<RmsNorm>(options.dim));
}

Tensor Transformer::forward(Tensor x) {
  if (torch::GradMode::is_enabled()) return forward_rows(std::move(x));
  Tensor result = torch::empty_like(x);
  const std::int64_t rows = x.size(0), at_once = rows_at_once(x.size(1));
  const auto work = [&](std::int64_t first, std::int64_t count) {
    result.narrow(0, first, count).copy_(forward_rows(x.narrow(0, first, count)));
  };
  if (x.device().is_cpu()) for_rows(rows, at_once, work);
  else
    for (std::int64_t first = 0; first < rows; first += at_once) work(first, std::min(at_once, rows - first));
  return result;
}

std::int64_t Transformer::rows_at_once(std::int64_t tokens) const {
  // What the attention of one row holds at its peak: queries, keys, values and their like, and the scores twice.
  constexpr std::int64_t kValues = 1 << 22;  // 16 MB per thread: what the caches hold, and little against the rest
  const std::int64_t width = options_.heads * options_.dim_head;
  const std::int64_t scores = options_.linear ? options_.dim_head * options_.dim_head : tokens * tokens;
  const std::int64_t of_attention = 2 * options_.heads * scores + 8 * tokens * width;
  const std::int64_t of_feed_forward = 2 * tokens * options_.feed_forward_factor * options_.dim;
  return std::max<std::int64_t>(1, kValues / std::max(of_attention, of_feed_forward));
}

Tensor Transformer::forward_rows(Tensor x) {
  for (const auto& layer : layers_) {
    x = x + (layer->linear ? layer->linear->forward(x) : layer->attention->forward(x));
    x = x + layer->feed_forward->forward(x);
  }
  return norm_ ? norm_->forward(x) : x;
}

}  // namespace unbraid::nn
