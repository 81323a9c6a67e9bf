// Closed forms of the smaller methods: mixtures of Gaussians, independent vectors, melody, gammatone bands, cascades.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "classic/gmm.hpp"
#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "classic/matrix.hpp"
#include "classic/melody.hpp"
#include "classic/tanh.hpp"
#include "support/signals.hpp"
#include "unbraid/classic/centre.hpp"
#include "unbraid/classic/duet.hpp"
#include "unbraid/classic/iva.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/classic/projet.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/dsp/stft.hpp"

namespace unbraid::classic {
namespace {

double energy(AudioView audio) {
  double sum = 0;
  for (std::size_t c = 0; c < audio.channels(); ++c)
    for (const float x : audio.channel(c)) sum += static_cast<double>(x) * x;
  return sum;
}

double snr_db(AudioView estimate, AudioView truth) {
  AudioBuffer error(estimate);
  add_scaled(truth, -1.0f, error);
  return 10 * std::log10(energy(truth) / energy(error));
}

Stems run_method(const Method& method, const AudioBuffer& mix, double rate, const std::map<std::string, std::string>& parameters = {}) {
  ThreadPool pool(2);
  RunContext run{pool};
  return method.make({.sample_rate = rate, .channels = mix.channels()}, ParameterValues::resolve(method.parameters, parameters), 1)
      ->process(mix, run);
}

TEST(Gmm, FindsSharesMeansAndSpreads) {
  Rng rng(3);
  std::vector<double> points, weights;
  for (int i = 0; i < 6000; ++i) {
    const bool first = rng.uniform() < 0.25;
    points.push_back(first ? rng.normal(-2, 0.3) : rng.normal(3, 1.5));
    points.push_back(first ? rng.normal(1, 2.0) : rng.normal(-1, 0.2));
    weights.push_back(1);
  }
  ThreadPool pool(2), three(3);
  RunContext run{pool}, other{three};
  const Mixture mixture = fit_gmm(points, 2, weights, {.clusters = 2, .seed = 1}, run);
  EXPECT_EQ(mixture.means, fit_gmm(points, 2, weights, {.clusters = 2, .seed = 1}, other).means);
  const std::size_t a = mixture.means[0] < mixture.means[2] ? 0 : 1, b = 1 - a;
  // Three standard errors of samples of 1500 and 4500.
  EXPECT_NEAR(mixture.shares[a], 0.25, 0.017);
  EXPECT_NEAR(mixture.means[2 * a], -2, 0.025);
  EXPECT_NEAR(mixture.means[2 * b], 3, 0.07);
  EXPECT_NEAR(std::sqrt(mixture.variances[2 * a + 1]), 2.0, 0.12);
  EXPECT_NEAR(std::sqrt(mixture.variances[2 * b + 1]), 0.2, 0.01);
  std::array<double, 2> share{};
  mixture.responsibilities(std::array{-2.0, 1.0}, share);
  EXPECT_GT(share[a], 0.999);
  EXPECT_NEAR(share[0] + share[1], 1, 1e-12);
  // A point twice is a point of weight two.
  std::vector<double> doubled = points;
  doubled.insert(doubled.end(), points.begin(), points.begin() + 2000);
  std::vector<double> heavy = weights, ones(7000, 1.0);
  std::fill_n(heavy.begin(), 1000, 2.0);
  const Mixture one = fit_gmm(points, 2, heavy, {.clusters = 2, .tolerance = 0, .seed = 1}, run);
  const Mixture two = fit_gmm(doubled, 2, ones, {.clusters = 2, .tolerance = 0, .seed = 1}, run);
  EXPECT_NEAR(std::min(one.shares[0], one.shares[1]), std::min(two.shares[0], two.shares[1]), 1e-6);
  EXPECT_EQ(fit_gmm({}, 2, {}, {.clusters = 3}, run).shares, std::vector<double>(3, 1.0 / 3));
}

TEST(Gmm, SoftMasksOfDirections) {
  const AudioBuffer a = testing::noise(1, 160000, 1, 0.3), b = testing::noise(1, 160000, 2, 0.3);
  AudioBuffer mix(2, 160000);
  for (std::size_t i = 0; i < 160000; ++i) {
    const bool first = i / 20000 % 2 == 0;  // by turns, so that bins belong to one of them
    mix.channel(0)[i] = first ? a.channel(0)[i] : 0.1f * b.channel(0)[i];
    mix.channel(1)[i] = first ? 0.1f * a.channel(0)[i] : b.channel(0)[i];
  }
  const Stems stems = run_method(spatial_method(), mix, 16000, {{"clusters", "gmm"}});
  AudioBuffer left(mix);
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t i = 0; i < 160000; ++i)
      if (i / 20000 % 2 != 0) left.channel(c)[i] = 0;
  EXPECT_GT(snr_db(stems[0].audio, left), 10);
}

// Two sources with silences of their own through a mixing matrix per bin, as a room makes them.
TEST(Iva, UnmixesEveryBinAndKeepsTheBinsTogether) {
  constexpr std::size_t kFrames = 1500, kBins = 40;
  dsp::Spectrogram<float> mix(2, kFrames, kBins);
  std::vector<dsp::Spectrogram<float>> truth(2, dsp::Spectrogram<float>(2, kFrames, kBins));
  Rng rng(8);
  std::vector<double> level(2);
  std::vector<std::array<std::complex<double>, 4>> rooms(kBins);
  for (auto& room : rooms)
    for (auto& value : room) value = {rng.normal(), rng.normal()};
  for (std::size_t m = 0; m < kFrames; ++m) {
    for (double& l : level) l = std::abs(rng.normal()) * std::abs(rng.normal());  // common to all bins of a source
    for (std::size_t k = 0; k < kBins; ++k)
      for (std::size_t j = 0; j < 2; ++j) {
        const std::complex<double> s = level[j] * std::complex<double>(rng.normal(), rng.normal());
        for (std::size_t c = 0; c < 2; ++c) {
          truth[j].at(c, m, k) = std::complex<float>(rooms[k][2 * c + j] * s);
          mix.at(c, m, k) += truth[j].at(c, m, k);
        }
      }
  }
  ThreadPool pool(2), one(1);
  RunContext run{pool}, alone{one};
  const auto images = fast_iva(mix, {}, run);
  const auto error = [&](std::size_t image, std::size_t source) {
    double wrong = 0, right = 0;
    for (std::size_t i = 0; i < mix.size(); ++i) {
      wrong += std::norm(images[image].values()[i] - truth[source].values()[i]);
      right += std::norm(truth[source].values()[i]);
    }
    return 10 * std::log10(right / wrong);
  };
  const bool swapped = error(0, 1) > error(0, 0);
  EXPECT_GT(error(0, swapped ? 1 : 0), 15);
  EXPECT_GT(error(1, swapped ? 0 : 1), 15);
  const auto again = fast_iva(mix, {}, alone);
  for (std::size_t i = 0; i < mix.size(); ++i) {
    ASSERT_EQ(images[0].values()[i], again[0].values()[i]) << "depends on threads";
    ASSERT_NEAR(std::abs(images[0].values()[i] + images[1].values()[i] - mix.values()[i]), 0, 1e-3);
  }
  EXPECT_THROW(fast_iva(dsp::Spectrogram<float>(1, 3, 3), {}, run), Error);
}

TEST(Melody, FollowsAGlidingTone) {
  constexpr double kRate = 22050;
  constexpr std::size_t kFrames = 66150;
  AudioBuffer voice(1, kFrames), noise = testing::noise(1, kFrames, 4, 0.05);
  double phase = 0;
  std::vector<double> hz(kFrames);
  for (std::size_t i = 0; i < kFrames; ++i) {
    const double t = static_cast<double>(i) / kRate;
    hz[i] = 220 * std::exp2(0.5 * std::sin(2 * std::numbers::pi * 0.4 * t));
    phase += 2 * std::numbers::pi * hz[i] / kRate;
    double value = 0;
    if (t < 2)
      for (int h = 1; h <= 8; ++h) value += std::sin(h * phase) / h;
    voice.channel(0)[i] = static_cast<float>(0.3 * value);
  }
  AudioBuffer mix(voice);
  add_scaled(noise, 1, mix);
  ThreadPool pool(2);
  RunContext run{pool};
  const dsp::StftOptions options = stft_options(kRate, 93);
  const dsp::Stft<float> stft(options);
  const auto melody = track_melody(joint_magnitudes(stft.forward(mix, pool), pool), {.sample_rate = kRate}, run);
  std::size_t right = 0, silent = 0, heard = 0, rests = 0;
  for (std::size_t m = 4; m + 4 < melody.size(); ++m) {
    const std::size_t i = std::min(m * options.hop, kFrames - 1);
    const double t = static_cast<double>(i) / kRate;
    if (t < 1.9) ++heard, right += melody[m] > 0 && std::abs(12 * std::log2(melody[m] / hz[i])) < 0.5;
    if (t > 2.1) ++rests, silent += melody[m] == 0;
  }
  EXPECT_GT(static_cast<double>(right), 0.95 * static_cast<double>(heard));
  EXPECT_GT(static_cast<double>(silent), 0.9 * static_cast<double>(rests));
  EXPECT_GT(snr_db(run_method(melody_method(), mix, kRate)[0].audio, voice), 10);
  EXPECT_THROW(track_melody(dsp::Magnitudes<float>(1, 2, 9), {.low_hz = 500, .high_hz = 100}, run), Error);
}

// At the centre of a band its weight is at least the share that the response of order 4 leaves its neighbours.
TEST(Gammatone, ToneGoesToItsBand) {
  constexpr double kRate = 44100;
  AudioBuffer tone(1, 44100);
  const auto erb = [](double hz) { return 21.4 * std::log10(1 + 0.00437 * hz); };
  const double number = erb(80) + 4.0 / 7 * (erb(12000) - erb(80));
  const double centre = (std::pow(10, number / 21.4) - 1) / 0.00437;
  for (std::size_t i = 0; i < tone.frames(); ++i)
    tone.channel(0)[i] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * centre * static_cast<double>(i) / kRate));
  const Stems stems = run_method(gammatone_method(), tone, kRate);
  ASSERT_EQ(stems.size(), 8u);
  EXPECT_GT(snr_db(stems[4].audio, tone), 30);
  EXPECT_THROW(run_method(gammatone_method(), tone, kRate, {{"low_hz", "9000"}, {"high_hz", "300"}}), Error);
}

