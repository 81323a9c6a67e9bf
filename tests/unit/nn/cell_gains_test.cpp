#include "nn/cell_gains.hpp"

#include <gtest/gtest.h>

#include "unbraid/core/error.hpp"

namespace unbraid::nn {
namespace {

using torch::Tensor;

TEST(CellGrid, CoversEveryBin) {
  const CellGrid grid({{1, 2}, {3, 1}}, /*cells=*/2, /*bins=*/12);  // 4 bins of their own, two cells of 3, two bins left
  EXPECT_EQ(grid.bands(), 3);
  EXPECT_TRUE(torch::equal(grid.edges(), torch::tensor({0, 1, 2, 3, 4, 7, 12}, torch::kInt64)));
  EXPECT_TRUE(torch::equal(grid.cell_of_bin(), torch::tensor({0, 1, 2, 3, 4, 4, 4, 5, 5, 5, 5, 5}, torch::kInt64)));
  EXPECT_THROW(CellGrid({{3, 2}}, 2, 11), Error);
  EXPECT_THROW(CellGrid({}, 2, 11), Error);
}

TEST(ApplyGains, EqualsAMaskPerBin) {
  torch::manual_seed(2);
  const CellGrid grid({{1, 2}, {2, 3}}, 4, 33);
  const Tensor x = torch::complex(torch::randn({2, 2, 5, 33}), torch::randn({2, 2, 5, 33}));
  const Tensor gains = torch::randn({5, 5, 2, 3, 2, 4}, torch::requires_grad());
  const Tensor of_y = torch::complex(torch::randn({2, 3, 2, 5, 33}), torch::randn({2, 3, 2, 5, 33}));

  const Tensor y = apply_gains(grid, gains, x);
  torch::view_as_real(y).mul(torch::view_as_real(of_y)).sum().backward();
  const Tensor gradient = gains.grad().clone();
  gains.mutable_grad() = Tensor();

  const Tensor per_bin = gains.permute({2, 3, 4, 1, 0, 5}).flatten(4).index_select(4, grid.cell_of_bin());
  const Tensor expected = per_bin.unsqueeze(-1) * torch::view_as_real(x).unsqueeze(1);
  (expected * torch::view_as_real(of_y)).sum().backward();
  EXPECT_TRUE(torch::equal(torch::view_as_real(y), expected));
  EXPECT_LT((gains.grad() - gradient).abs().max().item<double>(), 1e-5);  // sums of up to 10 products
}

}  // namespace
}  // namespace unbraid::nn
