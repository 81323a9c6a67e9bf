#include "models/cunet/cunet.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "models/spectrogram_model.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;
namespace F = torch::nn::functional;

/// Convolution and batch norm; the activation is left to the caller, who may put FiLM between.
struct Block : torch::nn::Module {
  Block(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
    conv = register_module("conv",
                           torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false)));
    norm = register_module("norm", torch::nn::BatchNorm2d(out));
  }
  Tensor forward(const Tensor& x) { return norm->forward(conv->forward(x)); }
  torch::nn::Conv2d conv{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
};

struct Film : torch::nn::Module {
  Film(std::int64_t stems, std::int64_t hidden, std::int64_t channels) {
    if (hidden > 0) {
      first = register_module("hidden", torch::nn::Linear(stems, hidden));
      stems = hidden;
    }
    last = register_module("gamma_beta", torch::nn::Linear(stems, 2 * channels));
    const torch::NoGradGuard no_gradient;  // untrained, it changes next to nothing: γ about 1, β about 0
    last->bias.narrow(0, 0, channels).fill_(1);
    last->bias.narrow(0, channels, channels).zero_();
  }
  Tensor forward(const Tensor& x, const Tensor& condition) {
    const Tensor z = first ? torch::relu(first->forward(condition)) : condition;
    const std::vector<Tensor> parts = last->forward(z).unsqueeze(2).unsqueeze(3).chunk(2, 1);
    return parts[0] * x + parts[1];
  }
  torch::nn::Linear first{nullptr}, last{nullptr};
};

class Cunet : public Model {
 public:
  Cunet(const CunetConfig& config, ModelTraits traits) : Model(std::move(traits)), c_(config) {
    const std::int64_t planes = 2 * c_.channels;
    std::vector<std::int64_t> widths{planes};
    for (std::int64_t i = 0; i < c_.depth; ++i) widths.push_back(c_.filters << i);
    const auto width = [&](std::int64_t i) { return widths[static_cast<std::size_t>(i)]; };
    for (std::int64_t i = 0; i < c_.depth; ++i) {
      encoder_->push_back(std::make_shared<Block>(width(i), width(i + 1), c_.kernel, 2));
      if (has_film(i)) films_->push_back(std::make_shared<Film>(stem_count(), c_.condition_hidden, width(i + 1)));
    }
    for (std::int64_t i = c_.depth; i-- > 0;)
      decoder_->push_back(std::make_shared<Block>(width(i + 1) + width(i), i > 0 ? width(i) : c_.filters, c_.kernel, 1));
    register_module("encoder", encoder_);
    register_module("film", films_);
    register_module("decoder", decoder_);
    output_ = register_module("output", torch::nn::Conv2d(c_.filters, planes, 1));
  }

  Tensor forward(const Tensor& mix) override {
    const std::int64_t batch = mix.size(0);
    const Tensor conditions = torch::eye(stem_count(), mix.options()).repeat({batch, 1});
    return run(mix, conditions).unflatten(0, {batch, stem_count()});
  }

  bool conditioned() const override { return true; }
  Tensor forward_conditioned(const Tensor& mix, const Tensor& condition) override {
    if (condition.dim() != 2 || condition.size(0) != mix.size(0) || condition.size(1) != stem_count())
      throw Error{ErrorCode::kInternal, fmt::format("a condition needs one weight for each of the {} stems", stem_count())};
    return run(mix, condition);
  }

  std::vector<Parameter> settings() const override {
    return {{.name = "condition",
             .help = fmt::format("what to separate: a stem, or a weighted mix such as {}=1,{}=0.5; empty: all stems, one by one",
                                 traits().stems.front(), traits().stems.back()),
             .value = std::string(),
             .source = "seed 003"}};
  }
  std::vector<std::string> stems(const ParameterValues& values) const override {
    const std::string& text = values.text("condition");
    if (text.empty()) return traits().stems;
    const std::vector<float> weights = parse_condition(text, traits().stems);
    std::vector<std::string> asked;
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (weights[i] != 0) asked.push_back(traits().stems[i]);
    return {fmt::format("{}", fmt::join(asked, "+"))};
  }
  Tensor separate(const Tensor& mix, const ParameterValues& values, RunContext&) override {
    const std::string& text = values.text("condition");
    if (text.empty()) return forward(mix);
    const std::vector<float> weights = parse_condition(text, traits().stems);
    return run(mix, torch::tensor(weights, mix.options()).repeat({mix.size(0), 1})).unsqueeze(1);
  }

 private:
  std::int64_t stem_count() const { return static_cast<std::int64_t>(traits().stems.size()); }
  bool has_film(std::int64_t block) const { return c_.film_everywhere || block + 1 == c_.depth; }

