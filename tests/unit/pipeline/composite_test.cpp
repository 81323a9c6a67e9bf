// Ensembles, chains and test-time augmentation, by closed forms.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <initializer_list>
#include <memory>
#include <numbers>
#include <span>

#include "support/separators.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/pipeline/plan.hpp"
#include "unbraid/pipeline/separate.hpp"

namespace unbraid {
namespace {

using testing::FunctionSeparator;
using testing::largest_difference;
using testing::noise;

constexpr double kRate = 8000;
const std::size_t kLengths[] = {0, 1, 2, 999, 1000, 70001};

/// Stem i is gains[i] times the block.
std::shared_ptr<Separator> scales(std::vector<std::string> stems, std::vector<float> gains, std::size_t length = 1000) {
  return std::make_shared<FunctionSeparator>(
      SeparatorInfo{.stems = std::move(stems), .sample_rate = kRate, .channels = 2, .blocks = Chunked{.length = length}},
      [gains](AudioView block) {
        std::vector<AudioBuffer> out;
        for (const float gain : gains) add_scaled(block, gain, out.emplace_back(block.channels(), block.frames()));
        return out;
      });
}

FunctionSeparator composite(std::vector<std::string> stems, std::variant<WholeTrack, Chunked, Ensemble, Chain> blocks) {
  return {{.stems = std::move(stems), .sample_rate = kRate, .channels = 2, .blocks = std::move(blocks)},
          [](AudioView) -> std::vector<AudioBuffer> {
            throw Error{ErrorCode::kInternal, "a composite was asked itself"};
          }};
}

Stems run_separator(AudioView mix, Separator& separator, const SeparationOptions& options = {}) {
  ThreadPool pool(2);
  RunContext run{pool};
  return separate(mix, kRate, separator, options, run);
}

AudioBuffer times(AudioView x, float gain) {
  AudioBuffer y(x.channels(), x.frames());
  add_scaled(x, gain, y);
  return y;
}

TEST(EnsembleOf, MeansWithWeightsOverTheMembersThatGiveAStem) {
  for (const std::size_t frames : kLengths) {
    FunctionSeparator both =
        composite({"a", "b"}, Ensemble{.members = {{scales({"a"}, {0.5f}, 64), {3, 0}}, {scales({"b", "a"}, {0.2f, 0.1f}, 4096), {1, 1}}}});
    const AudioBuffer mix = noise(2, frames, frames);
    const Stems stems = run_separator(mix, both);
    EXPECT_LT(largest_difference(stems.at("a"), times(mix, 0.4f)), 1e-6) << frames;  // (3 · 0.5 + 0.1) / 4
    EXPECT_LT(largest_difference(stems.at("b"), times(mix, 0.2f)), 1e-6) << frames;
  }
}

TEST(EnsembleOf, RefusesToGiveWhatIsNoNumber) {
  FunctionSeparator both = composite({"a"}, Ensemble{.members = {{scales({"a"}, {1.0f}), {HUGE_VAL}}, {scales({"a"}, {0.5f}), {1}}}});
  try {
    run_separator(noise(2, 5000, 1), both);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("a: "), std::string::npos) << error.what();
  }
}

TEST(EnsembleOf, TakesTheMedian) {
  for (const std::size_t frames : kLengths) {
    const AudioBuffer mix = noise(2, frames, frames);
    FunctionSeparator three = composite(
        {"a"}, Ensemble{.members = {{scales({"a"}, {1.0f}), {1}}, {scales({"a"}, {0.3f}, 77), {1}}, {scales({"a"}, {-5.0f}), {1}}},
                        .combine = Ensemble::Combine::kMedian});
    EXPECT_LT(largest_difference(run_separator(mix, three).at("a"), times(mix, 0.3f)), 1e-6);
    FunctionSeparator two = composite(
        {"a"}, Ensemble{.members = {{scales({"a"}, {1.0f}), {1}}, {scales({"a"}, {0.5f}), {1}}}, .combine = Ensemble::Combine::kMedian});
    EXPECT_LT(largest_difference(run_separator(mix, two).at("a"), times(mix, 0.75f)), 1e-6);
  }
}

/// A separator that delays by one sample has other magnitudes bin by bin only where signals are not stationary; here the
/// members are unrelated noises, looked up by place, so that every bin is a choice.
TEST(EnsembleOf, ChoosesBinByBinAsOnTheWholeTrack) {
  for (const std::size_t frames : {1u, 1024u, 5000u, 200000u})
    for (const auto combine : {Ensemble::Combine::kMin, Ensemble::Combine::kMax}) {
      const AudioBuffer mix = noise(2, frames, 1);
      std::vector<AudioBuffer> voices;
      Ensemble ensemble{.members = {}, .combine = combine};
      for (std::size_t v = 0; v < 3; ++v) {
        voices.push_back(noise(2, frames, 100 + v));
        ensemble.members.push_back({std::make_shared<FunctionSeparator>(SeparatorInfo{.stems = {"a"}, .sample_rate = kRate, .channels = 2},
                                                                        [voice = voices.back()](AudioView) { return std::vector{voice}; }),
                                    {1}});
      }
      FunctionSeparator all = composite({"a"}, std::move(ensemble));
      const Stems stems = run_separator(mix, all);

      ThreadPool pool(1);
      const dsp::Stft<float> stft({.window = {.length = 2048}, .hop = 1024});
      std::vector<dsp::Spectrogram<float>> spectra;
      for (const AudioBuffer& voice : voices) spectra.push_back(stft.forward(voice.view(), pool));
      for (std::size_t c = 0; c < 2; ++c)
        for (std::size_t m = 0; m < spectra[0].frames(); ++m)
          for (std::size_t k = 0; k < spectra[0].bins(); ++k)
            for (std::size_t v = 1; v < 3; ++v) {
              auto& best = spectra[0].frame(c, m)[k];
              const auto now = spectra[v].frame(c, m)[k];
              if (combine == Ensemble::Combine::kMax ? std::norm(now) > std::norm(best) : std::norm(now) < std::norm(best)) best = now;
            }
      AudioBuffer expected(2, frames);
      stft.inverse(spectra[0], expected.view(), pool);
      // FFTs of blocks against one of the track: bins of nearly equal magnitude may be chosen otherwise.
      EXPECT_LT(largest_difference(stems.at("a"), expected), 1e-5) << frames;
    }
}

TEST(EnsembleOf, SharesTheMixtureByGeometricMeans) {
  for (const std::size_t frames : {0u, 1u, 1000u, 200000u}) {
    const AudioBuffer mix = noise(2, frames, 3);
    FunctionSeparator both = composite(
        {"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.5f, 0.5f}, 64), {1, 1}}, {scales({"a", "b"}, {0.2f, -0.8f}, 4096), {1, 1}}},
                             .combine = Ensemble::Combine::kGeometric});
    const Stems stems = run_separator(mix, both);  // √(0.5 · 0.2) : √(0.5 · 0.8) = 1 : 2
    EXPECT_LT(largest_difference(stems.at("a"), times(mix, 1.0f / 3)), 2e-6) << frames;
    EXPECT_LT(largest_difference(stems.at("b"), times(mix, 2.0f / 3)), 2e-6) << frames;

    FunctionSeparator sharp = composite(
        {"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.5f, 0.5f}, 64), {1, 1}}, {scales({"a", "b"}, {0.2f, -0.8f}, 4096), {1, 1}}},
                             .combine = Ensemble::Combine::kGeometric,
                             .sharpness = 2});
    EXPECT_LT(largest_difference(run_separator(mix, sharp).at("a"), times(mix, 1.0f / 5)), 2e-6) << frames;  // 1² : 2²

    FunctionSeparator blend = composite(
        {"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.5f, 0.5f}, 64), {1, 1}}, {scales({"a", "b"}, {0.2f, 0.8f}, 4096), {1, 1}}},
                             .combine = Ensemble::Combine::kBlend});
    EXPECT_LT(largest_difference(run_separator(mix, blend).at("a"), times(mix, (1.0f / 3 + 0.35f) / 2)), 2e-6) << frames;

    // The second member gives b alone, and the stems add up all the same: half of (0.25, 0.6), and the rest as 0.25 : √(0.75 · 0.45).
    FunctionSeparator uneven = composite(
        {"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.25f, 0.75f}, 64), {1, 1}}, {scales({"b"}, {0.45f}, 4096), {0, 1}}},
                             .combine = Ensemble::Combine::kBlend});
    const Stems parts = run_separator(mix, uneven);
    const double geometric = std::sqrt(0.75 * 0.45), of_a = 0.125 + 0.575 * 0.25 / (0.25 + geometric);
    EXPECT_LT(largest_difference(parts.at("a"), times(mix, static_cast<float>(of_a))), 2e-6) << frames;
    EXPECT_LT(largest_difference(parts.at("b"), times(mix, static_cast<float>(1 - of_a))), 2e-6) << frames;

    // Weights of 3 and 1; what a member rules out counts as −80 dB: 0.5^¾ · 0.5^¼ : 0.5^¾ · (10⁻⁴)^¼.
    FunctionSeparator one =
        composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.5f, 0.5f}), {3, 3}}, {scales({"a", "b"}, {0.5f, 0.0f}), {1, 1}}},
                                       .combine = Ensemble::Combine::kGeometric});
    const double b = std::pow(0.5, 0.75) * 0.1, share = b / (0.5 + b);
    EXPECT_LT(largest_difference(run_separator(mix, one).at("b"), times(mix, static_cast<float>(share))), 2e-6) << frames;
  }
}

