#include "models/bsrnn/bsrnn.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

#include "models/blstm_path.hpp"
#include "nn/norms.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

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

class Bsrnn : public CellMaskModel {
 public:
  Bsrnn(const BsrnnConfig& config, ModelTraits traits) : CellMaskModel(config.masks, std::move(traits)), config_(config) {
    const CellMaskConfig& masks = config.masks;
    encoder_ = register_module("encoder", std::make_shared<BandLinear>(bands(), masks.views() * masks.cells, config.features));
    for (std::int64_t i = 0; i < config.layers; ++i) {
      time_.push_back(
          register_module(fmt::format("time_{}", i), std::make_shared<BlstmPath>(config.features, config.hidden, config.dropout, false)));
      band_.push_back(
          register_module(fmt::format("band_{}", i), std::make_shared<BlstmPath>(config.features, config.hidden, config.dropout, true)));
    }
    norm_ = register_module("norm", nn::LayerNorm(torch::nn::LayerNormOptions({config.features})));
    widen_ = register_module("widen", std::make_shared<BandLinear>(bands(), config.features, config.decoder));
    decoder_ = register_module(
        "decoder", std::make_shared<BandLinear>(bands(), config.decoder, stems_count() * masks.planes() * masks.channels * masks.cells));
  }

 private:
  Tensor network(const Tensor& z) override {
    const std::int64_t columns = z.size(1), batch = z.size(2);
    Tensor y = encoder_->forward(z.permute({3, 1, 2, 0, 4}).flatten(3).flatten(1, 2));  // [bands, columns·batch, features]
    y = y.transpose(0, 1).to(torch::kFloat32).contiguous();                             // [columns·batch, bands, features]
    for (std::size_t i = 0; i < time_.size(); ++i) {
      y = time_[i]->forward(y.view({columns, batch * bands(), -1})).view({columns * batch, bands(), -1});
      y = band_[i]->forward(y);
    }
    y = torch::tanh(widen_->forward(norm_->forward(y).transpose(0, 1)));
    return decoder_->forward(y)
        .to(torch::kFloat32)
        .view({bands(), columns, batch, stems_count(), config_.masks.planes(), config_.masks.channels, config_.masks.cells});
  }

  BsrnnConfig config_;
  std::shared_ptr<BandLinear> encoder_, widen_, decoder_;
  std::vector<std::shared_ptr<BlstmPath>> time_, band_;
  nn::LayerNorm norm_{nullptr};
};

}  // namespace

BsrnnConfig BsrnnConfig::of(const Config& config) {
  const Config model = config.section("model");
  BsrnnConfig result;
  result.masks = CellMaskConfig::of(config, model);
  result.features = model.get<std::int64_t>("features", result.features);
  result.hidden = model.get<std::int64_t>("hidden", result.hidden);
  result.layers = model.get<std::int64_t>("layers", result.layers);
  result.decoder = model.get<std::int64_t>("decoder", result.decoder);
  result.dropout = model.get<double>("dropout", 0.0);
  model.refuse_others({});
  for (const auto& [key, value] : {std::pair{"features", result.features}, {"hidden", result.hidden}, {"decoder", result.decoder}})
    model.check_range(key, value, 1, 65536);
  model.check_range("layers", result.layers, 1, 64);
  if (!(result.dropout >= 0 && result.dropout < 1)) throw Error{ErrorCode::kFormat, "dropout must lie between 0 and 1", model.name()};
  return result;
}

std::shared_ptr<Model> make_bsrnn(const BsrnnConfig& config, ModelTraits traits) {
  return std::make_shared<Bsrnn>(config, std::move(traits));
}

}  // namespace unbraid::models
