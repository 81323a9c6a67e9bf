#pragma once
// A U-Net for all stems at once that gives masks (after Jansson et al., "Singing voice separation with deep U-Net
// convolutional networks", ISMIR 2017), of the TFC-TDF blocks in tfc_tdf.hpp, over the cells and with the masks of
// cell_masks.hpp.
//
//   x = W z;  x ← U-Net(x);  raw = V norm(x) + b_k      b_k: per cell k, stem and channel, what is usual there
//
// With `layers` pairs of BLSTMs behind the U-Net's bottleneck (blstm_path.hpp; as DTTNet: Chen, Vekkot, Shukla, "Music source separation
// based on a lightweight deep learning framework", ICASSP 2024), one along time and one along frequency, it hears whole blocks
// for little: the bottleneck has 4^-num_scales of the places, with scales of 2.
//
// Cells widen with frequency, so that the U-Net's second axis is close to a logarithmic one: a pattern of partials keeps its shape
// when the pitch changes, and the whole spectrum costs little more than its lowest octaves. Shares that add up to one learn from the
// first step on, where a U-Net that draws the stems' spectra begins with silence.
//
// Configuration: cell_masks.hpp; `model` num_scales, scale, num_blocks_per_scale, num_channels, growth, bottleneck_factor,
// norm, act as of MDX23C, layers (0), hidden (48), dropout (0); `training` instruments: the stems.

#include <memory>

#include "models/cell_masks.hpp"
#include "models/tfc_tdf.hpp"

namespace unbraid::models {

struct MaskUnetConfig {
  CellMaskConfig masks;
  TfcTdfConfig unet;
  std::int64_t layers = 0;   ///< pairs of BLSTMs behind the bottleneck
  std::int64_t hidden = 48;  ///< their units in each direction
  double dropout = 0;        ///< of what each BLSTM gives, in training

  static MaskUnetConfig of(const Config& config);
};

std::shared_ptr<Model> make_mask_unet(const MaskUnetConfig& config, ModelTraits traits);

}  // namespace unbraid::models
