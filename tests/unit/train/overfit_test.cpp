// Models that scale magnitudes can learn one batch by heart. The two sources lie in different bands, so that masks of the
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

void expect_learned(const Progress& progress, double share, const std::string& what) {
  EXPECT_LT(progress.last, share * progress.first) << what << ": from " << progress.first << " to " << progress.last;
}

TEST(Overfit, MaskInference) { expect_learned(overfit("mask_inference", kMaskInference, "{name: l1, domain: magnitude}", 150), 0.15, "magnitudes"); }
TEST(Overfit, OpenUnmix) { expect_learned(overfit("open_unmix", kOpenUnmix, "{name: mse, domain: magnitude}", 150), 0.05, "magnitudes"); }

}  // namespace
}  // namespace unbraid::train
