#include "models/open_unmix/open_unmix.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "nn/lstm.hpp"
#include "unbraid/mask/wiener_em.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

struct Target : torch::nn::Module {
  explicit Target(const OpenUnmixConfig& c) : bins(c.max_bin), channels(c.channels) {
    const auto dense = [&](const char* name, std::int64_t in, std::int64_t out) {
      return register_module(name, torch::nn::Linear(torch::nn::LinearOptions(in, out).bias(false)));
    };
    const std::int64_t all_bins = c.stft.bins();
    fc1 = dense("fc1", bins * channels, c.hidden);
    bn1 = register_module("bn1", torch::nn::BatchNorm1d(c.hidden));
    lstm = register_module("lstm", torch::nn::LSTM(torch::nn::LSTMOptions(c.hidden, c.bidirectional ? c.hidden / 2 : c.hidden)
                                                       .num_layers(c.layers)
                                                       .bidirectional(c.bidirectional)
                                                       .dropout(c.layers > 1 ? c.dropout : 0)));
    fc2 = dense("fc2", 2 * c.hidden, c.hidden);
    bn2 = register_module("bn2", torch::nn::BatchNorm1d(c.hidden));
    fc3 = dense("fc3", c.hidden, all_bins * channels);
    bn3 = register_module("bn3", torch::nn::BatchNorm1d(all_bins * channels));
    input_mean = register_parameter("input_mean", torch::zeros({bins}));
    input_scale = register_parameter("input_scale", torch::ones({bins}));
    output_scale = register_parameter("output_scale", torch::ones({all_bins}));
    output_mean = register_parameter("output_mean", torch::ones({all_bins}));
  }

  /// Magnitudes [batch, channels, bins, columns] → gains of the same shape.
  Tensor forward(const Tensor& magnitudes) {
    const std::int64_t columns = magnitudes.size(3), batch = magnitudes.size(0);
    Tensor x = magnitudes.narrow(2, 0, bins).permute({3, 0, 1, 2});
    x = (x + input_mean) * input_scale;
    x = torch::tanh(bn1->forward(fc1->forward(x.reshape({columns * batch, channels * bins})))).unflatten(0, {columns, batch});
    x = torch::cat({x, nn::run_lstm(lstm, x)}, 2).flatten(0, 1);
    x = torch::relu(bn2->forward(fc2->forward(x)));
    x = bn3->forward(fc3->forward(x)).view({columns, batch, channels, -1});
    return torch::relu(x * output_scale + output_mean).permute({1, 2, 3, 0});
  }

  std::int64_t bins, channels;
  torch::nn::Linear fc1{nullptr}, fc2{nullptr}, fc3{nullptr};
  torch::nn::BatchNorm1d bn1{nullptr}, bn2{nullptr}, bn3{nullptr};
  torch::nn::LSTM lstm{nullptr};
  Tensor input_mean, input_scale, output_scale, output_mean;
};

class OpenUnmix : public SpectrogramModel {
 public:
  OpenUnmix(const OpenUnmixConfig& config, ModelTraits traits) : SpectrogramModel(config.stft, std::move(traits)), config_(config) {
    const auto targets = register_module("target_models", std::make_shared<torch::nn::Module>());
    for (const std::string& name : this->traits().stems)
      targets_.push_back(targets->register_module(name, std::make_shared<Target>(config)));
  }

  Tensor estimate_spectra(const Tensor& mix) override {
    const Tensor z = analyse(mix);
    return with_phase(estimates(z), z);
  }

  Tensor magnitudes(const Tensor& audio) const override { return seen(SpectrogramModel::magnitudes(audio)); }

  std::vector<Parameter> settings() const override {
    const std::string paper = "Open-Unmix";
    return {{.name = "niter",
             .help = "rounds of expectation maximisation of the Wiener filter; 0: none",
             .value = config_.iterations,
             .minimum = 0,
             .maximum = 100,
             .source = paper},
            {.name = "softmask",
             .help = "start from the ratio of the estimates instead of the mixture's phase",
             .value = config_.softmask,
             .source = paper},
            {.name = "residual", .help = "add a stem for what the targets leave over", .value = config_.residual, .source = paper},
            {.name = "wiener_win_len",
             .help = "columns that are filtered together; 0: all of a block",
             .unit = "columns",
             .value = config_.window_columns,
             .minimum = 0,
             .maximum = 1e9,
             .source = paper}};
  }