TEST(EnsembleOf, SharesSilenceAndFaintSoundAtTheGreatestSharpness) {
  AudioBuffer mix = noise(1, 30000, 4);
  for (std::size_t i = 0; i < 20000; ++i) mix.channel(0)[i] *= i < 10000 ? 0.0f : 1e-18f;  // bins whose power is no float
  FunctionSeparator all = composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.75f, 0.25f}), {1, 1}}},
                                                         .combine = Ensemble::Combine::kGeometric,
                                                         .sharpness = kMostSharpness});
  const Stems stems = run_separator(mix, all);
  const double b = 1 / (1 + std::pow(3.0, kMostSharpness));
  AudioBuffer sum = stems.at("a");
  add_scaled(stems.at("b"), 1.0f, sum);
  EXPECT_LT(largest_difference(sum, mix), 2e-6);  // an STFT of float32 and back
  for (std::size_t i = 25000; i < 30000; ++i) EXPECT_NEAR(stems.at("b").channel(0)[i], mix.channel(0)[i] * b, 2e-6);
}

/// How much of a stem is kept, by what all but the loudest hold and by its mean share where it sounds.
double kept_of(double rest, double leading, double threshold_db) {
  const auto step = [](double x) { return std::pow(x, 8) / (1 + std::pow(x, 8)); };
  return 1 - (1 - step(rest / std::pow(10.0, threshold_db / 10))) * (1 - step(leading / 0.6));
}

