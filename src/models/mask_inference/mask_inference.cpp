#include "models/mask_inference/mask_inference.hpp"

#include <fmt/format.h>

#include "nn/attention.hpp"
#include "nn/lstm.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

constexpr double kSmallestPower = 1e-8;  // −80 dB

/// A module that only gives its child another name: "recurrent_stack.rnn".
template <class Child>
Child named(torch::nn::Module& parent, const std::string& name, const std::string& child_name, Child child) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>())->register_module(child_name, child);
}

class MaskInference : public SpectrogramModel {
 public:
  MaskInference(const MaskInferenceConfig& config, ModelTraits traits) : SpectrogramModel(config.stft, std::move(traits)), config_(config) {
    const std::int64_t features = config.stft.bins() * config.channels;
    const std::int64_t width = config.hidden * (config.bidirectional ? 2 : 1);
    norm_ = named(*this, "input_normalization", "batch_norm", torch::nn::BatchNorm1d(config.stft.bins()));
    rnn_ = named(*this, "recurrent_stack", "rnn",
                 torch::nn::LSTM(torch::nn::LSTMOptions(features, config.hidden)
                                     .num_layers(config.layers)
                                     .batch_first(true)
                                     .bidirectional(config.bidirectional)
                                     .dropout(config.layers > 1 ? config.dropout : 0)));
    if (config.attention_layers > 0)
      attention_ =
          register_module("attention", std::make_shared<nn::Transformer>(nn::TransformerOptions{.dim = width,
                                                                                                .depth = config.attention_layers,
                                                                                                .heads = config.attention_heads,
                                                                                                .dim_head = width / config.attention_heads,
                                                                                                .feed_forward_factor = 2},
                                                                         nullptr));
    linear_ = named(*this, "embedding", "linear", torch::nn::Linear(width, features * sources()));
    initialise();
  }

 protected:
  Tensor masks(const Tensor& magnitudes) override {
    const std::int64_t batch = magnitudes.size(0), seen = config_.channels;
    if (seen > 1 && magnitudes.size(1) != seen)
      throw Error{ErrorCode::kUsage, fmt::format("{} channels for a model of {}", magnitudes.size(1), seen)};
    // [items, channels, bins, columns]; without joint channels each channel is an item of its own.
    const Tensor x = seen == 1 ? magnitudes.flatten(0, 1).unsqueeze(1) : magnitudes;
    tap("mix_magnitude", x.permute({0, 3, 2, 1}));
    const Tensor decibels = x.square().clamp_min(kSmallestPower).log10() * 10;
    const Tensor level = norm_->forward(decibels.transpose(1, 2).flatten(2));  // [items, bins, channels·columns]
    Tensor y = level.unflatten(2, {seen, -1}).permute({0, 3, 1, 2}).flatten(2);
    y = nn::run_lstm(rnn_, y);
    if (attention_) y = attention_->forward(y);
    y = linear_->forward(y).unflatten(2, {-1, seen, sources()});  // [items, columns, bins, channels, sources]
    y = config_.softmax ? torch::softmax(y, -1) : torch::sigmoid(y);
    tap("mask", y);
    y = y.permute({0, 4, 3, 2, 1});
    return seen == 1 ? y.squeeze(2).unflatten(0, {batch, -1}).transpose(1, 2) : y;
  }

 private:
  std::int64_t sources() const { return static_cast<std::int64_t>(traits().stems.size()); }

  /// Xavier's normal distribution, and forget gates that start open (Jozefowicz et al., ICML 2015): both biases of an
  /// LSTM layer are added, so their forget quarter becomes 2, as nussl has it.
  void initialise() {
    const torch::NoGradGuard no_gradient;
    for (auto& item : rnn_->named_parameters()) {
      Tensor& value = item.value();
      if (value.dim() > 1) {
        torch::nn::init::xavier_normal_(value);
        continue;
      }
      value.zero_();
      value.narrow(0, config_.hidden, config_.hidden).fill_(1);  // gates: input, forget, cell, output
    }
    torch::nn::init::xavier_normal_(linear_->weight);
    torch::nn::init::zeros_(linear_->bias);
  }

  MaskInferenceConfig config_;
  torch::nn::BatchNorm1d norm_{nullptr};
  torch::nn::LSTM rnn_{nullptr};
  std::shared_ptr<nn::Transformer> attention_;
  torch::nn::Linear linear_{nullptr};
};

}  // namespace

MaskInferenceConfig MaskInferenceConfig::of(const Config& config) {
  const Config audio = config.section("audio");
  const Config model = config.section("model");
  MaskInferenceConfig result;
  result.stft = stft_of(audio, {.window = "sqrt_hann", .scaling = "spectrum", .padding = "zeros"});
  result.channels = model.get<std::int64_t>("num_audio_channels", 1);
  result.hidden = model.get<std::int64_t>("hidden_size", 50);
  result.layers = model.get<std::int64_t>("num_layers", 2);
  result.bidirectional = model.get<bool>("bidirectional", true);
  result.dropout = model.get<double>("dropout", 0.3);
  const auto activation = model.get<std::string>("activation", "sigmoid");
  result.softmax = activation == "softmax";
  result.attention_layers = model.get<std::int64_t>("attention_layers", 0);
  result.attention_heads = model.get<std::int64_t>("attention_heads", 4);
  model.refuse_others({});
  if (activation != "sigmoid" && activation != "softmax")
    throw Error{ErrorCode::kUnsupported, fmt::format("unknown activation {}; there are sigmoid and softmax", activation), model.name()};
  model.check_range("num_audio_channels", result.channels, 1, 64);
  model.check_range("hidden_size", result.hidden, 1, 65536);
  model.check_range("num_layers", result.layers, 1, 64);
  model.check_range("attention_layers", result.attention_layers, 0, 64);
  if (!(result.dropout >= 0 && result.dropout < 1)) throw Error{ErrorCode::kFormat, "dropout must be in [0, 1)", model.name()};
  if (result.attention_layers > 0) {
    if (!result.bidirectional)
      throw Error{ErrorCode::kUnsupported, "attention sees the future: it needs bidirectional: true", model.name()};
    if (result.attention_heads < 1 || 2 * result.hidden % result.attention_heads != 0)
      throw Error{ErrorCode::kFormat, "attention_heads must divide 2 · hidden_size", model.name()};
  }
  return result;
}

std::shared_ptr<Model> make_mask_inference(const MaskInferenceConfig& config, ModelTraits traits) {
  traits.any_channels = config.channels == 1;
  return std::make_shared<MaskInference>(config, std::move(traits));
}

}  // namespace unbraid::models