// What lasts, what is struck, and what wavers between them.
TEST(HpssCascade, TellsThreeKindsApart) {
  constexpr double kRate = 22050;
  constexpr std::size_t kFrames = 110250;
  AudioBuffer steady(1, kFrames), struck(1, kFrames), sung(1, kFrames);
  Rng rng(5);
  double phase = 0;
  for (std::size_t i = 0; i < kFrames; ++i) {
    const double t = static_cast<double>(i) / kRate;
    steady.channel(0)[i] = static_cast<float>(0.2 * std::sin(2 * std::numbers::pi * 261.6 * t));
    struck.channel(0)[i] = i % 11025 == 0 ? 0.9f : 0.0f;
    const double glide = std::abs(std::fmod(0.8 * t, 2.0) - 1);  // 0 to 1 and back: 240 Hz in a second
    phase += 2 * std::numbers::pi * (500 + 300 * glide) / kRate;
    sung.channel(0)[i] = static_cast<float>(0.2 * std::sin(phase));
  }
  AudioBuffer mix(steady);
  add_scaled(struck, 1, mix);
  add_scaled(sung, 1, mix);
  const Stems stems = run_method(hpss_cascade_method(), mix, kRate);
  EXPECT_GT(snr_db(stems.at("harmonic"), steady), 8);
  EXPECT_GT(snr_db(stems.at("vocals"), sung), 8);
  EXPECT_GT(snr_db(stems.at("percussive"), struck), 3);
}

