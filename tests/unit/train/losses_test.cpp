#include "train/losses.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <utility>

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
  // A mixture with more in it than the two stems: (0, 6, 8), of energy 100.
  const Tensor mix = values({0, 6, 8}, {1, 1, 1, 3});
  EXPECT_NEAR(at(negative_thresholded_snr(kEstimate, kReference, mix), 0, 0), 10 * std::log10((5 + 0.1) / 100), 1e-5);
  EXPECT_NEAR(at(negative_thresholded_snr(kEstimate, kReference, mix), 0, 1), 10 * std::log10((2 + 0.1) / 100), 1e-5);
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
  const Tensor mix = r.sum(1, true);
  EXPECT_LT((negative_thresholded_snr(r, r, mix) + 30).abs().max().item<double>(), 1e-4);
  const Tensor e = r + 0.1 * torch::randn({1, 3, 2, 400});
  EXPECT_LT((negative_thresholded_snr(7 * e, 7 * r, 7 * mix) - negative_thresholded_snr(e, r, mix)).abs().max().item<double>(), 1e-4);
  // Noise of one level counts alike whether its stem plays or not. The energy of 800 drawn values spreads by 0.2 dB.
  const Tensor loss = negative_thresholded_snr(e, r, mix);
  EXPECT_LT((loss - loss.mean()).abs().max().item<double>(), 0.5);
  Tensor silent = torch::zeros({1, 3, 2, 400}).requires_grad_();
  negative_thresholded_snr(silent, torch::zeros({1, 3, 2, 400}), torch::zeros({1, 1, 2, 400})).sum().backward();
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
  EXPECT_LT(multi_resolution_stft(r, r, r.sum(1, true), {64, 128}).abs().max().item<double>(), 1e-6);
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
    check("thresholded_snr", [](const Tensor& e, const Tensor& t) { return negative_thresholded_snr(e, t, t.sum(1, true)); });
    check("si_sdr", negative_si_sdr);
    check("cosine", cosine);
    check("mrstft", [](const Tensor& e, const Tensor& t) { return multi_resolution_stft(e, t, t.sum(1, true), {64, 256}); });
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
  EXPECT_NEAR(at(multi_resolution_stft(e, r, r, {kFft}), 0, 0), 0.5 + logarithms / double(columns), 1e-4);
  // Two sizes: the mean of both.
  const double one = at(multi_resolution_stft(e, r, r, {16}), 0, 0), two = at(multi_resolution_stft(e, r, r, {32}), 0, 0);
  EXPECT_NEAR(at(multi_resolution_stft(e, r, r, {16, 32}), 0, 0), (one + two) / 2, 1e-6);
}

