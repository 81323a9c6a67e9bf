#include "models/mask_unet/mask_unet.hpp"

#include <cmath>

#include "networks.hpp"
#include "unbraid/core/error.hpp"

// What it shares with other networks that give masks of cells: cell_masks_test.cpp.

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

std::string small(const std::string& scales) {
  return "audio: {n_fft: 64, hop_length: 16}\nmodel: {bands: [[1, 2], [2, 2], [4, 1]], cells: 3, num_blocks_per_scale: 1, num_channels: 4, growth: 2, "
         "bottleneck_factor: 2, norm: InstanceNorm, act: relu, " +
         scales + "}\ntraining: {instruments: [vocals, drums]}";
}

// A network that hears nothing gives what is usual: here a quarter of mid and all of side to the first stem.
TEST(MaskUnet, UsualShares) {
  const auto model = build("mask_unet", small("num_scales: 1, scale: [2, 3]"));
  const torch::NoGradGuard no_gradient;
  for (auto& parameter : model->named_parameters())
    if (parameter.key().starts_with("final_conv")) parameter.value().zero_();
  Tensor usual = model->named_parameters()["usual"];
  ASSERT_EQ(usual.sizes(), (std::vector<std::int64_t>{4, 1, 15}));  // vocals' mid and side, drums' mid and side
  usual[0].fill_(std::log(0.25));
  usual[1].fill_(0);
  usual[2].fill_(std::log(0.75));
  usual[3].fill_(-100);
  const Tensor mix = noise({1, 2, 700}), mid = mix.mean(1), side = (mix.select(1, 0) - mix.select(1, 1)) / 2;
  const Tensor vocals = torch::stack({0.25 * mid + side, 0.25 * mid - side}, 1);
  const Tensor stems = separate(*model, mix);
  EXPECT_LT(distance(stems.select(1, 0), vocals), 2e-6);  // values up to 0.5, through an STFT and back
  EXPECT_LT(distance(stems.select(1, 1), mix - vocals), 2e-6);
}

TEST(MaskUnet, RefusesWhatItCannotBe) {
  EXPECT_NO_THROW(build("mask_unet", small("num_scales: 1, scale: [2, 3]")));
  for (const char* wrong : {"num_scales: 1, scale: [2, 2]", "num_scales: 2, scale: [2, 3]", "num_scales: 1, scale: [2]", "num_scales: 1, scale: [2, 3], colour: 3"})
    EXPECT_THROW(build("mask_unet", small(wrong)), Error) << wrong;
}

}  // namespace
}  // namespace unbraid::models::testing
