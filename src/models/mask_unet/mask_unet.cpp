#include "models/mask_unet/mask_unet.hpp"

#include <fmt/format.h>

#include <vector>

#include "models/blstm_path.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

class MaskUnet : public CellMaskModel {
 public:
  MaskUnet(const MaskUnetConfig& config, ModelTraits traits)
      : CellMaskModel(config.masks, std::move(traits)), config_(config), unet_(config.unet, bands() * config.masks.cells) {
    const CellMaskConfig& masks = config.masks;
    const std::int64_t width = config.unet.width, outputs = stems_count() * masks.planes() * masks.channels;
    usual_ = register_parameter("usual", torch::zeros({outputs, 1, bands() * masks.cells}));
    first_ = register_module("first_conv", pointwise(masks.views(), width));
    unet_.register_in(*this);
    for (std::int64_t i = 0; i < config.layers; ++i) {
      time_.push_back(add_path(fmt::format("time_{}", i), false));
      band_.push_back(add_path(fmt::format("band_{}", i), true));
    }
    final_->push_back(tfc_tdf_norm(config.unet.norm, width));
    final_->push_back(tfc_tdf_activation(config.unet.activation));
    final_->push_back(pointwise(width, outputs));
    register_module("final_conv", final_);
  }

 private:
  Tensor network(const Tensor& z) override {
    const CellMaskConfig& masks = config_.masks;
    const std::int64_t columns = z.size(1), batch = z.size(2), multiple = config_.unet.column_multiple();
    Tensor x = z.permute({2, 0, 1, 3, 4}).flatten(3);                             // [batch, views, columns, all cells]
    if (const std::int64_t missing = (multiple - columns % multiple) % multiple)  // the last column stands a little longer
      x = torch::cat({x, x.narrow(2, columns - 1, 1).expand({-1, -1, missing, -1})}, 2);
    x = unet_.forward(
        first_->forward(x.contiguous()), [this](const std::string& name, const Tensor& value) { tap(name, value); },
        [this](const Tensor& inner) { return recurrent(inner); });
    const Tensor raw = (final_->forward(x) + usual_).narrow(2, 0, columns).to(torch::kFloat32);
    return raw.reshape({batch, stems_count(), masks.planes(), masks.channels, columns, bands(), masks.cells})
        .permute({5, 4, 0, 1, 2, 3, 6});
  }

  /// Begins as if it were not there.
  std::shared_ptr<BlstmPath> add_path(const std::string& name, bool batch_first) {
    auto path = register_module(name, std::make_shared<BlstmPath>(unet_.bottleneck_width(), config_.hidden, config_.dropout, batch_first));
    const torch::NoGradGuard no_gradient;
    path->linear->weight.zero_();
    path->linear->bias.zero_();
    return path;
  }

  /// Along time and along frequency, where the U-Net is narrowest: [batch, width, columns, places] → the same.
  Tensor recurrent(const Tensor& x) {
    if (time_.empty()) return x;
    const std::int64_t batch = x.size(0), width = x.size(1), columns = x.size(2), places = x.size(3);
    Tensor y = x.to(torch::kFloat32).permute({2, 0, 3, 1}).contiguous();
    for (std::size_t i = 0; i < time_.size(); ++i) {
      y = time_[i]->forward(y.view({columns, batch * places, width}));
      y = band_[i]->forward(y.view({columns * batch, places, width}));
    }
    y = y.view({columns, batch, places, width}).permute({1, 3, 0, 2}).contiguous();
    tap("recurrent", y);
    return y;
  }

  MaskUnetConfig config_;
  TfcTdfUnet unet_;
  std::vector<std::shared_ptr<BlstmPath>> time_, band_;
  Tensor usual_;
  torch::nn::Conv2d first_{nullptr};
  torch::nn::Sequential final_;
};

}  // namespace

MaskUnetConfig MaskUnetConfig::of(const Config& config) {
  const Config model = config.section("model");
  MaskUnetConfig result{.masks = CellMaskConfig::of(config, model), .unet = TfcTdfConfig::of(model)};
  result.layers = model.get<std::int64_t>("layers", result.layers);
  result.hidden = model.get<std::int64_t>("hidden", result.hidden);
  result.dropout = model.get<double>("dropout", result.dropout);
  model.check_range("layers", result.layers, 0, 64);
  model.check_range("hidden", result.hidden, 1, 65536);
  if (!(result.dropout >= 0 && result.dropout < 1)) throw Error{ErrorCode::kFormat, "dropout must lie between 0 and 1", model.name()};
  model.refuse_others({});
  std::int64_t cells = 0;
  for (const auto& run : result.masks.bands) cells += run.second * result.masks.cells;
  if (const std::int64_t multiple = result.unet.bin_multiple(); cells % multiple != 0)
    throw Error{ErrorCode::kFormat, fmt::format("the bands have {} cells, and these scales need a multiple of {}", cells, multiple),
                model.name()};
  return result;
}

std::shared_ptr<Model> make_mask_unet(const MaskUnetConfig& config, ModelTraits traits) {
  return std::make_shared<MaskUnet>(config, std::move(traits));
}

}  // namespace unbraid::models
