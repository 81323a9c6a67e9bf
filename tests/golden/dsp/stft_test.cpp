// The STFT against scipy, nussl, torch, librosa and tf.signal (fixtures dsp/stft.json). float64 to 1e-12 of
// the largest value, float32 to 1e-5 of it, as the fixtures state; sums over all values to the same,
// relative.
#include "unbraid/dsp/stft.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "support/fixtures.hpp"

namespace unbraid::dsp {
namespace {

using namespace unbraid::testing;
using nlohmann::json;

class StftGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    UNBRAID_NEEDS_FIXTURE("dsp/stft.json");
    expected_ = load_json("dsp/stft.json");
    x_ = load_npy("dsp/x.npy").real;
  }

  template <class T = double>
  Spectrogram<T> transform(const StftOptions& options, std::size_t length) {
    const std::vector<T> samples(x_.begin(), x_.begin() + static_cast<std::ptrdiff_t>(length));
    return Stft<T>(options).forward(PlanarView<const T>(samples.data(), 1, length, length), pool_);
  }

  template <class T>
  std::vector<T> back(const StftOptions& options, const Spectrogram<T>& spectrogram, std::size_t length) {
    std::vector<T> samples(spectrogram.channels() * length);
    Stft<T>(options).inverse(spectrogram, PlanarView<T>(samples.data(), spectrogram.channels(), length, length), pool_);
    return samples;
  }

  double error_of_round_trip(const std::vector<double>& y) const {
    double worst = 0;
    for (std::size_t n = 0; n < y.size(); ++n) worst = std::max(worst, std::abs(y[n] - (n < x_.size() ? x_[n] : 0)));
    return worst;
  }

  json expected_;
  std::vector<double> x_;
  ThreadPool pool_{2};
};

template <class T>
void expect_stats(const Spectrogram<T>& z, const json& stats, double tolerance, const std::string& what) {
  double sum_abs = 0, sum_abs2 = 0, sum_re = 0, sum_im = 0, max_abs = 0;
  for (const auto& value : z.values()) {
    const double magnitude = std::abs(std::complex<double>(value));
    sum_abs += magnitude;
    sum_abs2 += magnitude * magnitude;
    sum_re += static_cast<double>(value.real());
    sum_im += static_cast<double>(value.imag());
    max_abs = std::max(max_abs, magnitude);
  }
  const double largest = stats.at("max_abs"), total = stats.at("sum_abs");
  EXPECT_NEAR(max_abs, largest, tolerance * largest) << what;
  EXPECT_NEAR(sum_abs, total, tolerance * total) << what;
  EXPECT_NEAR(sum_abs2, stats.at("sum_abs2"), 2 * tolerance * stats.at("sum_abs2").get<double>()) << what;
  EXPECT_NEAR(sum_re, stats.at("sum_re"), tolerance * total) << what;
  EXPECT_NEAR(sum_im, stats.at("sum_im"), tolerance * total) << what;
}

/// [bin][frame][channel] on disk against [channel][frame][bin] here.
void expect_array(const Spectrogram<double>& z, const Npy& array, double tolerance, const std::string& what) {
  const std::size_t channels = array.shape.size() == 3 ? array.shape[2] : 1;
  ASSERT_EQ(z.channels(), channels) << what;
  ASSERT_EQ(z.bins(), array.shape[0]) << what;
  ASSERT_EQ(z.frames(), array.shape[1]) << what;
  double largest = 0;
  for (std::size_t i = 0; i < array.size(); ++i) largest = std::max(largest, std::abs(array.complex(i)));
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t m = 0; m < z.frames(); ++m)
      for (std::size_t k = 0; k < z.bins(); ++k)
        ASSERT_NEAR(std::abs(z.at(c, m, k) - array.complex((k * z.frames() + m) * channels + c)), 0, tolerance * largest)
            << what << ": channel " << c << " frame " << m << " bin " << k;
}

template <class T>
void expect_value(const Spectrogram<T>& z, const json& expected, const char* key, std::size_t bin, std::size_t frame, double tolerance,
                  const std::string& what) {
  if (!expected.contains(key)) return;
  const std::complex<double> value{expected.at(key).at(0), expected.at(key).at(1)};
  const double largest = expected.at("stats").at("max_abs");
  EXPECT_NEAR(std::abs(std::complex<double>(z.at(0, frame, bin)) - value), 0, tolerance * largest) << what << key;
}

const StftOptions kSeed000{.window = {.length = 1024}, .hop = 256, .scaling = StftScaling::kScipySpectrum};