// Two stems that are one signal have the same share in all bins: gains in closed form, whatever the length and the blocks.
TEST(EnsembleOf, ASoloTakesWhatLeadsNowhere) {
  for (const auto combine : {Ensemble::Combine::kMean, Ensemble::Combine::kGeometric})
    for (const auto& [soft, threshold] : {std::pair{0.1f, -10.0}, {0.2f, -10.0}, {0.25f, -10.0}, {0.4f, -10.0}, {0.45f, -3.0}})
      for (const std::size_t frames : kLengths) {
        FunctionSeparator gated =
            composite({"a", "b"},
                      Ensemble{.members = {{scales({"a", "b"}, {1 - soft, soft}, 64), {1, 1}}}, .combine = combine, .solo_db = threshold});
        const AudioBuffer mix = noise(2, frames, frames);
        const Stems stems = run_separator(mix, gated);
        const double share = std::pow(soft, 2) / (std::pow(soft, 2) + std::pow(1 - soft, 2));
        const double left = soft * kept_of(share, share, threshold);
        EXPECT_LT(largest_difference(stems.at("b"), times(mix, static_cast<float>(left))), 2e-6) << frames;
        EXPECT_LT(largest_difference(stems.at("a"), times(mix, static_cast<float>(1 - left))), 2e-6) << frames;
      }
  EXPECT_NEAR(kept_of(0.1, 0.1, -10), 0.5, 1e-6);                // the stem of 0.25: at the threshold
  EXPECT_GT(kept_of(0.4, 0.4, -3) - kept_of(0.4, 0, -3), 0.03);  // the stem of 0.45: its mean share counts, too
}

