#include "unbraid/dsp/stft.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::dsp {
namespace {

using Complex = std::complex<double>;

/// Planar samples in any precision.
template <class T>
struct Signal {
  std::size_t channels, frames;
  std::vector<T> samples = std::vector<T>(channels * frames);

  PlanarView<T> view() { return {samples.data(), channels, frames, frames}; }
  PlanarView<const T> view() const { return {samples.data(), channels, frames, frames}; }
};

template <class T>
Signal<T> noise(std::size_t channels, std::size_t frames) {
  Rng rng(frames, channels);
  Signal<T> signal{channels, frames};
  for (T& sample : signal.samples) sample = static_cast<T>(rng.uniform(-1, 1));
  return signal;
}

double sample_at(std::span<const double> x, std::ptrdiff_t index, StftPadding padding) {
  const auto length = static_cast<std::ptrdiff_t>(x.size());
  while (index < 0 || index >= length) {  // bounce until inside
    if (padding == StftPadding::kZeros) return 0;
    if (padding == StftPadding::kReplicate || length == 1) index = index < 0 ? 0 : length - 1;
    else index = index < 0 ? -index : 2 * (length - 1) - index;
  }
  return x[static_cast<std::size_t>(index)];
}

/// One value of the transform straight from the header's definition.
Complex defined(const StftOptions& options, std::span<const double> x, std::size_t frame, std::size_t bin) {
  const std::size_t n_fft = options.n_fft ? options.n_fft : options.window.length;
  const auto window = make_window(options.window);
  const std::size_t offset = (n_fft - window.size()) / 2;
  const std::ptrdiff_t lead = options.centered ? static_cast<std::ptrdiff_t>(n_fft / 2) : 0;
  Complex sum = 0;
  double window_sum = 0;
  for (std::size_t n = 0; n < window.size(); ++n) {
    window_sum += window[n];
    const auto index = static_cast<std::ptrdiff_t>(frame * options.hop + offset + n) - lead;
    if (index >= static_cast<std::ptrdiff_t>(x.size()) + lead) continue;
    const double turn = static_cast<double>(bin * (offset + n) % n_fft) / static_cast<double>(n_fft);
    sum += window[n] * sample_at(x, index, options.padding) * std::polar(1.0, -2 * std::numbers::pi * turn);
  }
  if (options.scaling == StftScaling::kScipySpectrum) return sum / window_sum;
  if (options.scaling == StftScaling::kTorchNormalized) return sum / std::sqrt(static_cast<double>(n_fft));
  return sum;
}

TEST(Stft, EqualsItsDefinitionInEveryMode) {
  ThreadPool pool(2);
  for (const std::size_t n_fft : {16u, 21u})
    for (const bool centered : {true, false})
      for (const bool pad_end : {true, false})
        for (const auto padding : {StftPadding::kZeros, StftPadding::kReflect, StftPadding::kReplicate})
          for (const auto scaling : {StftScaling::kNone, StftScaling::kScipySpectrum, StftScaling::kTorchNormalized})
            for (const std::size_t length : {1u, 2u, 4u, 5u, 6u, 15u, 16u, 17u, 64u}) {
              const StftOptions options{.window = {.kind = WindowKind::kHamming, .length = 16},
                                        .hop = 5,
                                        .n_fft = n_fft,
                                        .centered = centered,
                                        .padding = padding,
                                        .pad_end = pad_end,
                                        .scaling = scaling};
              const Stft<double> stft(options);
              const auto x = noise<double>(2, length);
              const auto spectrogram = stft.forward(x.view(), pool);
              ASSERT_EQ(spectrogram.channels(), 2u);
              ASSERT_EQ(spectrogram.frames(), stft.frames(length));
              ASSERT_EQ(spectrogram.bins(), n_fft / 2 + 1);
              for (std::size_t m = 0; m < spectrogram.frames(); ++m)
                for (std::size_t k = 0; k < spectrogram.bins(); ++k)
                  ASSERT_NEAR(std::abs(spectrogram.at(1, m, k) - defined(options, x.view().channel(1), m, k)), 0,
                              1e-14 * static_cast<double>(n_fft))
                      << "n_fft " << n_fft << " length " << length << " frame " << m << " bin " << k;
            }
}

TEST(Stft, FrameCounts) {
  const Stft<float> scipy({.window = {.length = 16}, .hop = 4});
  EXPECT_EQ(scipy.frames(0), 0u);
  EXPECT_EQ(scipy.frames(1), 2u);
  EXPECT_EQ(scipy.frames(4), 2u);
  EXPECT_EQ(scipy.frames(5), 3u);
  const Stft<float> torch({.window = {.length = 16}, .hop = 4, .pad_end = false});
  EXPECT_EQ(torch.frames(3), 1u);
  EXPECT_EQ(torch.frames(4), 2u);
  EXPECT_EQ(torch.frames(5), 2u);
  const Stft<float> plain({.window = {.length = 16}, .hop = 4, .centered = false, .pad_end = false});
  EXPECT_EQ(plain.frames(15), 0u);
  EXPECT_EQ(plain.frames(16), 1u);
  EXPECT_EQ(plain.frames(20), 2u);
  const Stft<float> padded({.window = {.length = 16}, .hop = 4, .centered = false});
  EXPECT_EQ(padded.frames(1), 1u);
  EXPECT_EQ(padded.frames(17), 2u);
}

template <class T>
double round_trip_error(const StftOptions& options, std::size_t length, ThreadPool& pool) {
  const Stft<T> stft(options);
  const auto x = noise<T>(2, length);
  Signal<T> y{2, length};
  stft.inverse(stft.forward(x.view(), pool), y.view(), pool);
  double worst = 0;
  for (std::size_t i = 0; i < x.samples.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(x.samples[i]) - static_cast<double>(y.samples[i])));
  return worst;
}

