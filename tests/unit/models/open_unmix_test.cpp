#include "networks.hpp"
#include "support/fixtures.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::models::testing {
namespace {

using torch::Tensor;

std::string small(const std::string& model = "", const std::string& inference = "") {
  return "audio: {n_fft: 64, hop_length: 16}\nmodel: {hidden_size: 8, max_bin: 20, " + model +
         "}\ntraining: {instruments: [vocals, drums]}\ninference: {" + inference + "}\n";
}

TEST(OpenUnmix, CountsItsParameters) {
  // By hand, of one target with 93 of 129 bins, 2 channels and 24 hidden values: three dense layers, three batch norms,
  // three layers of two LSTMs with 12 units, and the scalings.
  constexpr std::int64_t kDense = 93 * 2 * 24 + 48 * 24 + 24 * 129 * 2, kNorms = 2 * (24 + 24 + 258);
  constexpr std::int64_t kLstm = 3 * 2 * (48 * 24 + 48 * 12 + 2 * 48), kScales = 2 * 93 + 2 * 129;
  const auto model =
      build("open_unmix", "audio: {n_fft: 256, hop_length: 64}\nmodel: {hidden_size: 24, max_bin: 93}\ntraining: {instruments: [a, b]}");
  EXPECT_EQ(count_parameters(*model), 2 * (kDense + kNorms + kLstm + kScales));
}

TEST(OpenUnmix, NetworksSeeOnlyTheLowBins) {
  // A cosine on bin 26, symmetric at both ends of the signal, is in bins 25 … 27 alone, above max_bin 20: what is below
  // keeps its estimates, though they depend on all that the network sees.
  const auto model = build("open_unmix", small());
  const Tensor mix = noise({1, 2, 1601}) * 0.1;
  const Tensor tone = (torch::cos(torch::arange(1601, torch::kFloat64) * (2 * M_PI * 26 / 64)) * 0.1).to(torch::kFloat32);
  const Tensor a = model->estimate_magnitudes(mix), b = model->estimate_magnitudes(mix + tone);
  EXPECT_LT(distance(a.narrow(3, 0, 20), b.narrow(3, 0, 20)), 2e-5);
  EXPECT_GT(distance(a.narrow(3, 25, 3), b.narrow(3, 25, 3)), 0.1);
}

TEST(OpenUnmix, WithoutRoundsTheFilterIsTheNetworksGain) {
  const auto model = build("open_unmix", small());
  const Tensor mix = noise({2, 2, 500});
  EXPECT_LT(distance(separate(*model, mix, {{"niter", "0"}}), model->forward(mix)), 1e-6);
}

TEST(OpenUnmix, SoftMasksAddUpToTheMixture) {
  const auto model = build("open_unmix", small());
  const Tensor mix = noise({1, 2, 500});
  // Exact but for ε where every estimate is next to nothing.
  EXPECT_LT(distance(separate(*model, mix, {{"niter", "0"}, {"softmask", "true"}}).sum(1), mix), 1e-3);
}

TEST(OpenUnmix, ResidualIsOneMoreStem) {
  const auto model = build("open_unmix", small("", "residual: true"));
  const ParameterValues values = ParameterValues::resolve(model->settings());
  EXPECT_EQ(model->stems(values), (std::vector<std::string>{"vocals", "drums", "residual"}));
  EXPECT_EQ(separate(*model, noise({1, 2, 500})).size(1), 3);
}

TEST(OpenUnmix, ExcerptsOfTheFilterAreIndependent) {
  const auto model = build("open_unmix", small());
  const Tensor mix = noise({1, 2, 1600});
  const Tensor apart = separate(*model, mix, {{"niter", "2"}, {"wiener_win_len", "30"}});
  EXPECT_GT(distance(apart, separate(*model, mix, {{"niter", "2"}, {"wiener_win_len", "0"}})), 1e-6);
  EXPECT_EQ(distance(separate(*model, mix, {{"wiener_win_len", "0"}}), separate(*model, mix, {{"wiener_win_len", "5000"}})), 0);
}

TEST(OpenUnmix, OneChannelNetworksFilterStereo) {
  const auto model = build("open_unmix", small("nb_channels: 1"));
  const Tensor mix = noise({1, 2, 500});
  EXPECT_EQ(separate(*model, mix).sizes(), (std::vector<std::int64_t>{1, 2, 2, 500}));
  EXPECT_EQ(model->estimate_magnitudes(mix).size(2), 1);
  EXPECT_EQ(model->magnitudes(mix).size(1), 1);
}

TEST(OpenUnmix, FitsItsInputToTheData) {
  const auto model = build("open_unmix", small());
  const std::vector<Tensor> data{noise({2, 800}, 1), noise({2, 400}, 2)};
  model->fit_input(data);
  // The same by one pass over all columns in double precision.
  const Tensor x =
      torch::cat({model->magnitudes(data[0]).mean(0), model->magnitudes(data[1]).mean(0)}, 1).narrow(0, 0, 20).to(torch::kFloat64);
  const auto state = model->named_parameters();
  EXPECT_LT(distance(state["target_models.vocals.input_mean"], -x.mean(1)), 1e-5);
  EXPECT_LT(distance(state["target_models.drums.input_scale"] * x.std(1, /*unbiased=*/false), torch::ones({20})), 1e-5);
}

TEST(OpenUnmix, TakesAnyLength) {
  const auto model =
      build("open_unmix", "audio: {n_fft: 64, hop_length: 16, padding: zeros}\nmodel: {hidden_size: 8}\ntraining: {instruments: [a, b]}");
  expect_any_length(*model, 16);
}

}  // namespace
}  // namespace unbraid::models::testing
