// Mel filter banks, decibels and cepstra against librosa (fixtures dsp/mel.json and "features" of
// dsp/stft.json).
#include "unbraid/dsp/mel.hpp"

#include <cmath>

#include "support/fixtures.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::dsp {
namespace {

using namespace unbraid::testing;
using nlohmann::json;

TEST(MelGolden, FilterBanksEqualLibrosas) {
  UNBRAID_NEEDS_FIXTURE("dsp/mel.json");
  int compared = 0;
  const json filters = load_json("dsp/mel.json").at("filters");
  for (const auto& [name, entry] : filters.items()) {
    const json& params = entry.at("params");
    const bool slaney_norm = !params.contains("norm");
    const MelFilterBank bank({.sample_rate = params.at("sr"),
                              .n_fft = params.at("n_fft"),
                              .bands = params.at("n_mels"),
                              .low_hz = params.value("fmin", 0.0),
                              .high_hz = params.value("fmax", 0.0),
                              .scale = params.value("htk", false) ? MelScale::kHtk : MelScale::kSlaney,
                              .norm = slaney_norm ? MelNorm::kSlaney : MelNorm::kNone});
    ASSERT_EQ(bank.bands(), entry.at("shape").at(0).get<std::size_t>()) << name;
    ASSERT_EQ(bank.bins(), entry.at("shape").at(1).get<std::size_t>()) << name;
    double total = 0, squares = 0;
    for (std::size_t b = 0; b < bank.bands(); ++b) {
      double sum = 0;
      for (const double weight : bank.band(b).weights) sum += weight, squares += weight * weight;
      EXPECT_NEAR(sum, entry.at("row_sums").at(b), 1e-12) << name << " band " << b;
      total += sum;
      const auto [first, last] = entry.at("nonzero_range_per_row").at(b).get<std::pair<std::size_t, std::size_t>>();
      // Within librosa's range; rounding may have left a weight of 1e-16 at its end, which is none here.
      EXPECT_EQ(bank.band(b).first, first) << name << " band " << b;
      EXPECT_LE(bank.band(b).first + bank.band(b).weights.size() - 1, last) << name << " band " << b;
    }
    EXPECT_NEAR(total, entry.at("stats").at("sum"), 1e-12 * total) << name;
    EXPECT_NEAR(squares, entry.at("stats").at("sum_sq"), 1e-12 * squares) << name;
    if (entry.contains("file")) {
      const Npy dense = load_npy("dsp/" + entry["file"].get<std::string>());
      for (std::size_t b = 0; b < bank.bands(); ++b) {
        std::vector<double> row(bank.bins());
        std::ranges::copy(bank.band(b).weights, row.begin() + static_cast<std::ptrdiff_t>(bank.band(b).first));
        for (std::size_t k = 0; k < row.size(); ++k) ASSERT_NEAR(row[k], dense.real[b * row.size() + k], 1e-12) << name;
      }
    }
    ++compared;
  }
  EXPECT_EQ(compared, 5);
}

class Features : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("dsp/stft.json");
    expected_ = load_json("dsp/stft.json").at("features");
    const Npy x = load_npy("dsp/x.npy");
    ThreadPool pool(1);
    const auto z = Stft<double>({.window = {.length = 512}, .hop = 128, .pad_end = false})
                       .forward(PlanarView<const double>(x.real.data(), 1, x.size(), x.size()), pool);
    power_ = Magnitudes<double>(1, z.frames(), z.bins());
    for (std::size_t i = 0; i < z.size(); ++i) power_.values()[i] = std::norm(z.values()[i]);
  }

  json expected_;
  Magnitudes<double> power_;
};

void expect_stats(std::span<const double> values, const json& stats, double tolerance) {
  double sum = 0, squares = 0, least = values[0], most = values[0];
  for (const double v : values) sum += v, squares += v * v, least = std::min(least, v), most = std::max(most, v);
  EXPECT_NEAR(sum, stats.at("sum"), tolerance * std::abs(sum));
  EXPECT_NEAR(squares, stats.at("sum_sq"), tolerance * squares);
  const double scale = std::max(std::abs(least), std::abs(most));
  EXPECT_NEAR(least, stats.at("min"), tolerance * scale);
  EXPECT_NEAR(most, stats.at("max"), tolerance * scale);
}

// librosa.feature.* round the mel weights to float32: 1e-7 relative, and 1e-6 after the logarithm.
TEST_F(Features, DecibelsMelSpectrumAndMfcc) {
  const MelFilterBank bank({.sample_rate = 16000, .n_fft = 512, .bands = 40});
  Magnitudes<double> mel(1, power_.frames(), bank.bands());
  for (std::size_t m = 0; m < mel.frames(); ++m) bank.apply<double>(std::as_const(power_).frame(0, m), mel.frame(0, m));
  expect_stats(mel.values(), expected_.at("melspectrogram(S,n_mels=40)"), 1e-7);

  const auto expect_mfcc = [&](const json& rows, const Magnitudes<double>& spectra) {
    for (std::size_t m = 0; m < 3; ++m) {
      std::vector<double> mfcc(13);
      dct2<double>(spectra.frame(0, m), mfcc);
      for (std::size_t k = 0; k < 13; ++k) EXPECT_NEAR(mfcc[k], rows.at(k).at(m).get<double>(), 1e-6) << k << ' ' << m;
    }
  };
  expect_mfcc(expected_.at("mfcc(S=mel without log,13)  [what nussl TimbreClustering does]"), mel);
  power_to_db<double>(mel.values());
  expect_mfcc(expected_.at("mfcc(S=power_to_db(mel),13)"), mel);

  const double loudest = std::ranges::max(power_.values());
  power_to_db<double>(power_.values(), {.reference = loudest});
  expect_stats(power_.values(), expected_.at("power_to_db(ref=max)"), 1e-12);
}

TEST_F(Features, Dct2) {
  const std::vector<double> x{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<double> coefficients(10);
  dct2<double>(x, coefficients);
  for (std::size_t k = 0; k < 10; ++k) EXPECT_NEAR(coefficients[k], expected_.at("dct2_ortho_of_0..9").at(k).get<double>(), 1e-13);
}

}  // namespace
}  // namespace unbraid::dsp