// A source at an angle has no side there: the mask is 1 at its place and small at others.
TEST(Classic4, TellsAKickFromABassOfTheSamePitch) {
  constexpr double kRate = 44100;
  constexpr std::size_t kFrames = 220500, kBeat = 22050, kStroke = 4000;
  AudioBuffer bass(1, kFrames), kick(1, kFrames);
  const double turn = 2 * std::numbers::pi / kRate;
  for (std::size_t n = 0; n < kFrames; ++n) {
    const auto t = static_cast<double>(n);
    bass.channel(0)[n] = static_cast<float>(0.2 * std::sin(turn * 70 * t));
    const std::size_t since = n % kBeat;
    if (since < kStroke) {  // from 160 Hz down to 60 Hz
      const double s = static_cast<double>(since) / kRate;
      const double turns = 60 * s + 100 * 0.03 * (1 - std::exp(-s / 0.03));
      kick.channel(0)[n] = static_cast<float>(0.6 * std::exp(-s / 0.03) * std::sin(2 * std::numbers::pi * turns));
    }
  }
  AudioBuffer mix(bass);
  add_scaled(kick, 1.0f, mix);
  const Stems stems = run_method(classic4_method(), mix, kRate);
  // The middle of the piece, where every median sees whole windows. 20.0 and 14.3 dB; without the stage that
  // looks for kicks in the bass, 14.6 and 8.8 dB.
  const auto middle = [](const AudioBuffer& audio) { return audio.view().slice(44100, 132300); };
  EXPECT_GT(snr_db(middle(stems.at("bass")), middle(bass)), 18);
  EXPECT_GT(snr_db(middle(stems.at("drums")), middle(kick)), 12);
}