/// A member that gives each channel as a stem of its own: on the left as it is, on the right times a gain.
std::shared_ptr<Separator> sides(std::array<float, 2> right) {
  return std::make_shared<FunctionSeparator>(
      SeparatorInfo{.stems = {"left", "right"}, .sample_rate = kRate, .channels = 2, .blocks = Chunked{.length = 1000}},
      [right](AudioView block) {
        std::vector out(2, AudioBuffer(2, block.frames()));
        for (std::size_t s = 0; s < 2; ++s)
          for (std::size_t t = 0; t < block.frames(); ++t) {
            out[s].channel(0)[t] = block.channel(s)[t];
            out[s].channel(1)[t] = right[s] * block.channel(s)[t];
          }
        return out;
      });
}

// A sound of its own, 20 dB below the loudest stem, is no leak of it: σ(1 / 0.6) = 0.983 of it stays.
TEST(EnsembleOf, ASoftSecondInstrumentIsNoSolo) {
  AudioBuffer mix(2, 60000);
  for (std::size_t t = 0; t < mix.frames(); ++t) {
    mix.channel(0)[t] = std::sin(0.1f * static_cast<float>(t));
    mix.channel(1)[t] = 0.1f * std::sin(0.9f * static_cast<float>(t));
  }
  FunctionSeparator gated = composite({"left", "right"}, Ensemble{.members = {{sides({1, 1}), {1, 1}}}, .solo_db = -7});
  const Stems stems = run_separator(mix, gated);
  const double kept = kept_of(0.0099, 1, -7);
  EXPECT_GT(kept, 0.98);
  for (std::size_t t = 20000; t < 40000; ++t) {  // columns at the ends cut the tones off, and hold more than two lines
    const double low = mix.channel(0)[t], high = mix.channel(1)[t];
    ASSERT_NEAR(stems.at("right").channel(0)[t], kept * high, 2e-6) << t;  // float32 of samples up to 1
    ASSERT_NEAR(stems.at("left").channel(0)[t], low + (1 - kept) * high, 2e-6) << t;
  }
}