  std::vector<std::string> stems(const ParameterValues& values) const override {
    std::vector<std::string> names = traits().stems;
    if (values.flag("residual")) names.emplace_back("residual");
    return names;
  }

  Tensor separate(const Tensor& mix, const ParameterValues& values, RunContext& run) override {
    const bool residual = values.flag("residual");
    const auto sources = static_cast<std::int64_t>(targets_.size()) + (residual ? 1 : 0);
    const std::int64_t frames = mix.size(-1);
    if (frames == 0) return torch::zeros({mix.size(0), sources, mix.size(1), 0});
    const auto rounds = static_cast<std::size_t>(sources == 1 ? 0 : values.integer("niter"));  // EM needs rivals
    if (rounds == 0 && !residual && !values.flag("softmask")) return forward(mix);

    const Tensor z = analyse(mix);
    const Tensor found = estimates(z);
    const mask::WienerEmOptions options{.iterations = rounds, .softmask = values.flag("softmask"), .residual = residual};
    // [channels, columns, bins] per item, as mask/ has it; excerpts of the columns one after the other.
    const Tensor mixtures = z.transpose(2, 3).contiguous().cpu();
    const Tensor magnitudes = found.transpose(3, 4).contiguous().cpu();
    const std::int64_t columns = z.size(3);
    const std::int64_t excerpt = values.integer("wiener_win_len") > 0 ? values.integer("wiener_win_len") : columns;
    Tensor filtered = torch::empty({z.size(0), sources, z.size(1), columns, z.size(2)}, mixtures.options());
    for (std::int64_t item = 0; item < z.size(0); ++item)
      for (std::int64_t from = 0; from < columns; from += excerpt) {
        run.cancel.check();
        const std::int64_t length = std::min(excerpt, columns - from);
        filtered[item]
            .narrow(2, from, length)
            .copy_(wiener(magnitudes[item].narrow(2, from, length), mixtures[item].narrow(1, from, length), options, run));
      }
    return synthesise(filtered.to(z.device()).transpose(3, 4), frames);
  }

  /// The mean and the deviation of each bin over all columns, the channels averaged, in all targets alike.
  void fit_input(std::span<const Tensor> mixtures) override {
    const torch::NoGradGuard no_gradient;
    constexpr double kLeastDeviation = 1e-4;  // of the largest
    Tensor sum = torch::zeros({config_.max_bin}, torch::kFloat64), squares = sum.clone();
    std::int64_t columns = 0;
    for (const Tensor& mix : mixtures) {
      const Tensor x = SpectrogramModel::magnitudes(mix).mean(0).narrow(0, 0, config_.max_bin).to(torch::kFloat64).cpu();
      sum += x.sum(1);
      squares += x.square().sum(1);
      columns += x.size(1);
    }
    if (columns == 0) return;
    const Tensor mean = sum / columns;
    Tensor deviation = (squares / columns - mean.square()).clamp_min(0).sqrt();
    deviation = deviation.clamp_min(kLeastDeviation * deviation.max().item<double>()).clamp_min(1e-12);
    for (const auto& target : targets_) {
      target->input_mean.copy_(-mean);
      target->input_scale.copy_(deviation.reciprocal());
    }
  }

