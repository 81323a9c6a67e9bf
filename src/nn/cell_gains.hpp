#pragma once
// Real gains of cells of neighbouring bins, applied to a spectrogram for several stems at once.
//
//   const nn::CellGrid grid({{1, 8}, {2, 4}}, /*cells=*/32, /*bins=*/513);       // 8 bands of 32 bins, 4 of 64, and the rest
//   torch::Tensor y = nn::apply_gains(grid, gains, x);
//
// A mask per bin would be many times the size of all else that a network computes; on the CPU none is made.

#include <torch/torch.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace unbraid::nn {

/// Bands of equally many cells each; a cell is some neighbouring bins.
class CellGrid {
 public:
  /// runs: bins per cell, and how many bands of such cells, from bin 0 upwards. Bins above them are of the last cell.
  CellGrid(const std::vector<std::pair<std::int64_t, std::int64_t>>& runs, std::int64_t cells, std::int64_t bins);

  std::int64_t bands() const { return (edges_.size(0) - 1) / cells_; }
  /// Cell i, counted through all bands, is the bins [edges[i], edges[i + 1]): int64 [bands · cells + 1].
  const torch::Tensor& edges() const { return edges_; }
  /// The cell of every bin, [bins], counted through all bands.
  torch::Tensor cell_of_bin() const;

 private:
  std::int64_t cells_;
  torch::Tensor edges_;
};

/// gains [bands, columns, batch, stems, channels, cells], x complex [batch, channels, columns, bins]
/// → complex [batch, stems, channels, columns, bins]. Differentiable in the gains alone.
torch::Tensor apply_gains(const CellGrid& grid, const torch::Tensor& gains, const torch::Tensor& x);

}  // namespace unbraid::nn