// Two noises, with levels that change; against the formula over the whole recording.
TEST(EnsembleOf, SolosAreFoundOverSeconds) {
  constexpr std::size_t kFrames = 300001, kHop = 1024, kReach = 8;  // a second at 8 kHz
  constexpr std::size_t kBlock = 64;                                // columns
  constexpr float kSoft = 0.25f;                                    // the second stem on the right
  AudioBuffer mix = noise(2, kFrames, 6);
  for (std::size_t t = 0; t < kFrames; ++t) {
    const double seconds = static_cast<double>(t) / kRate;
    mix.channel(0)[t] *= static_cast<float>(std::pow(10.0, 0.4 * std::sin(0.5 * seconds) - 1.1));
    mix.channel(1)[t] *= seconds > 20 && seconds < 30 ? 0.0f : 0.1f;
  }
  ThreadPool pool(1);
  const dsp::Spectrogram<float> spectra = dsp::Stft<float>({.window = {.length = 2048}, .hop = kHop}).forward(mix, pool);
  using Pair = std::array<double, 2>;
  const std::size_t columns = spectra.frames();
  std::vector<Pair> power(columns), led(columns);
  for (std::size_t m = 0; m < columns; ++m)
    for (std::size_t k = 0; k < spectra.bins(); ++k)
      for (const double right : {1.0f, kSoft}) {
        const Pair bin{std::norm(spectra.frame(0, m)[k]), right * right * std::norm(spectra.frame(1, m)[k])};
        for (std::size_t s = 0; s < 2; ++s) {
          power[m][s] += bin[s];
          if (bin[s] > 0) led[m][s] += bin[s] * bin[s] / (bin[0] + bin[1]);
        }
      }

  for (const double threshold : {-7.0, -3.0}) {
    FunctionSeparator gated = composite({"left", "right"}, Ensemble{.members = {{sides({1, kSoft}), {1, 1}}}, .solo_db = threshold});
    const Stems stems = run_separator(mix, gated);
    std::vector<Pair> gain(columns), part(columns);
    std::size_t edges = 0;
    for (std::size_t m = 0; m < columns; ++m) {
      Pair smooth{}, smooth_led{};
      for (std::size_t n = 0; n < columns; ++n) {
        const double distance = static_cast<double>(n) - static_cast<double>(m);
        if (std::abs(distance) >= kReach) continue;
        const double weight = std::pow(std::cos(std::numbers::pi / 2 * distance / kReach), 2);
        for (std::size_t s = 0; s < 2; ++s) {
          smooth[s] += weight * power[n][s];
          smooth_led[s] += weight * led[n][s];
        }
      }
      const std::size_t soft = smooth[1] > smooth[0] ? 0 : 1;
      gain[m] = {1, 1};
      part[m][1 - soft] = 1;
      gain[m][soft] = smooth[soft] > 0 ? kept_of(smooth[soft] / (smooth[0] + smooth[1]), smooth_led[soft] / smooth[soft], threshold) : 0;
      edges += m > 0 && m % kBlock == 0 && gain[m][soft] > 0.05 && gain[m][soft] < 0.95 ? 1 : 0;
    }
    double handed_over = 0;  // where another stem becomes the loudest
    for (std::size_t t = 0; t + kHop < kFrames; ++t) {
      const std::size_t m = t / kHop;
      const double later = static_cast<double>(t % kHop) / kHop;
      const Pair kept{std::lerp(gain[m][0], gain[m + 1][0], later), std::lerp(gain[m][1], gain[m + 1][1], later)};
      for (std::size_t c = 0; c < 2; ++c) {
        const Pair x{mix.channel(0)[t], (c == 0 ? 1 : kSoft) * mix.channel(1)[t]};
        const double taken = (1 - kept[0]) * x[0] + (1 - kept[1]) * x[1];
        for (std::size_t s = 0; s < 2; ++s)  // samples up to 1 and float32 gains
          ASSERT_NEAR(stems[s].audio.channel(c)[t], kept[s] * x[s] + std::lerp(part[m][s], part[m + 1][s], later) * taken, 2e-6) << t;
        if (part[m] != part[m + 1]) handed_over = std::max(handed_over, std::abs(taken));
      }
    }
    EXPECT_GE(edges, 2u) << "blocks begin where gains are neither 0 nor 1";
    if (threshold == -3) {
      EXPECT_GT(handed_over, 1e-3) << "what is handed over is far above the tolerance";
    }
  }
}

TEST(EnsembleOf, WithoutMembersForAStemIsRefused) {
  FunctionSeparator nobody = composite({"a"}, Ensemble{.members = {{scales({"a"}, {1.0f}), {0}}}});
  EXPECT_THROW(run_separator(noise(2, 10, 1), nobody), Error);
}

TEST(ChainOf, FeedsLaterStepsWithWhatEarlierOnesLeave) {
  for (const std::size_t frames : kLengths) {
    FunctionSeparator chain =
        composite({"vocals", "drums"},
                  Chain{.steps = {{scales({"vocals", "rest"}, {0.25f, 0.75f}, 4000), {{1.0, "mix"}}, {"vocals"}},
                                  {scales({"drums", "vocals"}, {0.5f, 0.5f}, 64), {{1.0, "mix"}, {-1.0, "vocals"}}, {"drums"}}}});
    const AudioBuffer mix = noise(2, frames, frames);
    const Stems stems = run_separator(mix, chain);
    EXPECT_LT(largest_difference(stems.at("vocals"), times(mix, 0.25f)), 1e-6) << frames;
    EXPECT_LT(largest_difference(stems.at("drums"), times(mix, 0.375f)), 1e-6) << frames;
  }
}

