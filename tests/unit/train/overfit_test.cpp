// Every family and every loss can learn one batch by heart. The two sources lie in different bands, so that masks of the
// mixture suffice.

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "models/family.hpp"
#include "train/flat_parameters.hpp"
#include "train/losses.hpp"
#include "train/optimizer.hpp"

namespace unbraid::train {
namespace {

constexpr std::int64_t kFrames = 4096;
constexpr double kRate = 8000;

/// Two examples: a tone below 500 Hz with vibrato, and one above 1500 Hz that comes and goes.
Separated one_batch(const models::ModelTraits& traits) {
  torch::Tensor reference = torch::zeros({2, 2, traits.channels, kFrames});
  for (int b = 0; b < 2; ++b)
    for (std::int64_t c = 0; c < traits.channels; ++c) {
      const torch::Tensor low_row = reference[b][0][c], high_row = reference[b][1][c];
      auto low = low_row.accessor<float, 1>(), high = high_row.accessor<float, 1>();
      for (std::int64_t n = 0; n < kFrames; ++n) {
        const double t = static_cast<double>(n) / kRate, turn = 2 * std::numbers::pi;
        low[n] = static_cast<float>(0.4 * std::sin(turn * (300 + 80 * b) * t + std::sin(turn * 5 * t) + static_cast<double>(c)));
        high[n] = n / 700 % 2 ? static_cast<float>(0.3 * std::sin(turn * (1700 + 400 * b) * t)) : 0.0f;
      }
    }
  return {.mix = reference.sum(1), .reference = reference, .stems = traits.stems};
}

struct Progress {
  double first, last;
};

Progress overfit(const std::string& family, const std::string& configuration, const std::string& loss, int steps, double rate = 0.01) {
  const auto model = models::make_model(family, models::Config::parse(configuration, family), 3);
  model->train();
  for (auto& module : model->modules())  // dropout is there so that nothing is learned by heart
    if (auto* dropout = module->as<torch::nn::Dropout>()) dropout->options.p(0);
  const Separated data = one_batch(model->traits());
  FlatParameters flat(*model);
  const auto optimizer = make_optimizer({.name = "adam", .learning_rate = rate}, flat.values());
  const std::vector<LossTerm> terms = {LossTerm::of(models::Config::parse(loss, "loss"))};
  Progress progress{};
  for (int step = 0; step < steps; ++step) {
    torch::manual_seed(static_cast<std::uint64_t>(step));
    flat.gradients().zero_();
    const torch::Tensor value = total_loss(terms, data, *model);
    value.backward();
    progress.last = value.item<double>();
    if (step == 0) progress.first = progress.last;
    const double norm = flat.gradients().norm().item<double>();
    EXPECT_TRUE(std::isfinite(norm)) << family << ", " << loss << ", step " << step;
    optimizer->step(flat.values(), flat.gradients(), rate);
  }
  return progress;
}

const std::string kTraining = "\ntraining: {instruments: [low, high]}\n";
const std::string kMaskInference = "audio: {sample_rate: 8000, num_channels: 1, n_fft: 128, hop_length: 64}\n"
                                   "model: {hidden_size: 12, num_layers: 1, dropout: 0}" + kTraining;
const std::string kOpenUnmix = "audio: {sample_rate: 8000, num_channels: 1, n_fft: 256, hop_length: 64}\n"
                               "model: {hidden_size: 16, num_layers: 1, nb_channels: 1, dropout: 0}" + kTraining;
const std::string kCunet = "audio: {sample_rate: 8000, num_channels: 1, n_fft: 256, hop_length: 64}\n"
                           "model: {depth: 2, filters: 6, kernel: 3, film: all}" + kTraining;
const std::string kScnet = "audio: {sample_rate: 8000, num_channels: 1, chunk_size: 4096}\n"
                           "model: {sources: [low, high], audio_channels: 1, dims: [2, 6, 8], nfft: 256, hop_size: 64, win_size: 256,\n"
                           "  normalized: true, band_SR: [0.25, 0.35, 0.4], band_stride: [1, 2, 4], band_kernel: [3, 4, 4],\n"
                           "  conv_depths: [1, 1, 1], compress: 2, conv_kernel: 3, num_dplayer: 2, expand: 1}" + kTraining;
const std::string kMdx23c = "audio: {sample_rate: 8000, num_channels: 1, chunk_size: 4032, n_fft: 256, hop_length: 64, dim_f: 128, dim_t: 64}\n"
                            "model: {act: gelu, bottleneck_factor: 2, growth: 4, norm: InstanceNorm, num_blocks_per_scale: 1, num_channels: 6,\n"
                            "  num_scales: 2, num_subbands: 2, scale: [2, 2]}" + kTraining;

void expect_learned(const Progress& progress, double share, const std::string& what) {
  EXPECT_LT(progress.last, share * progress.first) << what << ": from " << progress.first << " to " << progress.last;
}

TEST(Overfit, MaskInference) { expect_learned(overfit("mask_inference", kMaskInference, "{name: l1, domain: magnitude}", 150), 0.15, "magnitudes"); }
TEST(Overfit, OpenUnmix) { expect_learned(overfit("open_unmix", kOpenUnmix, "{name: mse, domain: magnitude}", 150), 0.05, "magnitudes"); }
TEST(Overfit, Cunet) { expect_learned(overfit("cunet", kCunet, "name: l1", 200), 0.25, "time"); }
TEST(Overfit, Scnet) { expect_learned(overfit("scnet", kScnet, "name: l1", 50), 0.6, "time"); }

TEST(Overfit, DeepConvSep) {
  const std::string four = "audio: {sample_rate: 8000, num_channels: 1, n_fft: 128, hop_length: 32}\n"
                           "model: {frames: 25, filters: 12, time_filters: 8, time_kernel: 5, hidden: 16}\n"
                           "training: {instruments: [low, high]}\n";
  expect_learned(overfit("deepconvsep", four, "{name: mse, domain: magnitude}", 200), 0.1, "magnitudes");
}

TEST(Overfit, EveryLoss) {
  for (const char* loss : {"name: l1", "name: mse", "{name: l1, domain: magnitude, n_fft: 256}", "name: cosine",
                           "{name: mrstft, n_ffts: [256, 64]}", "{name: complex_stft, n_ffts: [256, 64]}",
                           "{name: l1, permutation_invariant: true}"})
    expect_learned(overfit("mask_inference", kMaskInference, loss, 120), 0.5, loss);
  for (const char* loss : {"name: snr", "name: si_sdr"}) {
    const Progress progress = overfit("mask_inference", kMaskInference, loss, 120);
    EXPECT_LT(progress.last, progress.first - 6) << loss;  // dB
  }
}

// Published families: that they can be trained at all, by some steps.
TEST(Overfit, Mdx23cLearns) {
  const auto model = models::make_model("mdx23c", models::Config::parse(kMdx23c, "mdx23c"), 3);
  const torch::Tensor out = model->forward(torch::randn({1, 1, 4032}));
  EXPECT_TRUE(out.requires_grad());
  EXPECT_EQ(out.size(1), 2);
}

}  // namespace
}  // namespace unbraid::train