TEST(Stft, RoundTripIsExactForEveryLengthHopAndWindow) {
  ThreadPool pool(2);
  for (const WindowKind kind : {WindowKind::kHann, WindowKind::kSqrtHann, WindowKind::kHamming, WindowKind::kBlackmanHarris,
                                WindowKind::kKaiser, WindowKind::kBoxcar})
    for (const std::size_t window : {31u, 32u})
      for (const std::size_t hop : {1u, 7u, 8u, 16u})
        for (const std::size_t n_fft : {32u, 45u})
          for (const std::size_t length : {0u, 1u, 2u, 6u, 7u, 8u, 9u, 31u, 32u, 33u, 300u}) {
            const StftOptions options{.window = {.kind = kind, .length = window, .kaiser_beta = 8},
                                      .hop = hop,
                                      .n_fft = n_fft,
                                      .padding = StftPadding::kReflect,
                                      .scaling = StftScaling::kScipySpectrum};
            // A weight of order 1 and a few roundings each; Blackman-Harris at half overlap weighs some
            // samples with w² = 0.047 only, which magnifies them 1/0.047·w ≈ 5 times.
            EXPECT_LT(round_trip_error<double>(options, length, pool), 1e-14) << to_string(kind) << hop << ' ' << length;
            EXPECT_LT(round_trip_error<float>(options, length, pool), 5e-6) << to_string(kind) << hop << ' ' << length;
          }
}

TEST(Stft, RoundTripAcrossBlocksOfTheInverse) {
  ThreadPool pool(3);
  // Blocks are 128 hops long here; lengths around one and two of them.
  for (const std::size_t length : {128u * 16u - 1, 128u * 16u, 128u * 16u + 1, 256u * 16u + 1, 5000u})
    EXPECT_LT(round_trip_error<double>({.window = {.length = 64}, .hop = 16}, length, pool), 1e-14) << length;
}