TEST_F(StftGolden, Seed000IsScipy) {
  const json& lengths = expected_.at("scipy_seed000").at("lengths");
  for (const auto& [key, entry] : lengths.items()) {
    const std::size_t length = std::stoul(key);
    if (length < 1024) continue;  // scipy shrinks its window there, or fails; ours keeps to what it was told
    const json& expected = entry.at("returns");
    const auto z = transform(kSeed000, length);
    ASSERT_EQ(z.bins(), expected.at("shape").at(0).get<std::size_t>());
    ASSERT_EQ(z.frames(), expected.at("shape").at(1).get<std::size_t>());
    expect_stats(z, expected.at("stft"), 1e-12, "length " + key);
    EXPECT_LT(error_of_round_trip(back(kSeed000, z, length)), 1e-14) << length;
  }
  for (const std::string length : {"1280", "4000"})
    expect_array(transform(kSeed000, std::stoul(length)), load_npy("dsp/scipy_seed_stft_" + length + ".npy"), 1e-12, length);
}

TEST_F(StftGolden, MaskedInverseIsScipys) {
  for (const std::string name : {"1280", "4000"}) {
    auto z = transform(kSeed000, std::stoul(name));
    const Npy mask = load_npy("dsp/scipy_seed_mask_" + name + ".npy");
    const Npy expected = load_npy("dsp/scipy_seed_istft_masked_" + name + ".npy");
    for (std::size_t m = 0; m < z.frames(); ++m)
      for (std::size_t k = 0; k < z.bins(); ++k) z.at(0, m, k) *= mask.real[k * z.frames() + m];
    const auto y = back(kSeed000, z, expected.size());
    const double largest = std::ranges::max(expected.real, {}, [](double v) { return std::abs(v); });
    for (std::size_t n = 0; n < y.size(); ++n) ASSERT_NEAR(y[n], expected.real[n], 1e-12 * std::abs(largest)) << n;
  }
}

TEST_F(StftGolden, OtherScipyCalls) {
  const StftScaling spectrum = StftScaling::kScipySpectrum;
  const std::pair<std::string, StftOptions> cases[] = {
      {"oracle_2048", {.window = {.length = 2048}, .hop = 1024, .scaling = spectrum}},
      {"no_boundary", {.window = {.length = 512}, .hop = 128, .centered = false, .pad_end = false, .scaling = spectrum}},
      {"boundary_even", {.window = {.length = 512}, .hop = 128, .padding = StftPadding::kReflect, .scaling = spectrum}},
      {"odd_nperseg", {.window = {.length = 501}, .hop = 168, .scaling = spectrum}},
      {"hamming", {.window = {.kind = WindowKind::kHamming, .length = 512}, .hop = 256, .scaling = spectrum}}};
  for (const auto& [name, options] : cases) {
    const json& expected = expected_.at("scipy_other").at(name);
    const auto z = transform(options, x_.size());
    expect_stats(z, expected.at("stats"), 1e-12, name);
    expect_value(z, expected, "Z[3,2]", 3, 2, 1e-12, name);
    expect_value(z, expected, "Z[40,1]", 40, 1, 1e-12, name);
    expect_value(z, expected, "Z[-1,-1]", z.bins() - 1, z.frames() - 1, 1e-12, name);
  }
}

// scipy appends the zeros that fill a short window up to n_fft, we put half of them in front: a linear phase.
TEST_F(StftGolden, ScipysZeroPaddedFramesUpToTheirPhase) {
  const StftOptions options{.window = {.length = 400}, .hop = 100, .n_fft = 512, .scaling = StftScaling::kScipySpectrum};
  const json& expected = expected_.at("scipy_other").at("nfft_padded");
  auto z = transform(options, x_.size());
  for (std::size_t m = 0; m < z.frames(); ++m)
    for (std::size_t k = 0; k < z.bins(); ++k) z.at(0, m, k) *= std::polar(1.0, 2 * std::numbers::pi * static_cast<double>(56 * k) / 512);
  expect_stats(z, expected.at("stats"), 1e-12, "nfft_padded");
  expect_value(z, expected, "Z[3,2]", 3, 2, 1e-12, "nfft_padded");
  expect_value(z, expected, "Z[40,1]", 40, 1, 1e-12, "nfft_padded");
}

TEST_F(StftGolden, NusslInStereo) {
  std::vector<double> stereo(10'000);
  for (std::size_t n = 0; n < 5000; ++n) {
    stereo[n] = x_[n];
    stereo[5000 + (n + 7) % 5000] = 0.5 * x_[n];
  }
  for (const auto& [name, expected] : expected_.at("nussl").items()) {
    const json& params = expected.at("resolved_params");
    StftOptions options{.window = {.kind = window_kind(params.at("window_type").get<std::string>()), .length = params.at("window_length")},
                        .hop = params.at("hop_length"),
                        .scaling = StftScaling::kScipySpectrum};
    const auto z = Stft<double>(options).forward(PlanarView<const double>(stereo.data(), 2, 5000, 5000), pool_);
    ASSERT_EQ(z.frames(), expected.at("shape").at(1).get<std::size_t>()) << name;
    expect_stats(z, expected.at("stats"), 1e-12, name);
    if (name == "512_128_sqrt_hann")  // stored as complex64
      expect_array(z, load_npy("dsp/nussl_512_128_sqrt_hann_stft.npy"), 1e-7, name);
    const auto y = back(options, z, 5000);
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], stereo[i], 1e-14);
  }
}