TEST(Centre, TurnsToAnyPlace) {
  for (const double degrees : {-30.0, 0.0, 25.0}) {
    const double place = (45 + degrees) * std::numbers::pi / 180;
    dsp::Spectrogram<float> x(2, 1, 3);
    for (std::size_t k = 0; k < 3; ++k) {
      const double angle = place + static_cast<double>(k) * 20 * std::numbers::pi / 180;
      x.at(0, 0, k) = std::polar(static_cast<float>(std::cos(angle)), 0.7f);
      x.at(1, 0, k) = std::polar(static_cast<float>(std::sin(angle)), 0.7f);
    }
    ThreadPool pool(1);
    const auto mask = centre_mask(x, {.width_deg = 10, .azimuth_deg = degrees, .power = 2}, 44100, pool);
    EXPECT_NEAR(mask.at(0, 0, 0), 1, 1e-6);
    for (std::size_t k = 1; k < 3; ++k) {
      const double ratio = std::tan(20.0 * static_cast<double>(k) * std::numbers::pi / 180) / std::tan(10 * std::numbers::pi / 180);
      EXPECT_NEAR(mask.at(0, 0, k), 1 / (1 + ratio * ratio), 1e-5) << degrees;
    }
  }
}

TEST(Centre, RefusesBandsBelowZeroAndTakesSpectrogramsWithoutBins) {
  ThreadPool pool(1);
  const dsp::Spectrogram<float> x(2, 3, 9);
  const auto refuses = [&](const CentreOptions& options, double rate) {
    try {
      centre_mask(x, options, rate, pool);
      return false;
    } catch (const Error& error) {
      return error.code() == ErrorCode::kUsage;
    }
  };
  EXPECT_TRUE(refuses({.low_hz = -100, .high_hz = -50}, 44100));
  EXPECT_TRUE(refuses({.low_hz = std::nan("")}, 44100));
  EXPECT_TRUE(refuses({}, 0));
  EXPECT_TRUE(refuses({}, std::nan("")));
  EXPECT_FALSE(refuses({.low_hz = 1e300, .high_hz = 1e301}, 44100));  // above all bins
  EXPECT_EQ(centre_mask(dsp::Spectrogram<float>(2, 3, 0), {}, 44100, pool).size(), 0u);
}