TEST(ChainOf, RefusesStemsThatNobodyGave) {
  FunctionSeparator chain = composite({"a"}, Chain{.steps = {{scales({"a"}, {1.0f}), {{1.0, "b"}}, {"a"}}}});
  EXPECT_THROW(run_separator(noise(2, 10, 1), chain), Error);
}

TEST(Composites, NestAndKeepToTheMixtureWhenAsked) {
  const auto inner = std::make_shared<FunctionSeparator>(
      composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.6f, 0.2f}), {1, 1}}, {scales({"a", "b"}, {0.2f, 0.2f}), {1, 1}}}}));
  FunctionSeparator outer = composite({"a", "b"}, Chain{.steps = {{inner, {{1.0, "mix"}}, {"a", "b"}}}});
  const AudioBuffer mix = noise(2, 30000, 3);
  const Stems stems = run_separator(mix, outer);
  EXPECT_LT(largest_difference(stems.at("a"), times(mix, 0.4f)), 1e-6);
  const Stems consistent = run_separator(mix, outer, {.consistent = true});
  AudioBuffer sum = consistent.at("a");
  add_scaled(consistent.at("b"), 1.0f, sum);
  EXPECT_LT(largest_difference(sum, mix), 1e-6);
}

TEST(Composites, AndSingleSeparatorsForgetFramesThatTheyRefuse) {
  FunctionSeparator ensemble = composite({"a"}, Ensemble{.members = {{scales({"a"}, {1.0f}, 300), {1}}, {scales({"a"}, {1.0f}), {1}}}});
  FunctionSeparator chain = composite({"a"}, Chain{.steps = {{.separator = scales({"a"}, {1.0f}), .input = {{1, "mix"}}, .gives = {"a"}}}});
  const auto single = scales({"a"}, {1.0f});
  const AudioBuffer mix = noise(2, 60000, 1), mono = noise(1, 5000, 2);
  AudioBuffer damaged = noise(2, 5000, 3);
  damaged.channel(1)[4999] = HUGE_VALF;
  ThreadPool pool(2);
  CancelSource stop;
  stop.cancel();
  RunContext run{pool}, stopped{.pool = pool, .cancel = stop.token()};
  for (Separator* const separator : std::initializer_list<Separator*>{single.get(), &ensemble, &chain}) {
    SeparationStream stream(*separator, {.sample_rate = kRate, .channels = 2}, {});
    const auto code_of = [&](AudioView frames, RunContext& context) {
      try {
        stream.push(frames, context);
      } catch (const Error& error) {
        return error.code();
      }
      ADD_FAILURE() << "not refused";
      return ErrorCode::kUsage;
    };
    std::size_t done = 0;
    const auto drain = [&] {
      while (stream.ready()) {
        const SeparatedBlock block = stream.take(run);
        const AudioView expected = mix.view().slice(done, block.mix.frames());
        EXPECT_EQ(largest_difference(block.mix, expected), 0.0);
        EXPECT_LT(largest_difference(block.stems.at("a"), expected), 1e-6);
        done += block.mix.frames();
      }
    };
    stream.push(mix.view().slice(0, 20000), run);
    drain();
    EXPECT_EQ(code_of(mono, run), ErrorCode::kInternal);
    EXPECT_EQ(code_of(damaged, run), ErrorCode::kFormat);
    EXPECT_EQ(code_of(mix, stopped), ErrorCode::kCancelled);
    stream.push(mix.view().slice(20000, 40000), run);
    stream.finish(run);
    drain();
    EXPECT_EQ(done, mix.frames());
  }
}