TEST(Losses, MultiResolutionStftOfASilentStemIsModerate) {
  // Two stems with the same leak of noise at −40 dB, one playing noise at −20 dB, one silent; then nothing but the leak.
  torch::manual_seed(8);
  const auto part = [](double level) { return level * torch::randn({1, 1, 1, 8192}); };
  const Tensor playing = part(0.1), leak = part(0.01);
  const auto measured = [&](const Tensor& r, const Tensor& mix) {
    Tensor e = (r + leak).detach().requires_grad_();
    const Tensor loss = multi_resolution_stft(e, r, mix, {2048, 512});
    loss.sum().backward();
    return std::pair{loss.item<double>(), e.grad().norm().item<double>()};
  };
  const auto [usual, usual_gradient] = measured(playing, playing);
  const auto [silent, silent_gradient] = measured(torch::zeros_like(playing), playing);
  const auto [alone, alone_gradient] = measured(torch::zeros_like(playing), torch::zeros_like(playing));
  EXPECT_LT(usual, 1);
  // ‖E‖ is a tenth of ‖X‖, which is divided by √τ ‖X‖ = ‖X‖/31.6. The logarithms of some 0.01 · √(⅜ n_fft) over 1e-5 are about 9.
  EXPECT_NEAR(silent, 3.16 + 9, 2);
  // Without a mixture the magnitudes' root mean square is divided by 0.01: √(⅜ · 2048) and √(⅜ · 512), of which 21 is the mean.
  EXPECT_NEAR(alone, 21 + 9, 3);
  // The part that the division makes grows by ‖R‖/√τ ‖X‖ = 32, and by 0.1 · 21/0.01 = 208.
  EXPECT_LT(silent_gradient, 50 * usual_gradient);
  EXPECT_LT(alone_gradient, 300 * usual_gradient);
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

TEST(Losses, RefuseAnotherNumberOfStems) {
  const Tensor one = torch::ones({1, 1, 8}), two = torch::ones({1, 2, 8}), four = torch::ones({1, 4, 8});
  const auto refuses = [](const auto& loss) {
    try {
      loss();
      ADD_FAILURE() << "compared";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    }
  };
  const std::vector<std::string> stems = {"vocals", "other", "drums", "bass"};
  refuses([&] { l1(two, one); });
  refuses([&] { l1(one, two); });
  refuses([&] { deepconvsep(one, one, stems, {}); });
  refuses([&] { deepconvsep(four, one, stems, {}); });
}

/// Gives what it was given, whatever the mixture is.
class Fixed : public models::Model {
 public:
  explicit Fixed(Tensor stems) : Model({.family = "fixed", .stems = {"a", "b"}, .channels = 1}), stems_(std::move(stems)) {}
  Tensor forward(const Tensor&) override { return stems_; }

 private:
  Tensor stems_;
};

double total(const std::string& term, const Tensor& mix, const Tensor& reference, const Tensor& estimate) {
  Fixed model(estimate);
  const std::vector<LossTerm> terms = {LossTerm::of(models::Config::parse(term, "loss"))};
  return total_loss(terms, {.mix = mix, .reference = reference, .stems = {"a", "b"}}, model).item<double>();
}

TEST(TotalLoss, ComparesWhatBothHave) {
  torch::manual_seed(12);
  const Tensor r = torch::randn({2, 2, 1, 600}), e = torch::randn({2, 2, 1, 600}), mix = r.sum(1);
  const Tensor padded = torch::constant_pad_nd(e, {0, 100}, 5);
  for (const char* term :
       {"name: l1", "name: thresholded_snr", "{name: mse, domain: spectrum, n_fft: 64}", "{name: l1, domain: magnitude, n_fft: 64}",
        "{name: mrstft, n_ffts: [64]}", "{name: complex_stft, n_ffts: [64]}"}) {
    EXPECT_EQ(total(term, mix, r, padded), total(term, mix, r, e)) << term;
    EXPECT_EQ(total(term, mix, r, e.narrow(-1, 0, 500)), total(term, mix.narrow(-1, 0, 500), r.narrow(-1, 0, 500), e.narrow(-1, 0, 500)))
        << term;
    EXPECT_THROW(total(term, mix, r, e.narrow(1, 0, 1)), Error) << term;
  }
}

TEST(TotalLoss, ThresholdedSnrHearsTheMixture) {
  // Perfect estimates give τ ‖X‖² over ‖X‖²; silent stems that are given twice the mixture, 4 + τ.
  torch::manual_seed(13);
  const Tensor r = torch::randn({1, 2, 1, 600}), mix = 3 * torch::randn({1, 1, 600});
  for (const char* domain : {"time", "magnitude", "spectrum"}) {
    const std::string term = std::string("{name: thresholded_snr, n_fft: 64, domain: ") + domain + "}";
    EXPECT_NEAR(total(term, mix, r, r), -30, 1e-3) << domain;
    EXPECT_NEAR(total(term, mix, torch::zeros_like(r), 2 * mix.unsqueeze(1).expand_as(r)), 10 * std::log10(4.001), 1e-3) << domain;
  }
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