// Two sources in stereo after two seconds of digital silence: the factors stay numbers, and the sources come apart.
TEST(Projet, SilenceBeforeTheMusic) {
  constexpr std::size_t kSilent = 30, kFrames = 120, kBins = 24;
  const double places[] = {0.35, 1.2};  // radians from the left channel
  std::vector<dsp::Spectrogram<float>> truth(2, dsp::Spectrogram<float>(2, kFrames, kBins));
  dsp::Spectrogram<float> mix(2, kFrames, kBins);
  Rng rng(7);
  for (std::size_t j = 0; j < 2; ++j)
    for (std::size_t m = kSilent; m < kFrames; ++m)
      for (std::size_t k = 0; k < kBins; ++k) {
        if (rng.uniform() < 0.7) continue;  // few bins hold both
        const std::complex<double> s{rng.normal(), rng.normal()};
        for (std::size_t c = 0; c < 2; ++c) {
          truth[j].at(c, m, k) = std::complex<float>(s * (c == 0 ? std::cos(places[j]) : std::sin(places[j])));
          mix.at(c, m, k) += truth[j].at(c, m, k);
        }
      }
  ThreadPool pool(2);
  RunContext run{pool};
  const ProjetOptions options;
  auto model = projet_random_start<float>(kBins, kFrames, options, 1);
  projet(mix, model, options, run);
  for (const auto* factor : {&model.spectra, &model.panorama})
    EXPECT_TRUE(std::ranges::all_of(*factor, [](float x) { return std::isfinite(x) && x >= 0; }));
  const auto first = projet_source(mix, model, 0, options, pool);
  double snr[2];
  for (std::size_t j = 0; j < 2; ++j) {
    double wrong = 0, right = 0;
    for (std::size_t i = 0; i < mix.size(); ++i) {
      wrong += std::norm(first.values()[i] - truth[j].values()[i]);
      right += std::norm(truth[j].values()[i]);
    }
    snr[j] = 10 * std::log10(right / wrong);
  }
  EXPECT_GT(std::max(snr[0], snr[1]), 10);  // 14.0; half of the mix is at 3 dB of either
  // A factor that is no number is an error, not half of the mix.
  model.panorama[0] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(projet(mix, model, options, run), Error);
}

// The histogram by its definition, and by any number of threads.
TEST(Duet, HistogramIsThatOfTheDefinition) {
  dsp::Spectrogram<double> x(2, 600, 20);  // more frames than one task takes
  Rng rng(9);
  for (std::complex<double>& value : x.values()) value = {rng.normal(), rng.normal()};
  ThreadPool one(1), three(3);
  for (const auto& [p, q] : {std::pair{1.0, 0.0}, {0.5, 2.0}, {0.0, 1.0}}) {
    const DuetOptions options{.attenuation_cells = 7, .delay_cells = 9, .weight_power = p, .frequency_power = q};
    std::vector<double> expected(63);
    for (std::size_t m = 0; m < x.frames(); ++m)
      for (std::size_t k = 1; k < x.bins(); ++k) {
        const double l = std::abs(x.at(0, m, k)), r = std::abs(x.at(1, m, k)), w = std::numbers::pi * static_cast<double>(k) / 19;
        const double a = (r / l - l / r + 3) / 6 * 7, d = (-std::arg(x.at(1, m, k) / x.at(0, m, k)) / w + 3) / 6 * 9;
        if (a <= 0 || a >= 7 || d <= 0 || d >= 9) continue;
        expected[static_cast<std::size_t>(a) * 9 + static_cast<std::size_t>(d)] += std::pow(l * r, p) * std::pow(w, q);
      }
    const double greatest = std::ranges::max(expected);
    const DuetHistogram histogram = duet_histogram(x, options, one);
    for (std::size_t i = 0; i < 63; ++i) EXPECT_NEAR(histogram.raw[i], expected[i] / greatest, 1e-12);
    EXPECT_EQ(histogram.raw, duet_histogram(x, options, three).raw);
  }
}

TEST(Duet, RefusesAHistogramOfOtherCells) {
  for (const std::size_t cells : {0u, 51u, 2600u}) {
    try {
      duet_sources({.raw = std::vector<double>(cells), .smooth = std::vector<double>(cells)}, {});
      ADD_FAILURE() << cells;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
    }
  }
}

TEST(Ica, TanhIsThatOfTheStandardLibrary) {
  Matrix<double> x(3, 2001);
  for (Eigen::Index i = 0; i < x.cols(); ++i) {
    x(0, i) = 0.01 * static_cast<double>(i - 1000);
    x(1, i) = 1e-6 * static_cast<double>(i - 1000);
    x(2, i) = 1e3 * static_cast<double>(i - 1000);
  }
  const Matrix<double> y = tanh_of(x);
  for (Eigen::Index i = 0; i < x.size(); ++i) ASSERT_NEAR(y(i), std::tanh(x(i)), 4e-16) << x(i);  // two units of 1's last digit
}

}  // namespace
}  // namespace unbraid::classic