TEST(Composites, NeedWhatTheirMembersNeed) {
  const auto member = scales({"a"}, {1.0f});
  FunctionSeparator two = composite({"a"}, Ensemble{.members = {{member, {1}}, {member, {1}}}});
  const StreamFormat format{.sample_rate = kRate, .channels = 2};
  EXPECT_EQ(estimate_memory(two.info(), format, 100000, {}), 2 * estimate_memory(member->info(), format, 100000, {}));

  // Beside a member that needs the whole track, the mixture and the stems of both wait for its end.
  const auto whole = std::make_shared<FunctionSeparator>(SeparatorInfo{.stems = {"a"}, .sample_rate = kRate, .channels = 2},
                                                         [](AudioView block) { return std::vector{AudioBuffer(block)}; });
  FunctionSeparator mixed = composite({"a"}, Ensemble{.members = {{member, {1}}, {whole, {1}}}});
  const std::size_t recording = 100000 * 2 * sizeof(float);
  const std::size_t members = estimate_memory(member->info(), format, 100000, {}) + estimate_memory(whole->info(), format, 100000, {});
  EXPECT_GE(estimate_memory(mixed.info(), format, 100000, {}), members + 3 * recording);
}

/// Remembers the most blocks that it was given at a time.
class Batches final : public FunctionSeparator {
 public:
  explicit Batches(std::size_t batch)
      : FunctionSeparator({.stems = {"a"}, .sample_rate = kRate, .channels = 2, .blocks = Chunked{.length = 1000, .batch = batch}},
                          [](AudioView block) { return std::vector{AudioBuffer(block)}; }) {}
  std::vector<Stems> process_batch(std::span<const AudioView> blocks, RunContext& run) override {
    most = std::max(most, blocks.size());
    return FunctionSeparator::process_batch(blocks, run);
  }
  std::size_t most = 0;
};

TEST(Composites, EachMemberTakesAtMostItsOwnBatch) {
  const auto small = std::make_shared<Batches>(2), large = std::make_shared<Batches>(8);
  FunctionSeparator both = composite({"a"}, Ensemble{.members = {{small, {1}}, {large, {1}}}});
  const StreamFormat format{.sample_rate = kRate, .channels = 2};
  const std::size_t batch = choose_batch(both.info(), format, 70000, {}, 0);
  EXPECT_EQ(batch, 8u);
  run_separator(noise(2, 70000, 1), both, {.batch = batch});
  EXPECT_EQ(small->most, 2u);
  EXPECT_EQ(large->most, 8u);
  EXPECT_EQ(estimate_memory(both.info(), format, 70000, {.batch = 8}), estimate_memory(both.info(), format, 70000, {}));
}

/// left → 2 · left + 0.1, right → right + 0.1
std::shared_ptr<Separator> lopsided() {
  return std::make_shared<FunctionSeparator>(
      SeparatorInfo{.stems = {"a"}, .sample_rate = kRate, .channels = 2, .blocks = Chunked{.length = 500}}, [](AudioView block) {
        AudioBuffer out(2, block.frames());
        for (std::size_t c = 0; c < 2; ++c)
          for (std::size_t t = 0; t < block.frames(); ++t) out.channel(c)[t] = (c == 0 ? 2.0f : 1.0f) * block.channel(c)[t] + 0.1f;
        return std::vector{out};
      });
}

TEST(Augmentation, AveragesOverPolarityAndChannelOrder) {
  const AudioBuffer mix = noise(2, 5000, 1);
  const auto separator = lopsided();
  const Stems stems = run_separator(mix, *separator, {.augment = true});
  AudioBuffer expected(2, mix.frames());
  for (std::size_t t = 0; t < mix.frames(); ++t) {
    expected.channel(0)[t] = (2.0f + 2.0f + 1.0f) / 3.0f * mix.channel(0)[t] + 0.1f / 3.0f;  // the offset changes its sign once
    expected.channel(1)[t] = (1.0f + 1.0f + 2.0f) / 3.0f * mix.channel(1)[t] + 0.1f / 3.0f;
  }
  EXPECT_LT(largest_difference(stems.at("a"), expected), 1e-6);
}

TEST(Augmentation, LeavesTheIdentityAlone) {
  for (const std::size_t channels : {1u, 2u, 3u})
    for (const std::size_t wanted : {1u, 2u}) {
      const auto separator = testing::identity(wanted, kRate, Chunked{.length = 256});
      const AudioBuffer mix = noise(channels, 3000, 2);
      EXPECT_LT(largest_difference(run_separator(mix, *separator, {.shifts = 2, .augment = true}).at("all"), mix), 1e-6);
    }
}

}  // namespace
}  // namespace unbraid
