#pragma once
// What networks share that hear powers of cells (some neighbouring bins each) and give every stem a share of mid and side.
//
//   P = power of mid, side, left, right in cells of g bins    (g grows with frequency, so that bands have equally many)
//   z = (P / mean P)^0.2, each cell with the mean and deviation of the training data taken off
//   raw = network(z)
//
// Masks act on mid and side, M = (L + R)/√2, S = (L − R)/√2, each constant over the bins of a cell, and add up to one, so
// the stems add up to the mixture:
//   softmax  ŝⱼ = mⱼ ⊙ X, real, by softmax over the stems
//   matrix   the same, and what passes from mid to side and back: ŝⱼ = [m c; d m] X, Σⱼ c = Σⱼ d = 0 (stereo only)
//   complex  ŝⱼ = mⱼ ⊙ X, complex
//
// Configuration: `audio` n_fft, hop_length, window (hann), padding (zeros), sample_rate, num_channels (1 | 2); `model` bands (pairs of bins
// per cell, and how many bands of such cells), cells (16, per band), mask (softmax); `inference` grids (1).
//
// Separating with G grids averages G runs, each on the recording moved by a further hop/G: more places where masks may
// change, and errors that differ from run to run.

#include <utility>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"
#include "nn/cell_gains.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

struct CellMaskConfig {
  enum class Mask { kSoftmax, kMatrix, kComplex };

  nn::TorchStft stft;
  std::int64_t channels = 2;
  std::vector<std::pair<std::int64_t, std::int64_t>> bands;  ///< bins per cell, and bands of such cells, as nn::CellGrid
  std::int64_t cells = 16;                                   ///< per band
  Mask mask = Mask::kSoftmax;
  std::int64_t grids = 1;

  /// The keys above; model: its section, which the caller reads on. kFormat, kUnsupported.
  static CellMaskConfig of(const Config& config, const Config& model);

  std::int64_t views() const { return channels == 2 ? 4 : channels; }     ///< powers of a cell
  std::int64_t planes() const { return mask == Mask::kSoftmax ? 1 : 2; }  ///< numbers of a mask
};

class CellMaskModel : public Model {
 public:
  CellMaskModel(const CellMaskConfig& config, ModelTraits traits);

  torch::Tensor forward(const torch::Tensor& mix) override;
  std::vector<Parameter> settings() const override;
  torch::Tensor separate(const torch::Tensor& mix, const ParameterValues& values, RunContext& run) override;

  bool has_spectra() const override { return true; }
  /// Of mid and side: [..., channels, frames] → [..., channels, columns, bins].
  torch::Tensor spectra(const torch::Tensor& audio) const override;
  torch::Tensor estimate_spectra(const torch::Tensor& mix) override;

  /// Masks of all stems are computed, but only these are applied and brought back to time.
  bool keep_only(const std::vector<std::size_t>& stems) override;

  /// The mean and the deviation of every cell's features.
  void fit_input(std::span<const torch::Tensor> mixtures) override;

 protected:
  /// z [views, columns, batch, bands, cells] → raw float32 [bands, columns, batch, stems, planes, channels, cells].
  virtual torch::Tensor network(const torch::Tensor& z) = 0;

  std::int64_t bands() const { return grid_.bands(); }
  std::int64_t stems_count() const { return static_cast<std::int64_t>(traits().stems.size()); }

 private:
  torch::Tensor features(const torch::Tensor& x) const;
  torch::Tensor apply(const torch::Tensor& raw, const torch::Tensor& x) const;

  CellMaskConfig config_;
  nn::CellGrid grid_;
  torch::Tensor mean_, scale_;
  torch::Tensor kept_;  ///< stems that forward() gives, by index; undefined: all
};

}  // namespace unbraid::models
