#include "train/losses.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "unbraid/core/error.hpp"

namespace unbraid::train {
namespace {

using torch::Tensor;

Tensor values(std::vector<double> list, std::vector<std::int64_t> shape) {
  return torch::tensor(list, torch::kFloat64).to(torch::kFloat32).view(shape);
}
double at(const Tensor& x, std::int64_t b, std::int64_t s) { return x[b][s].item<double>(); }

// One example, two stems, one channel, three frames.
const Tensor kReference = values({1, 2, 3, -1, 0, 1}, {1, 2, 1, 3});
const Tensor kEstimate = values({1, 1, 5, 0, 0, 2}, {1, 2, 1, 3});

TEST(Losses, ByHand) {
  // Errors: (0, −1, 2) and (1, 0, 1).
  EXPECT_NEAR(at(l1(kEstimate, kReference), 0, 0), 1.0, 1e-6);
  EXPECT_NEAR(at(l1(kEstimate, kReference), 0, 1), 2.0 / 3, 1e-6);
  EXPECT_NEAR(at(mse(kEstimate, kReference), 0, 0), 5.0 / 3, 1e-6);
  EXPECT_NEAR(at(mse(kEstimate, kReference), 0, 1), 2.0 / 3, 1e-6);
  EXPECT_NEAR(at(negative_snr(kEstimate, kReference), 0, 0), -10 * std::log10(14.0 / 5), 1e-5);
  EXPECT_NEAR(at(negative_snr(kEstimate, kReference), 0, 1), 0, 1e-5);
  // The mixture is (0, 2, 4).
  EXPECT_NEAR(at(negative_thresholded_snr(kEstimate, kReference), 0, 0), 10 * std::log10((5 + 0.02) / 20), 1e-5);
  EXPECT_NEAR(at(negative_thresholded_snr(kEstimate, kReference), 0, 1), 10 * std::log10((2 + 0.02) / 20), 1e-5);
  // α = (1 + 2 + 15) / 14 = 9/7; αr = (9, 18, 27)/7; αr − e = (2, 11, −8)/7: 1134/49 over 189/49.
  EXPECT_NEAR(at(negative_si_sdr(kEstimate, kReference), 0, 0), -10 * std::log10(1134.0 / 189), 1e-5);
  EXPECT_NEAR(at(cosine(kEstimate, kReference), 0, 0), 1 - 18 / std::sqrt(14.0 * 27), 1e-6);
  EXPECT_NEAR(at(cosine(kEstimate, kReference), 0, 1), 1 - 2 / std::sqrt(2.0 * 4), 1e-6);
}

TEST(Losses, L1IsTheMeanOfDifferencesAndItsGradientTheirSigns) {
  // 40,001 values: whole pieces of the sum and a rest. 1e-5 of the value: partial sums of 64 lanes in float32.
  torch::manual_seed(5);
  const Tensor r = torch::randn({2, 3, 1, 40001}), weights = torch::randn({2, 3});
  Tensor e = torch::randn({2, 3, 1, 40001}).requires_grad_(), t = r.clone().requires_grad_();
  const Tensor loss = l1(e, t), expected = (e - r).detach().to(torch::kFloat64).abs().flatten(2).mean(-1);
  EXPECT_LT(((loss.detach() - expected) / expected).abs().max().item<double>(), 1e-5);
  (loss * weights).sum().backward();
  const Tensor gradient = (e - r).detach().sign() * (weights / 40001).view({2, 3, 1, 1});
  EXPECT_LT((e.grad() - gradient).abs().max().item<double>(), 1e-10);
  EXPECT_LT((t.grad() + gradient).abs().max().item<double>(), 1e-10);
}

TEST(Losses, ThresholdedSnrHasABoundForSilentStemsToo) {
  torch::manual_seed(4);
  Tensor r = torch::randn({1, 3, 2, 400});
  r.select(1, 1).zero_();
  EXPECT_LT((negative_thresholded_snr(r, r) + 30).abs().max().item<double>(), 1e-4);
  const Tensor e = r + 0.1 * torch::randn({1, 3, 2, 400});
  EXPECT_LT((negative_thresholded_snr(7 * e, 7 * r) - negative_thresholded_snr(e, r)).abs().max().item<double>(), 1e-4);
  // Noise of one level counts alike whether its stem plays or not. The energy of 800 drawn values spreads by 0.2 dB.
  const Tensor loss = negative_thresholded_snr(e, r);
  EXPECT_LT((loss - loss.mean()).abs().max().item<double>(), 0.5);
  Tensor silent = torch::zeros({1, 3, 2, 400}).requires_grad_();
  negative_thresholded_snr(silent, torch::zeros({1, 3, 2, 400})).sum().backward();
  EXPECT_EQ(silent.grad().abs().max().item<double>(), 0);
}

TEST(Losses, ScaleInvarianceAndPerfection) {
  torch::manual_seed(3);
  const Tensor r = torch::randn({2, 3, 2, 400}), e = r + 0.3 * torch::randn({2, 3, 2, 400});
  EXPECT_LT((negative_si_sdr(5 * e, r) - negative_si_sdr(e, r)).abs().max().item<double>(), 1e-4);
  EXPECT_LT((cosine(5 * e, r) - cosine(e, r)).abs().max().item<double>(), 1e-6);
  EXPECT_GT((negative_snr(5 * e, r) - negative_snr(e, r)).abs().min().item<double>(), 1);
  for (const auto loss : {l1, mse, cosine}) EXPECT_LT(loss(r, r).abs().max().item<double>(), 1e-6);
  for (const auto loss : {negative_snr, negative_si_sdr}) EXPECT_LT(loss(r, r).max().item<double>(), -90);
  EXPECT_LT(multi_resolution_stft(r, r, {64, 128}).abs().max().item<double>(), 1e-6);
  EXPECT_EQ(complex_stft(r, r, {64, 128}).abs().max().item<double>(), 0);
}

TEST(Losses, HaveFiniteGradientsAtSilence) {
  for (const double reference_level : {0.0, 1.0}) {
    torch::manual_seed(4);
    const Tensor r = reference_level * torch::randn({2, 2, 1, 512});
    const auto check = [&](const char* name, const auto& loss) {
      Tensor e = torch::zeros_like(r).requires_grad_();
      const Tensor value = loss(e, r).sum();
      value.backward();
      EXPECT_TRUE(std::isfinite(value.template item<double>())) << name;
      EXPECT_TRUE(torch::isfinite(e.grad()).all().template item<bool>()) << name << " " << reference_level;
    };
    check("l1", l1);
    check("mse", mse);
    check("snr", negative_snr);
    check("thresholded_snr", negative_thresholded_snr);
    check("si_sdr", negative_si_sdr);
    check("cosine", cosine);
    check("mrstft", [](const Tensor& e, const Tensor& t) { return multi_resolution_stft(e, t, {64, 256}); });
    check("complex_stft", [](const Tensor& e, const Tensor& t) { return complex_stft(e, t, {64, 256}); });
  }
}

// An impulse at n has the spectrum w[n]·e^{−jωn} in every bin: the magnitudes are the window's values.
TEST(Losses, MultiResolutionStftOfImpulses) {
  constexpr std::int64_t kFft = 16, kFrames = 64;
  Tensor r = torch::zeros({1, 1, 1, kFrames}), e = r.clone();
  r[0][0][0][32] = 1;
  e[0][0][0][32] = 0.5;
  // |E| = |R|/2 everywhere, so the convergence is ½, and the logarithms differ by log((|R| + δ)/(|R|/2 + δ)).
  double logarithms = 0;
  const std::int64_t columns = 1 + kFrames / (kFft / 4);
  for (std::int64_t c = 0; c < columns; ++c) {
    const std::int64_t in_window = 32 - (c * (kFft / 4) - kFft / 2);
    const double w = in_window > 0 && in_window < kFft ? 0.5 - 0.5 * std::cos(2 * std::numbers::pi * double(in_window) / kFft) : 0;
    logarithms += std::log((w + 1e-5) / (w / 2 + 1e-5));
  }
  EXPECT_NEAR(at(multi_resolution_stft(e, r, {kFft}), 0, 0), 0.5 + logarithms / double(columns), 1e-4);
  // Two sizes: the mean of both.
  const double one = at(multi_resolution_stft(e, r, {16}), 0, 0), two = at(multi_resolution_stft(e, r, {32}), 0, 0);
  EXPECT_NEAR(at(multi_resolution_stft(e, r, {16, 32}), 0, 0), (one + two) / 2, 1e-6);
}

TEST(Losses, ComplexStftIsHomogeneous) {
  torch::manual_seed(5);
  const Tensor r = torch::randn({1, 2, 1, 256}), d = torch::randn({1, 2, 1, 256});
  const Tensor one = complex_stft(r + d, r, {32}), three = complex_stft(r + 3 * d, r, {32});
  EXPECT_LT((three - 3 * one).abs().max().item<double>(), 1e-4);
  // Against torch's own STFT, value by value.
  const Tensor z = torch::stft(d.view({2, 256}), 32, 8, 32, torch::hann_window(32), true, "reflect", true, true, true);
  const Tensor by_parts = (torch::real(z).abs() + torch::imag(z).abs()).flatten(1).mean(-1);
  EXPECT_LT((one[0] - by_parts).abs().max().item<double>(), 1e-5);
}

TEST(Losses, DeepConvSepByHand) {
  const std::vector<std::string> stems = {"vocals", "other", "drums", "bass"};
  // Two values per stem. Squared distances by hand:
  const Tensor r = values({1, 0, 0, 2, 1, 1, 3, 0}, {1, 4, 2});  // v (1,0), o (0,2), d (1,1), b (3,0)
  const Tensor e = values({1, 1, 0, 0, 2, 1, 3, 2}, {1, 4, 2});  // v (1,1), o (0,0), d (2,1), b (3,2)
  const double errors = 4 + 1 + 1;                               // b, d, v
  const double pairs = 2 + 5 + 13 + 1 + 5 + 2;                   // bd (1,1), bv (2,1), bo (3,2), dv (1,0), do (2,1), vo (1,1)
  const double beta = 9 + 5, gamma = 2;                          // b (3,0)−, d (2,−1), v (1,−1) from o
  const DeepConvSepWeights weights{.alpha = 0.1, .beta = 0.02, .gamma = 0.3, .absolute = false};
  const double expected = errors - 0.1 * pairs - 0.02 * beta - 0.3 * gamma;
  EXPECT_NEAR(deepconvsep(e, r, stems, weights).item<double>(), expected, 1e-5);
  DeepConvSepWeights heavy{.alpha = 10, .absolute = false};
  const double negative = deepconvsep(e, r, stems, heavy).item<double>();
  EXPECT_LT(negative, 0);  // unbounded below
  heavy.absolute = true;
  EXPECT_NEAR(deepconvsep(e, r, stems, heavy).item<double>(), -negative, 1e-3);
  EXPECT_THROW(deepconvsep(e, r, {"vocals", "other", "drums", "guitar"}, weights), Error);
}

TEST(Losses, OnePassGradientsAreThoseOfTheDefinition) {
  // Doubles and floats go different ways; 1500 columns of 3 bins, with the bins next to each other as spectrograms have them.
  torch::manual_seed(9);
  const std::vector<std::string> stems = {"other", "bass", "vocals", "drums"};
  const Tensor e = torch::rand({2, 4, 1, 1500, 3}).transpose(-1, -2), r = torch::rand({2, 4, 1, 1500, 3}).transpose(-1, -2);
  const auto gradient = [&](torch::ScalarType type, const auto& loss) {
    const Tensor x = e.to(type).detach().requires_grad_();
    (loss(x, r.to(type)) * torch::tensor({1.0, -3.0}, type).unsqueeze(1)).sum().backward();
    return x.grad().to(torch::kFloat64);
  };
  const auto dcs = [&](const Tensor& x, const Tensor& y) {
    return deepconvsep(x, y, stems, {.alpha = 0.3, .absolute = true}).unsqueeze(1);
  };
  for (const auto& loss : std::vector<std::function<Tensor(const Tensor&, const Tensor&)>>{dcs, l1}) {
    const Tensor exact = gradient(torch::kFloat64, loss), fast = gradient(torch::kFloat32, loss);
    EXPECT_LT((exact - fast).abs().max().item<double>(), 1e-5 * exact.abs().max().item<double>());
  }
}

TEST(Losses, PermutationInvariantFindsTheOrder) {
  torch::manual_seed(6);
  const Tensor r = torch::randn({2, 3, 1, 50});
  const Tensor shuffled = torch::stack({r[0].index_select(0, torch::tensor({2, 0, 1})), r[1].index_select(0, torch::tensor({1, 0, 2}))});
  EXPECT_EQ(best_permutation(l1, shuffled, r).abs().max().item<double>(), 0);
  // Against all six orders tried one by one.
  const Tensor e = torch::randn({2, 3, 1, 50});
  Tensor best = torch::full({2}, 1e9);
  for (const auto& order : std::vector<std::vector<std::int64_t>>{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}})
    best = torch::minimum(best, l1(e.index_select(1, torch::tensor(order)), r).mean(1));
  EXPECT_LT((best_permutation(l1, e, r) - best).abs().max().item<double>(), 1e-6);
  EXPECT_THROW(best_permutation(l1, torch::zeros({1, 7, 1, 2}), torch::zeros({1, 7, 1, 2})), Error);
}

TEST(Losses, TermsAreChecked) {
  const auto term = [](const std::string& yaml) { return LossTerm::of(models::Config::parse(yaml, "c")); };
  EXPECT_EQ(term("name: deepconvsep").domain, "magnitude");
  EXPECT_EQ(term("{name: mse, domain: magnitude, n_fft: 512}").hop, 128);
  for (const char* wrong : {"name: l3", "domain: space", "{name: mrstft, domain: magnitude}", "{name: deepconvsep, domain: time}",
                            "{name: mrstft, permutation_invariant: true}", "weight: -1", "wieght: 1", "n_ffts: []", "weight: [1]"})
    EXPECT_THROW(term(wrong), Error) << wrong;
}

}  // namespace
}  // namespace unbraid::train