  /// mix [batch, channels, frames], conditions [batch·k, stems] → [batch·k, channels, frames].
  Tensor run(const Tensor& mix, const Tensor& conditions) {
    const std::int64_t batch = mix.size(0), channels = mix.size(1), frames = mix.size(2);
    if (channels != c_.channels) throw Error{ErrorCode::kUsage, fmt::format("{} channels for a model of {}", channels, c_.channels)};
    if (frames == 0) return torch::zeros({conditions.size(0), channels, 0}, mix.options());
    const std::int64_t copies = conditions.size(0) / batch, half = c_.stft.n_fft / 2;
    const Tensor z = c_.stft.forward(mix.flatten(0, 1)).unflatten(0, {batch, channels});  // [batch, channels, bins, columns]
    // Real and imaginary parts as planes, without the highest bin: powers of two halve well.
    Tensor x = torch::view_as_real(z.narrow(2, 0, half)).permute({0, 1, 4, 2, 3}).flatten(1, 2);
    const std::int64_t unit = std::int64_t{1} << c_.depth, columns = x.size(3);
    x = torch::constant_pad_nd(x, {0, (unit - columns % unit) % unit, 0, (unit - half % unit) % unit});
    Tensor y = network(x, conditions, copies).narrow(2, 0, half).narrow(3, 0, columns);
    y = y.unflatten(1, {channels, 2}).permute({0, 1, 3, 4, 2});  // [batch·k, channels, bins, columns, 2]
    Tensor spectrum;
    if (c_.output == "mapping") {
      spectrum = torch::view_as_complex(torch::constant_pad_nd(y, {0, 0, 0, 0, 0, 1}).contiguous());
    } else {
      // The highest bin is masked like its neighbour.
      const Tensor mask = torch::tanh(torch::cat({y, y.narrow(2, half - 1, 1)}, 2)).contiguous();
      const Tensor mixture = copies > 1 ? z.repeat_interleave(copies, 0) : z;
      spectrum = c_.output == "complex_mask" ? torch::view_as_complex(mask) * mixture
                                             : torch::view_as_complex((mask * torch::view_as_real(mixture)).contiguous());
    }
    return c_.stft.inverse(spectrum.flatten(0, 1), frames).unflatten(0, {conditions.size(0), channels});
  }

  /// [batch, planes, bins, columns] → [batch·copies, planes, bins, columns]. Blocks before the first FiLM do not depend
  /// on the condition, and run once for all copies.
  Tensor network(Tensor x, const Tensor& conditions, std::int64_t copies) {
    std::vector<Tensor> skips{x};
    const auto spread = [&](const Tensor& t) { return copies > 1 && t.size(0) != conditions.size(0) ? t.repeat_interleave(copies, 0) : t; };
    std::size_t film = 0;
    for (std::int64_t i = 0; i < c_.depth; ++i) {
      Tensor y = encoder_[static_cast<std::size_t>(i)]->as<Block>()->forward(x);
      if (has_film(i)) y = films_[film++]->as<Film>()->forward(spread(y), conditions);
      x = torch::relu(y);
      skips.push_back(x);
    }
    skips.pop_back();
    const auto twice = F::InterpolateFuncOptions().scale_factor(std::vector<double>{2, 2}).mode(torch::kBilinear).align_corners(false);
    for (const auto& block : *decoder_) {
      x = torch::relu(block->as<Block>()->forward(torch::cat({F::interpolate(x, twice), spread(skips.back())}, 1)));
      skips.pop_back();
    }
    return output_->forward(x);
  }

  CunetConfig c_;
  torch::nn::ModuleList encoder_, films_, decoder_;
  torch::nn::Conv2d output_{nullptr};
};

}  // namespace

std::vector<float> parse_condition(const std::string& text, const std::vector<std::string>& stems) {
  std::vector<float> weights(stems.size(), 0.0F);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const auto stem = std::ranges::find(stems, name);
    if (stem == stems.end())
      throw Error{ErrorCode::kUsage, fmt::format("no stem {}; there are {}", name, fmt::join(stems, ", ")), "condition"};
    float weight = 1;
    if (equals != std::string_view::npos) {
      const std::string_view number = part.substr(equals + 1);
      const auto [end, status] = std::from_chars(number.data(), number.data() + number.size(), weight);
      if (status != std::errc{} || end != number.data() + number.size() || !std::isfinite(weight))
        throw Error{ErrorCode::kUsage, fmt::format("'{}' is no weight", number), "condition"};
    }
    weights[static_cast<std::size_t>(stem - stems.begin())] = weight;
  }
  if (std::ranges::all_of(weights, [](float w) { return w == 0; }))
    throw Error{ErrorCode::kUsage, "at least one stem needs a weight", "condition"};
  return weights;
}

CunetConfig CunetConfig::of(const Config& config) {
  const Config audio = config.section("audio");
  const Config model = config.section("model");
  CunetConfig result;
  result.stft = stft_of(audio, {.scaling = "unitary"});
  result.channels = audio.get<std::int64_t>("num_channels", 2);
  result.depth = model.get<std::int64_t>("depth", 6);
  result.filters = model.get<std::int64_t>("filters", 16);
  result.kernel = model.get<std::int64_t>("kernel", 5);
  const auto film = model.get<std::string>("film", "bottleneck");
  result.film_everywhere = film == "all";
  result.condition_hidden = model.get<std::int64_t>("condition_hidden", 0);
  result.output = model.get<std::string>("output", "complex_mask");
  model.refuse_others({});
  model.check_range("depth", result.depth, 1, 12);
  model.check_range("filters", result.filters, 1, 4096);
  model.check_range("kernel", result.kernel, 1, 31);
  model.check_range("condition_hidden", result.condition_hidden, 0, 65536);
  if (result.kernel % 2 == 0) throw Error{ErrorCode::kUnsupported, "kernel must be odd", model.name()};
  if (film != "bottleneck" && film != "all")
    throw Error{ErrorCode::kUnsupported, fmt::format("unknown film {}; there are bottleneck and all", film), model.name()};
  if (result.output != "complex_mask" && result.output != "channel_mask" && result.output != "mapping")
    throw Error{ErrorCode::kUnsupported, fmt::format("unknown output {}; there are complex_mask, channel_mask and mapping", result.output),
                model.name()};
  return result;
}

std::shared_ptr<Model> make_cunet(const CunetConfig& config, ModelTraits traits) {
  return std::make_shared<Cunet>(config, std::move(traits));
}

}  // namespace unbraid::models