 protected:
  Tensor masks(const Tensor& magnitudes) override {
    std::vector<Tensor> gains;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      gains.push_back(targets_[i]->forward(magnitudes));
      tap(traits().stems[i] + "_spectrogram", (gains.back() * magnitudes).squeeze(0));
    }
    return torch::stack(gains, 1);
  }

 private:
  /// What the networks see of magnitudes [..., channels, bins, columns].
  Tensor seen(const Tensor& magnitudes) const { return config_.channels == 1 ? magnitudes.mean(-3, /*keepdim=*/true) : magnitudes; }

  /// [batch, targets, channels seen, bins, columns].
  Tensor estimates(const Tensor& z) {
    if (config_.channels > 1 && z.size(1) != config_.channels)
      throw Error{ErrorCode::kUsage, fmt::format("{} channels for a model of {}", z.size(1), config_.channels)};
    const Tensor magnitudes = seen(z.abs());
    return masks(magnitudes) * magnitudes.unsqueeze(1);
  }

  static Tensor with_phase(const Tensor& magnitudes, const Tensor& z) {
    const Tensor phase = z.angle().unsqueeze(1);
    return torch::complex(magnitudes * phase.cos(), magnitudes * phase.sin());
  }

  /// magnitudes [targets, channels seen, columns, bins], mixture [channels, columns, bins] → [sources, channels, …].
  static Tensor wiener(const Tensor& magnitudes, const Tensor& mixture, const mask::WienerEmOptions& options, RunContext& run) {
    const auto size = [](const Tensor& t, int axis) { return static_cast<std::size_t>(t.size(axis)); };
    dsp::Spectrogram<float> x(size(mixture, 0), size(mixture, 1), size(mixture, 2));
    std::copy_n(mixture.contiguous().data_ptr<c10::complex<float>>(), x.size(), reinterpret_cast<c10::complex<float>*>(x.values().data()));
    std::vector<dsp::Magnitudes<float>> v;
    for (std::int64_t j = 0; j < magnitudes.size(0); ++j) {
      const Tensor from = magnitudes[j].contiguous();
      std::copy_n(from.data_ptr<float>(), from.numel(), v.emplace_back(size(from, 0), size(from, 1), size(from, 2)).values().data());
    }
    const std::vector<dsp::Spectrogram<float>> y = mask::wiener_em<float>(v, x, options, run);
    std::vector<std::int64_t> shape = mixture.sizes().vec();
    shape.insert(shape.begin(), static_cast<std::int64_t>(y.size()));
    Tensor result = torch::empty(shape, mixture.options());
    for (std::size_t j = 0; j < y.size(); ++j)
      std::copy_n(reinterpret_cast<const c10::complex<float>*>(y[j].values().data()), y[j].size(),
                  result[static_cast<std::int64_t>(j)].data_ptr<c10::complex<float>>());
    return result;
  }

  OpenUnmixConfig config_;
  std::vector<std::shared_ptr<Target>> targets_;
};

}  // namespace

OpenUnmixConfig OpenUnmixConfig::of(const Config& config) {
  const Config audio = config.section("audio");
  const Config model = config.section("model");
  const Config inference = config.section("inference");
  OpenUnmixConfig result;
  result.stft = stft_of(audio, {});
  result.channels = model.get<std::int64_t>("nb_channels", 2);
  result.hidden = model.get<std::int64_t>("hidden_size", 512);
  result.layers = model.get<std::int64_t>("num_layers", 3);
  result.bidirectional = model.get<bool>("bidirectional", true);
  result.dropout = model.get<double>("dropout", 0.4);
  result.max_bin = model.get<std::int64_t>("max_bin", result.stft.bins());
  model.refuse_others({});
  result.iterations = inference.get<std::int64_t>("niter", 1);
  result.softmask = inference.get<bool>("softmask", false);
  result.residual = inference.get<bool>("residual", false);
  result.window_columns = inference.get<std::int64_t>("wiener_win_len", 300);
  model.check_range("nb_channels", result.channels, 1, 64);
  model.check_range("hidden_size", result.hidden, 2, 65536);
  model.check_range("num_layers", result.layers, 1, 64);
  model.check_range("max_bin", result.max_bin, 1, result.stft.bins());
  inference.check_range("niter", result.iterations, 0, 100);
  inference.check_range("wiener_win_len", result.window_columns, 0, 1'000'000'000);
  if (result.bidirectional && result.hidden % 2 != 0) throw Error{ErrorCode::kFormat, "hidden_size must be even", model.name()};
  if (!(result.dropout >= 0 && result.dropout < 1)) throw Error{ErrorCode::kFormat, "dropout must be in [0, 1)", model.name()};
  return result;
}

std::shared_ptr<Model> make_open_unmix(const OpenUnmixConfig& config, ModelTraits traits) {
  for (const std::string& stem : traits.stems)
    if (stem.empty() || stem.find('.') != std::string::npos)
      throw Error{ErrorCode::kFormat, "a target's name may not be empty or hold a dot", stem};
  if (config.channels > 1 && config.channels != traits.channels)
    throw Error{ErrorCode::kFormat, "model.nb_channels must be 1 or audio.num_channels"};
  traits.any_channels = config.channels == 1;
  return std::make_shared<OpenUnmix>(config, std::move(traits));
}

}  // namespace unbraid::models