TEST(Stft, UncenteredRoundTripNeedsWindowWeightAtTheEdges) {
  ThreadPool pool(1);
  const WindowSpec hamming{.kind = WindowKind::kHamming, .length = 32};
  EXPECT_LT(round_trip_error<double>({.window = hamming, .hop = 8, .centered = false}, 301, pool), 1e-13);
  // A periodic Hann window starts with a zero: the first sample is lost and comes back as zero, the rest is
  // there.
  const Stft<double> stft({.window = {.length = 32}, .hop = 8, .centered = false});
  const auto x = noise<double>(1, 301);
  Signal<double> y{1, 301};
  stft.inverse(stft.forward(x.view(), pool), y.view(), pool);
  EXPECT_EQ(y.samples[0], 0);
  for (std::size_t n = 1; n < 301; ++n) EXPECT_NEAR(y.samples[n], x.samples[n], 1e-13);
}

TEST(Stft, PeriodicNormalizationFadesTheEdges) {
  ThreadPool pool(1);
  const Stft<double> stft(
      {.window = {.length = 32}, .hop = 8, .centered = false, .pad_end = false, .normalization = StftNormalization::kPeriodic});
  Signal<double> ones{1, 96}, y{1, 96};
  std::fill(ones.samples.begin(), ones.samples.end(), 1.0);
  stft.inverse(stft.forward(ones.view(), pool), y.view(), pool);
  // A Hann window's squares at a quarter hop sum to 1.5; near the start only the frames 0 … n/8 contribute.
  const auto window = make_window({.length = 32});
  for (std::size_t n = 0; n < 24; ++n) {
    double weight = 0;
    for (std::size_t m = 0; m <= n / 8; ++m) weight += window[n - 8 * m] * window[n - 8 * m];
    EXPECT_NEAR(y.samples[n], weight / 1.5, 1e-14);
    EXPECT_NEAR(y.samples[n], n == 0 ? 0 : y.samples[96 - n], 1e-14);
  }
  for (std::size_t n = 24; n < 72; ++n) EXPECT_NEAR(y.samples[n], 1, 1e-14);
}

// Least squares: of all signals, the inverse's spectrogram is the closest to a given, inconsistent one.
TEST(Stft, InverseIsTheLeastSquaresSolution) {
  ThreadPool pool(1);
  const Stft<double> stft({.window = {.length = 16}, .hop = 4});
  constexpr std::size_t kLength = 40;
  Spectrogram<double> target(1, stft.frames(kLength), stft.bins());
  Rng rng(11);
  for (auto& value : target.values()) value = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
  // Bins stand for a conjugate pair, except the two that are real: those count once and have no imaginary
  // part.
  for (std::size_t m = 0; m < target.frames(); ++m)
    for (const std::size_t k : {std::size_t{0}, target.bins() - 1}) target.at(0, m, k).imag(0);
  const auto distance = [&](const Signal<double>& signal) {
    const auto x = stft.forward(signal.view(), pool);
    double sum = 0;
    for (std::size_t m = 0; m < x.frames(); ++m)
      for (std::size_t k = 0; k < x.bins(); ++k)
        sum += (k == 0 || k == x.bins() - 1 ? 1 : 2) * std::norm(x.at(0, m, k) - target.at(0, m, k));
    return sum;
  };
  Signal<double> best{1, kLength};
  stft.inverse(target, best.view(), pool);
  const double least = distance(best);
  for (std::size_t n = 0; n < kLength; ++n)
    for (const double step : {-1e-3, 1e-3}) {
      Signal<double> moved = best;
      moved.samples[n] += step;
      EXPECT_GT(distance(moved), least) << n;
    }
}

