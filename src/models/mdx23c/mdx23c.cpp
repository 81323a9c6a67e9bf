#include "models/mdx23c/mdx23c.hpp"

#include <fmt/format.h>

#include <string>

#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

class Mdx23c : public Model {
 public:
  Mdx23c(Mdx23cConfig config, ModelTraits traits)
      : Model(std::move(traits)),
        config_(std::move(config)),
        first_(pointwise(folded(), config_.unet.width)),
        unet_(config_.unet, config_.bins / config_.subbands) {
    const auto stems = static_cast<std::int64_t>(this->traits().stems.size());
    const std::int64_t width = config_.unet.width;
    register_module("first_conv", first_);
    unet_.register_in(*this);
    final_->push_back(pointwise(width + folded(), width));
    final_->push_back(tfc_tdf_activation(config_.unet.activation));
    final_->push_back(pointwise(width, stems * folded()));
    register_module("final_conv", final_);
  }

  Tensor forward(const Tensor& mix) override {
    const Tensor spectrum = fold(analyse(mix));
    check_columns(spectrum.size(-1), mix.size(-1));
    const Tensor first = first_->forward(spectrum);
    tap("first_conv", first);
    Tensor x = first.transpose(-1, -2);  // [batch, channels, time, bins]: dense layers act on bins
    x = unet_.forward(x, [this](const std::string& name, const Tensor& value) { tap(name, value); });
    x = x.transpose(-1, -2) * first;  // the paper's guard against artifacts: silence stays silence
    return synthesise(unfold(final_->forward(torch::cat({spectrum, x}, 1))), mix.size(0));
  }

 private:
  std::int64_t folded() const { return config_.subbands * config_.channels * 2; }
  /// Every scale divides the columns; what is left over then is missing on the way up.
  void check_columns(std::int64_t columns, std::int64_t frames) const {
    if (const std::int64_t multiple = config_.unet.column_multiple(); columns % multiple != 0)
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
  torch::nn::Conv2d first_;
  TfcTdfUnet unet_;
  torch::nn::Sequential final_;
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
  result.unet = TfcTdfConfig::of(model);
  model.refuse_others({});
  audio.check_range("n_fft", result.stft.n_fft, 4, 1 << 20);
  audio.check_range("hop_length", result.stft.hop, 1, result.stft.n_fft);
  audio.check_range("num_channels", result.channels, 1, 64);
  audio.check_range("dim_f", result.bins, 1, result.stft.n_fft / 2 + 1);
  model.check_range("num_subbands", result.subbands, 1, result.bins);
  if (const std::int64_t multiple = result.subbands * result.unet.bin_multiple(); result.bins % multiple != 0)
    throw Error{ErrorCode::kFormat,
                fmt::format("audio.dim_f is {}, and these scales and sub-bands need a multiple of {}", result.bins, multiple),
                config.name()};
  return result;
}

std::shared_ptr<Model> make_mdx23c(const Mdx23cConfig& config, ModelTraits traits) {
  return std::make_shared<Mdx23c>(config, std::move(traits));
}

}  // namespace unbraid::models
