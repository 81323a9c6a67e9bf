#include "models/cell_masks.hpp"

#include <fmt/format.h>

#include <numbers>
#include <string>

#include "models/spectrogram_model.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models {

namespace {

using torch::Tensor;

constexpr double kCompression = 0.2;  // of powers
constexpr double kSilence = 1e-12;    // power that counts as none
constexpr std::int64_t kMostGrids = 64;

/// Mid and side of the last but one axis's left and right; its own inverse. Other numbers of channels stay as they are.
Tensor mid_side(const Tensor& audio) {
  if (audio.size(-2) != 2) return audio;
  const Tensor left = audio.select(-2, 0), right = audio.select(-2, 1);
  return torch::stack({left + right, left - right}, -2) / std::numbers::sqrt2;
}

}  // namespace

CellMaskConfig CellMaskConfig::of(const Config& config, const Config& model) {
  const Config audio = config.section("audio");
  CellMaskConfig result;
  result.stft = stft_of(audio, {.padding = "zeros"});
  result.channels = audio.get<std::int64_t>("num_channels", 2);
  result.cells = model.get<std::int64_t>("cells", result.cells);
  const auto mask = model.get<std::string>("mask", "softmax");
  result.bands = model.get<std::vector<std::pair<std::int64_t, std::int64_t>>>("bands");
  const Config inference = config.section("inference");
  result.grids = inference.get<std::int64_t>("grids", result.grids);
  inference.check_range("grids", result.grids, 1, kMostGrids);
  model.check_range("cells", result.cells, 1, 65536);
  audio.check_range("num_channels", result.channels, 1, 2);
  std::int64_t bins = 0;
  for (const auto& [bins_per_cell, bands] : result.bands) {
    model.check_range("bands", bins_per_cell, 1, result.stft.bins());
    model.check_range("bands", bands, 1, result.stft.bins());
    std::int64_t covered = 0;
    if (__builtin_mul_overflow(bins_per_cell * bands, result.cells, &covered) || __builtin_add_overflow(bins, covered, &bins) ||
        bins > result.stft.bins())
      throw Error{ErrorCode::kFormat, fmt::format("the bands cover more than the {} bins", result.stft.bins()), model.name()};
  }
  if (bins < 1) throw Error{ErrorCode::kFormat, "the bands cover no bins", model.name()};
  if (mask == "matrix") result.mask = Mask::kMatrix;
  else if (mask == "complex") result.mask = Mask::kComplex;
  else if (mask != "softmax")
    throw Error{ErrorCode::kUnsupported, fmt::format("unknown mask {}; there are softmax, matrix and complex", mask), model.name()};
  if (result.mask == Mask::kMatrix && result.channels != 2)
    throw Error{ErrorCode::kFormat, "mask: matrix needs two channels", model.name()};
  return result;
}

CellMaskModel::CellMaskModel(const CellMaskConfig& config, ModelTraits traits)
    : Model(std::move(traits)), config_(config), grid_(config.bands, config.cells, config.stft.bins()) {
  mean_ = register_buffer("mean", torch::zeros({config.views(), bands(), config.cells}));
  scale_ = register_buffer("scale", torch::ones({config.views(), bands(), config.cells}));
}

Tensor CellMaskModel::forward(const Tensor& mix) {
  const std::int64_t frames = mix.size(-1);
  if (frames == 0) return torch::zeros({mix.size(0), kept_.defined() ? kept_.size(0) : stems_count(), mix.size(1), 0}, mix.options());
  const Tensor y = estimate_spectra(mix).transpose(-1, -2);  // torch's [bins, columns]
  return mid_side(config_.stft.inverse(y.flatten(0, 2), frames).view({mix.size(0), y.size(1), mix.size(1), frames}));
}

std::vector<Parameter> CellMaskModel::settings() const {
  return {{.name = "grids",
           .help = "positions of the STFT's grid, evenly spread over a hop, whose results are averaged",
           .value = config_.grids,
           .minimum = 1,
           .maximum = kMostGrids}};
}

Tensor CellMaskModel::separate(const Tensor& mix, const ParameterValues& values, RunContext& run) {
  const std::int64_t grids = values.integer("grids");
  Tensor sum = forward(mix);
  for (std::int64_t i = 1; i < grids; ++i) {
    run.cancel.check();
    const std::int64_t offset = i * config_.stft.hop / grids;
    sum += forward(torch::constant_pad_nd(mix, {offset, 0})).narrow(-1, offset, mix.size(-1));
  }
  return sum / grids;
}