TEST_F(StftGolden, Torch) {
  int compared = 0;
  for (const auto& item : expected_.at("torch").items()) {
    const std::string& name = item.key();
    const json& entry = item.value();
    if (!entry.contains("returns")) continue;
    const json &params = entry.at("params"), &expected = entry.at("returns");
    const std::string window = params.at("window").is_null() ? "boxcar" : params.at("window").get<std::string>();
    const std::size_t n_fft = params.at("n_fft");
    const StftOptions options{.window = {.kind = window_kind(window.substr(0, window.find('_'))),
                                         .length = params.at("win_length").is_null() ? n_fft : params.at("win_length").get<std::size_t>()},
                              .hop = params.at("hop"),
                              .n_fft = n_fft,
                              .centered = params.at("center"),
                              .padding = params.at("pad_mode") == "reflect" ? StftPadding::kReflect : StftPadding::kZeros,
                              .pad_end = false,
                              .scaling = params.at("normalized") ? StftScaling::kTorchNormalized : StftScaling::kNone};
    const auto check = [&](const auto& z, double tolerance) {
      ASSERT_EQ(z.bins(), expected.at("shape").at(0).get<std::size_t>()) << name;
      ASSERT_EQ(z.frames(), expected.at("shape").at(1).get<std::size_t>()) << name;
      expect_stats(z, expected.at("stats"), tolerance, name);
      expect_value(z, expected, "Z[3,1]", 3, 1, tolerance, name);
      expect_value(z, expected, "Z[n_fft//4,0]", n_fft / 4, 0, tolerance, name);
      expect_value(z, expected, "Z[-1,-1]", z.bins() - 1, z.frames() - 1, tolerance, name);
    };
    if (params.at("dtype") == "torch.float32") {
      check(transform<float>(options, x_.size()), 1e-5);
    } else {
      check(transform(options, x_.size()), 1e-12);
      if (options.centered) {
        EXPECT_LT(error_of_round_trip(back(options, transform(options, x_.size()), x_.size())), 1e-13) << name;
      }
    }
    ++compared;
  }
  EXPECT_EQ(compared, 11);
  expect_array(transform({.window = {.length = 1024}, .hop = 256, .padding = StftPadding::kReflect, .pad_end = false}, x_.size()),
               load_npy("dsp/torch_1024_256_hann_center.npy"), 1e-12, "torch");
}

TEST_F(StftGolden, Librosa) {
  for (const auto& item : expected_.at("librosa").items()) {
    const std::string& name = item.key();
    const json& entry = item.value();
    const json &params = entry.at("params"), &expected = entry.at("returns");
    const std::size_t n_fft = params.at("n_fft");
    const std::size_t length = name == "n_fft_gt_len" ? 700 : x_.size();
    const StftOptions options{.window = {.kind = window_kind(params.value("window", "hann")), .length = params.value("win_length", n_fft)},
                              .hop = params.value("hop_length", n_fft / 4),
                              .n_fft = n_fft,
                              .centered = params.value("center", true),
                              .padding = params.value("pad_mode", "") == "reflect" ? StftPadding::kReflect : StftPadding::kZeros,
                              .pad_end = false};
    const auto check = [&](const auto& z, double tolerance) {
      ASSERT_EQ(z.frames(), expected.at("shape").at(1).get<std::size_t>()) << name;
      expect_stats(z, expected.at("stats"), tolerance, name);
      expect_value(z, expected, "Z[3,1]", 3, 1, tolerance, name);
      expect_value(z, expected, "Z[-1,-1]", z.bins() - 1, z.frames() - 1, tolerance, name);
    };
    if (expected.at("dtype") == "complex64") check(transform<float>(options, length), 1e-5);
    else check(transform(options, length), 1e-12);
  }
  expect_array(transform({.window = {.length = 2048}, .hop = 512, .pad_end = false}, x_.size()),
               load_npy("dsp/librosa_default_2048_512.npy"), 1e-12, "librosa");
}

// Seed 001's blocks: 7168 samples without padding, the synthesis window of tf.signal, so the block's ends
// fade.
TEST_F(StftGolden, Seed001IsTfSignal) {
  const StftOptions options{
      .window = {.length = 1024}, .hop = 256, .centered = false, .pad_end = false, .normalization = StftNormalization::kPeriodic};
  const json& expected = expected_.at("seed001_tf_signal");
  x_.resize(7168);
  const auto z = transform(options, x_.size());
  ASSERT_EQ(z.frames(), 25u);
  expect_stats(z, expected.at("stats"), 1e-12, "seed 001");
  const Npy inverse = load_npy("dsp/seed001_inverse.npy");
  const auto y = back(options, z, 7168);
  for (std::size_t n = 0; n < y.size(); ++n) ASSERT_NEAR(y[n], inverse.real[n], 1e-12) << n;
}

}  // namespace
}  // namespace unbraid::dsp
