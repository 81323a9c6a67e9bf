#pragma once
// A band-split recurrent network for all stems at once, small enough for processors (after Luo and Yu, "Music source
// separation with band-split RNN", IEEE/ACM TASLP 2023, and Wang et al.'s dual-path RNN over bands).
//
//   P = power of mid, side, left, right in cells of g bins    (g grows with frequency, so that bands have equally many)
//   z = (P / mean P)^0.2, each cell with the mean and deviation of the training data taken off
//   x = W_k z per band k;   L × { x ← x + F_t BLSTM over time(LN x);  x ← x + F_k BLSTM over bands(LN x) }
//   masks = V_k tanh(U_k LN x) per band
//
// Masks act on mid and side, M = (L + R)/√2, S = (L − R)/√2, each constant over the bins of a cell, and add up to one, so
// the stems add up to the mixture:
//   softmax  ŝⱼ = mⱼ ⊙ X, real, by softmax over the stems
//   matrix   the same, and what passes from mid to side and back: ŝⱼ = [m c; d m] X, Σⱼ c = Σⱼ d = 0 (stereo only)
//   complex  ŝⱼ = mⱼ ⊙ X, complex
//
// It differs from the paper in features and masks of cells instead of bins, in one network for all stems, and in shared
// layers of the usual kind in place of gated ones.
//
// Configuration: `audio` n_fft, hop_length, window (hann), padding (zeros), sample_rate, num_channels (1 | 2); `model` bands (pairs of bins
// per cell, and how many bands of such cells), cells (16, per band), features (64), hidden (64), layers (4),
// decoder (128: width of V's input), mask (softmax), dropout (0: share of the LSTMs' outputs that a training step leaves out);
// `inference` grids (1); `training` instruments: the stems.
//
// Separating with G grids averages G runs, each on the recording moved by a further hop/G: more places where masks may
// change, and errors that differ from run to run.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"
#include "nn/stft.hpp"

namespace unbraid::models {

struct BsrnnConfig {
  enum class Mask { kSoftmax, kMatrix, kComplex };

  nn::TorchStft stft;
  std::int64_t channels = 2;
  std::vector<std::pair<std::int64_t, std::int64_t>> bands;  ///< bins per cell, and bands of such cells, as nn::CellGrid
  std::int64_t cells = 16;  ///< per band
  std::int64_t features = 64;
  std::int64_t hidden = 64;
  std::int64_t layers = 4;
  std::int64_t decoder = 128;
  double dropout = 0;  ///< share of an LSTM's outputs that a training step leaves out
  Mask mask = Mask::kSoftmax;
  std::int64_t grids = 1;

  static BsrnnConfig of(const Config& config);
};

std::shared_ptr<Model> make_bsrnn(const BsrnnConfig& config, ModelTraits traits);

}  // namespace unbraid::models