TEST(Stft, ResultDoesNotDependOnTheThreads) {
  const Stft<float> stft({.window = {.length = 256}, .hop = 64});
  const auto x = noise<float>(2, 70'001);
  ThreadPool one(1), many(5);
  const auto a = stft.forward(x.view(), one), b = stft.forward(x.view(), many);
  EXPECT_TRUE(std::ranges::equal(a.values(), b.values()));
  Signal<float> from_one{2, x.frames}, from_many{2, x.frames};
  stft.inverse(a, from_one.view(), one);
  stft.inverse(a, from_many.view(), many);
  EXPECT_EQ(from_one.samples, from_many.samples);
}

TEST(Stft, ViewsIntoLargerSignalsAndLongerOutputs) {
  ThreadPool pool(2);
  const Stft<float> stft({.window = {.length = 64}, .hop = 16});
  const auto x = noise<float>(2, 1000);
  const auto part = x.view().slice(101, 500);
  const auto spectrogram = stft.forward(part, pool);
  Signal<float> y{2, 700};
  std::fill(y.samples.begin(), y.samples.end(), 9.0f);
  stft.inverse(spectrogram, y.view(), pool);
  for (std::size_t n = 0; n < 700; ++n) {
    // The last frame is centred on 512 and ends at 544. Behind its centre only fading window ends weigh the
    // padding's zeros, so that rounding is magnified; behind its end there is nothing.
    const float expected = n < 500 ? part.channel(1)[n] : 0.0f;
    EXPECT_NEAR(y.view().channel(1)[n], expected, n <= 512 ? 1e-6 : n < 544 ? 1e-4 : 0) << n;
  }
}

TEST(Stft, SilenceStaysSilentAndNanStaysLocal) {
  ThreadPool pool(2);
  const Stft<float> stft({.window = {.length = 64}, .hop = 16});
  Signal<float> x{1, 1000}, y{1, 1000};
  const auto silence = stft.forward(x.view(), pool);
  for (const auto& value : silence.values()) EXPECT_EQ(value, std::complex<float>(0));
  x.samples[500] = std::numeric_limits<float>::quiet_NaN();
  stft.inverse(stft.forward(x.view(), pool), y.view(), pool);
  for (std::size_t n = 0; n < 1000; ++n) {
    const bool frame_in_common = n + 64 > 500 && n < 500 + 64;
    EXPECT_TRUE(frame_in_common || y.samples[n] == 0.0f) << n;
  }
  EXPECT_TRUE(std::isnan(y.samples[500]));
}

TEST(Stft, NoChannelsAndNoSamples) {
  ThreadPool pool(2);
  const Stft<float> stft({.window = {.length = 64}, .hop = 16});
  EXPECT_EQ(stft.forward(AudioBuffer(0, 100).view(), pool).size(), 0u);
  const auto empty = stft.forward(AudioBuffer(2, 0).view(), pool);
  EXPECT_EQ(empty.channels(), 2u);
  EXPECT_EQ(empty.frames(), 0u);
  AudioBuffer out(2, 5);
  out.channel(1)[3] = 1;
  stft.inverse(empty, out.view(), pool);
  for (const float sample : out.samples()) EXPECT_EQ(sample, 0.0f);
}

TEST(Stft, RefusesWhatCannotWork) {
  const auto code = [](const StftOptions& options) {
    try {
      Stft<float> stft(options);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + ' ' + error.context();
    }
    return std::string("accepted");
  };
  EXPECT_EQ(code({.window = {.length = 0}, .hop = 1}), "usage STFT window length");
  EXPECT_EQ(code({.window = {.length = 16}, .hop = 0}), "usage STFT hop");
  EXPECT_EQ(code({.window = {.length = 16}, .hop = 4, .n_fft = 15}), "usage STFT n_fft");
  EXPECT_EQ(code({.window = {.length = 16}, .hop = 16}), "usage STFT hop");  // Hann starts with a zero
  EXPECT_EQ(code({.window = {.length = 16}, .hop = 17}), "usage STFT hop");
  EXPECT_EQ(code({.window = {.kind = WindowKind::kBoxcar, .length = 16}, .hop = 16}), "accepted");
  EXPECT_EQ(code({.window = {.kind = WindowKind::kBoxcar, .length = 16}, .hop = 17}), "usage STFT hop");

  ThreadPool pool(1);
  const Stft<float> stft({.window = {.length = 16}, .hop = 4});
  Spectrogram<float> wrong(1, 3, 8);
  AudioBuffer mono(1, 8), stereo(2, 8);
  EXPECT_THROW(stft.forward(mono.view(), wrong, pool), Error);
  EXPECT_THROW(stft.inverse(wrong, mono.view(), pool), Error);
  EXPECT_THROW(stft.inverse(stft.forward(mono.view(), pool), stereo.view(), pool), Error);
}

}  // namespace
}  // namespace unbraid::dsp
