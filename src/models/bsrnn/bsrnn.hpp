#pragma once
// A band-split recurrent network for all stems at once, small enough for processors (after Luo and Yu, "Music source
// separation with band-split RNN", IEEE/ACM TASLP 2023, and Wang et al.'s dual-path RNN over bands).
//
//   x = W_k z per band;   L × { x ← x + F_t BLSTM over time(LN x);  x ← x + F_k BLSTM over bands(LN x) }
//   raw = V_k tanh(U_k LN x) per band
//
// with the features z of cells and the masks of cell_masks.hpp. It differs from the paper in features and masks of cells instead
// of bins, in one network for all stems, and in shared layers of the usual kind in place of gated ones.
//
// Configuration: cell_masks.hpp; `model` features (64), hidden (64), layers (4), decoder (128: width of V's input), dropout (0: share
// of the LSTMs' outputs that a training step leaves out); `training` instruments: the stems.

#include <memory>

#include "models/cell_masks.hpp"

namespace unbraid::models {

struct BsrnnConfig {
  CellMaskConfig masks;
  std::int64_t features = 64;
  std::int64_t hidden = 64;
  std::int64_t layers = 4;
  std::int64_t decoder = 128;
  double dropout = 0;  ///< share of an LSTM's outputs that a training step leaves out

  static BsrnnConfig of(const Config& config);
};

std::shared_ptr<Model> make_bsrnn(const BsrnnConfig& config, ModelTraits traits);

}  // namespace unbraid::models