Tensor CellMaskModel::spectra(const Tensor& audio) const {
  const Tensor z = config_.stft.forward(mid_side(audio).flatten(0, -2)).transpose(1, 2);
  std::vector<std::int64_t> shape(audio.sizes().begin(), audio.sizes().end() - 1);
  shape.insert(shape.end(), {z.size(1), z.size(2)});
  return z.view(shape);
}

Tensor CellMaskModel::estimate_spectra(const Tensor& mix) {
  if (mix.size(1) != config_.channels)
    throw Error{ErrorCode::kUsage, fmt::format("{} channels for a model of {}", mix.size(1), config_.channels)};
  const Tensor x = spectra(mix);
  return apply(network((features(x) - mean_.unsqueeze(1).unsqueeze(1)) * scale_.unsqueeze(1).unsqueeze(1)), x);
}

bool CellMaskModel::keep_only(const std::vector<std::size_t>& stems) {
  if (stems.empty() || stems.back() >= traits().stems.size()) return false;
  const bool all = stems.size() == traits().stems.size();
  kept_ = all ? Tensor() : torch::tensor(std::vector<std::int64_t>(stems.begin(), stems.end()));
  return true;
}

void CellMaskModel::fit_input(std::span<const Tensor> mixtures) {
  const torch::NoGradGuard no_gradient;
  std::vector<Tensor> seen;
  for (const Tensor& mix : mixtures) seen.push_back(features(spectra(mix.unsqueeze(0))).flatten(1, 2));
  if (seen.empty()) return;
  const auto [deviation, mean] = torch::std_mean(torch::cat(seen, 1), 1);
  constexpr double kLeastDeviation = 1e-2;  // of the largest: cells that are always silent
  mean_.copy_(mean);
  scale_.copy_(deviation.clamp_min(kLeastDeviation * deviation.max().item<double>()).clamp_min(1e-12).reciprocal());
}

/// Compressed powers in cells: [batch, channels, columns, bins] → [views, columns, batch, bands, cells].
Tensor CellMaskModel::features(const Tensor& x) const {
  Tensor views = x;
  if (config_.channels == 2) views = torch::cat({x, mid_side(x.flatten(2)).view(x.sizes())}, 1);  // left and right again
  const Tensor power = torch::view_as_real(views).square().sum(-1);
  const Tensor level = power.narrow(1, 0, config_.channels).mean({1, 2, 3}, /*keepdim=*/true) + kSilence;
  std::vector<Tensor> parts;
  std::int64_t from = 0;
  for (const auto& [bins_per_cell, bands] : config_.bands) {
    const std::int64_t length = bands * config_.cells * bins_per_cell;
    Tensor part = power.narrow(3, from, length);
    if (bins_per_cell > 1) part = part.unflatten(3, {-1, bins_per_cell}).mean(-1);
    parts.push_back(part.unflatten(3, {bands, config_.cells}));
    from += length;
  }
  const Tensor cells = torch::cat(parts, 3) / level.unsqueeze(-1);
  return (cells + kSilence).pow(kCompression).permute({1, 2, 0, 3, 4});
}

/// raw: [bands, columns, batch, stems, 1 | 2, channels, cells], x [batch, channels, columns, bins]
/// → [batch, stems, channels, columns, bins].
Tensor CellMaskModel::apply(const Tensor& raw, const Tensor& x) const {
  const auto applied = [this](const Tensor& gains, const Tensor& to) {
    return nn::apply_gains(grid_, kept_.defined() ? gains.index_select(3, kept_.to(gains.device())) : gains, to);
  };
  const Tensor first = raw.select(4, 0);
  if (config_.mask == CellMaskConfig::Mask::kSoftmax) return applied(torch::softmax(first, 3), x);
  const Tensor second = raw.select(4, 1), balanced = second - second.mean(3, true);
  if (config_.mask == CellMaskConfig::Mask::kMatrix) return applied(torch::softmax(first, 3), x) + applied(balanced, x.flip(1));
  const Tensor real = first - first.mean(3, true) + 1.0 / static_cast<double>(stems_count());
  const Tensor turned = torch::view_as_real(x);  // i·x
  return applied(real, x) + applied(balanced, torch::complex(-turned.select(-1, 1), turned.select(-1, 0)));
}

}  // namespace unbraid::models
