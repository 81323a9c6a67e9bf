#include "models/mask_unet/mask_unet.hpp"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "networks.hpp"
#include "unbraid/core/error.hpp"

// What it shares with other networks that give masks of cells: cell_masks_test.cpp.

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

std::string small(const std::string& scales) {
  return "audio: {n_fft: 64, hop_length: 16}\nmodel: {bands: [[1, 2], [2, 2], [4, 1]], cells: 3, num_blocks_per_scale: 1, num_channels: 4, "
         "growth: 2, "
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

const char* const kRecurrent = "num_scales: 1, scale: [2, 3], layers: 2, hidden: 5";

TEST(MaskUnet, RecurrentPathsBeginAsIfTheyWereNotThere) {
  const auto with = build("mask_unet", small(kRecurrent)), without = build("mask_unet", small("num_scales: 1, scale: [2, 3]"), 2);
  const torch::NoGradGuard no_gradient;
  auto theirs = without->named_parameters();
  for (auto& parameter : with->named_parameters())
    if (const Tensor* same = theirs.find(parameter.key())) parameter.value().copy_(*same);
  const Tensor mix = noise({2, 2, 700});
  EXPECT_EQ(distance(separate(*with, mix), separate(*without, mix)), 0);
}

// Against torch's LSTM, place by place along time and column by column along frequency.
TEST(MaskUnet, RecurrentPathsRunAlongTimeAndFrequency) {
  const auto model = build("mask_unet", small(kRecurrent));
  const torch::NoGradGuard no_gradient;
  auto parameters = model->named_parameters();
  for (auto& parameter : parameters)
    if (parameter.key().find("linear") != std::string::npos)
      parameter.value().copy_(noise({parameter.value().numel()}).view_as(parameter.value()));
  std::map<std::string, Tensor> taps;
  model->record(&taps);
  separate(*model, noise({2, 2, 700}));
  Tensor x = taps.at("bottleneck");
  ASSERT_EQ(x.sizes(), (std::vector<std::int64_t>{2, 6, 23, 5}));            // 45 columns and 15 cells, by 2 and 3
  const auto along = [&](const std::string& name, const Tensor& sequence) {  // [steps, width]
    torch::nn::LSTM lstm(torch::nn::LSTMOptions(6, 5).bidirectional(true));
    for (auto& parameter : lstm->named_parameters()) parameter.value().copy_(parameters[name + ".rnn." + parameter.key()]);
    const Tensor heard = torch::layer_norm(sequence, {6}, parameters[name + ".norm.weight"], parameters[name + ".norm.bias"]);
    return sequence + torch::linear(std::get<0>(lstm->forward(heard.unsqueeze(1))).squeeze(1), parameters[name + ".linear.weight"],
                                    parameters[name + ".linear.bias"]);
  };
  for (const std::string layer : {"0", "1"}) {
    Tensor y = torch::empty_like(x);
    for (std::int64_t item = 0; item < 2; ++item) {
      for (std::int64_t place = 0; place < 5; ++place)
        y[item].select(2, place).copy_(along("time_" + layer, x[item].select(2, place).t()).t());
      for (std::int64_t column = 0; column < 23; ++column)
        y[item].select(1, column).copy_(along("band_" + layer, y[item].select(1, column).t()).t());
    }
    x = y;
  }
  EXPECT_LT(distance(taps.at("recurrent"), x), 2e-5);  // values up to 10, two LSTMs each way
  EXPECT_GT(distance(taps.at("recurrent"), taps.at("bottleneck")), 0.1);
}

TEST(MaskUnet, RefusesWhatItCannotBe) {
  EXPECT_NO_THROW(build("mask_unet", small("num_scales: 1, scale: [2, 3]")));
  for (const char* wrong : {"num_scales: 1, scale: [2, 2]", "num_scales: 2, scale: [2, 3]", "num_scales: 1, scale: [2]",
                            "num_scales: 1, scale: [2, 3], colour: 3", "num_scales: 1, scale: [2, 3], layers: -1",
                            "num_scales: 1, scale: [2, 3], hidden: 0", "num_scales: 1, scale: [2, 3], dropout: 1"})
    EXPECT_THROW(build("mask_unet", small(wrong)), Error) << wrong;
}

}  // namespace
}  // namespace unbraid::models::testing
