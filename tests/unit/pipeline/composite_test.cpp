// Ensembles, chains and test-time augmentation, by closed forms.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>

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
          [](AudioView) -> std::vector<AudioBuffer> { throw Error{ErrorCode::kInternal, "a composite was asked itself"}; }};
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
    FunctionSeparator both = composite(
        {"a", "b"}, Ensemble{.members = {{scales({"a"}, {0.5f}, 64), {3, 0}}, {scales({"b", "a"}, {0.2f, 0.1f}, 4096), {1, 1}}}});
    const AudioBuffer mix = noise(2, frames, frames);
    const Stems stems = run_separator(mix, both);
    EXPECT_LT(largest_difference(stems.at("a"), times(mix, 0.4f)), 1e-6) << frames;  // (3 · 0.5 + 0.1) / 4
    EXPECT_LT(largest_difference(stems.at("b"), times(mix, 0.2f)), 1e-6) << frames;
  }
}

TEST(EnsembleOf, TakesTheMedian) {
  for (const std::size_t frames : kLengths) {
    const AudioBuffer mix = noise(2, frames, frames);
    FunctionSeparator three = composite({"a"}, Ensemble{.members = {{scales({"a"}, {1.0f}), {1}}, {scales({"a"}, {0.3f}, 77), {1}}, {scales({"a"}, {-5.0f}), {1}}},
                                                        .combine = Ensemble::Combine::kMedian});
    EXPECT_LT(largest_difference(run_separator(mix, three).at("a"), times(mix, 0.3f)), 1e-6);
    FunctionSeparator two = composite({"a"}, Ensemble{.members = {{scales({"a"}, {1.0f}), {1}}, {scales({"a"}, {0.5f}), {1}}},
                                                      .combine = Ensemble::Combine::kMedian});
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
        ensemble.members.push_back({std::make_shared<FunctionSeparator>(
                                        SeparatorInfo{.stems = {"a"}, .sample_rate = kRate, .channels = 2},
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
    FunctionSeparator both = composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.5f, 0.5f}, 64), {1, 1}},
                                                                        {scales({"a", "b"}, {0.2f, -0.8f}, 4096), {1, 1}}},
                                                            .combine = Ensemble::Combine::kGeometric});
    const Stems stems = run_separator(mix, both);  // √(0.5 · 0.2) : √(0.5 · 0.8) = 1 : 2
    EXPECT_LT(largest_difference(stems.at("a"), times(mix, 1.0f / 3)), 2e-6) << frames;
    EXPECT_LT(largest_difference(stems.at("b"), times(mix, 2.0f / 3)), 2e-6) << frames;

    FunctionSeparator sharp = composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.5f, 0.5f}, 64), {1, 1}},
                                                                         {scales({"a", "b"}, {0.2f, -0.8f}, 4096), {1, 1}}},
                                                             .combine = Ensemble::Combine::kGeometric, .sharpness = 2});
    EXPECT_LT(largest_difference(run_separator(mix, sharp).at("a"), times(mix, 1.0f / 5)), 2e-6) << frames;  // 1² : 2²

    FunctionSeparator blend = composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.5f, 0.5f}, 64), {1, 1}},
                                                                         {scales({"a", "b"}, {0.2f, 0.8f}, 4096), {1, 1}}},
                                                             .combine = Ensemble::Combine::kBlend});
    EXPECT_LT(largest_difference(run_separator(mix, blend).at("a"), times(mix, (1.0f / 3 + 0.35f) / 2)), 2e-6) << frames;

    // Weights of 3 and 1; what a member rules out counts as −80 dB: 0.5^¾ · 0.5^¼ : 0.5^¾ · (10⁻⁴)^¼.
    FunctionSeparator one = composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.5f, 0.5f}), {3, 3}},
                                                                       {scales({"a", "b"}, {0.5f, 0.0f}), {1, 1}}},
                                                           .combine = Ensemble::Combine::kGeometric});
    const double b = std::pow(0.5, 0.75) * 0.1, share = b / (0.5 + b);
    EXPECT_LT(largest_difference(run_separator(mix, one).at("b"), times(mix, static_cast<float>(share))), 2e-6) << frames;
  }
}

TEST(EnsembleOf, SharesSilenceAndFaintSoundAtTheGreatestSharpness) {
  AudioBuffer mix = noise(1, 30000, 4);
  for (std::size_t i = 0; i < 20000; ++i) mix.channel(0)[i] *= i < 10000 ? 0.0f : 1e-18f;  // bins whose power is no float
  FunctionSeparator all = composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.75f, 0.25f}), {1, 1}}},
                                                         .combine = Ensemble::Combine::kGeometric, .sharpness = kMostSharpness});
  const Stems stems = run_separator(mix, all);
  const double b = 1 / (1 + std::pow(3.0, kMostSharpness));
  AudioBuffer sum = stems.at("a");
  add_scaled(stems.at("b"), 1.0f, sum);
  EXPECT_LT(largest_difference(sum, mix), 2e-6);  // an STFT of float32 and back
  for (std::size_t i = 25000; i < 30000; ++i) EXPECT_NEAR(stems.at("b").channel(0)[i], mix.channel(0)[i] * b, 2e-6);
}

// Shares that stay the same have gains in closed form, whatever the length and the blocks.
TEST(EnsembleOf, GateTurnsDownWhatIsHardlyThere) {
  for (const auto combine : {Ensemble::Combine::kMean, Ensemble::Combine::kGeometric})
    for (const std::size_t frames : kLengths) {
      FunctionSeparator gated = composite({"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.9f, 0.1f}, 64), {1, 1}}},
                                                               .combine = combine, .gate_db = -20});
      const AudioBuffer mix = noise(2, frames, frames);
      const Stems stems = run_separator(mix, gated);
      const auto gain = [](double share) { return share * share / (share * share + 1e-4); };
      const double a = 0.81 / 0.82, b = 0.01 / 0.82, taken = 0.9 * (1 - gain(a)) + 0.1 * (1 - gain(b));
      const double expected = 0.1 * gain(b) + taken * gain(b) * b / (gain(a) * a + gain(b) * b);
      EXPECT_LT(largest_difference(stems.at("b"), times(mix, static_cast<float>(expected))), 2e-6) << frames;
      EXPECT_LT(largest_difference(stems.at("a"), times(mix, static_cast<float>(1 - expected))), 2e-6) << frames;
    }
}

// One stem in each channel, with levels of their own that change; against the formula over the whole recording.
TEST(EnsembleOf, GateFollowsLevelsOverSeconds) {
  constexpr std::size_t kFrames = 300001, kHop = 1024, kHops = kFrames / kHop + 1, kReach = 16;  // two seconds at 8 kHz
  AudioBuffer mix = noise(2, kFrames, 6);
  for (std::size_t t = 0; t < kFrames; ++t) {
    const double seconds = static_cast<double>(t) / kRate;
    mix.channel(0)[t] *= static_cast<float>(std::pow(10.0, 1.5 * std::sin(0.5 * seconds) - 1));
    mix.channel(1)[t] *= seconds > 20 && seconds < 30 ? 0.0f : 0.1f;
  }
  const auto sides = std::make_shared<FunctionSeparator>(
      SeparatorInfo{.stems = {"left", "right"}, .sample_rate = kRate, .channels = 2, .blocks = Chunked{.length = 1000}},
      [](AudioView block) {
        std::vector out(2, AudioBuffer(2, block.frames()));
        for (std::size_t c = 0; c < 2; ++c) std::ranges::copy(block.channel(c), out[c].channel(c).begin());
        return out;
      });
  FunctionSeparator gated = composite({"left", "right"}, Ensemble{.members = {{sides, {1, 1}}}, .gate_db = -17});
  const Stems stems = run_separator(mix, gated);

  using Pair = std::array<double, 2>;
  std::vector<Pair> power(kHops), gain(kHops), part(kHops);
  for (std::size_t t = 0; t < kFrames; ++t)
    for (std::size_t s = 0; s < 2; ++s) power[t / kHop][s] += std::pow(static_cast<double>(mix.channel(s)[t]), 2);
  for (std::size_t h = 0; h < kHops; ++h) {
    Pair smooth{};
    for (std::size_t i = 0; i < kHops; ++i) {
      const double distance = static_cast<double>(i) - static_cast<double>(h);
      if (std::abs(distance) >= kReach) continue;
      for (std::size_t s = 0; s < 2; ++s) smooth[s] += power[i][s] * std::pow(std::cos(std::numbers::pi / 2 * distance / kReach), 2);
    }
    for (std::size_t s = 0; s < 2; ++s) {
      const double share = smooth[s] / (smooth[0] + smooth[1]);
      gain[h][s] = share * share / (share * share + std::pow(10.0, -3.4));
      part[h][s] = gain[h][s] * share;
    }
    const double parts = part[h][0] + part[h][1];
    for (double& p : part[h]) p /= parts;
  }
  double softest = 1;
  for (std::size_t t = kHop; t < kFrames - 2 * kHop; ++t) {  // both hops whole
    const double place = static_cast<double>(t) / kHop - 0.5;
    const auto h = static_cast<std::size_t>(place);
    const double later = place - static_cast<double>(h);
    for (std::size_t s = 0; s < 2; ++s) {
      const double x = mix.channel(s)[t], kept = std::lerp(gain[h][s], gain[h + 1][s], later) * x;
      softest = std::min(softest, std::lerp(gain[h][s], gain[h + 1][s], later));
      // float32 gains, within 1e-7 of samples up to 3
      ASSERT_NEAR(stems[s].audio.channel(s)[t], kept + std::lerp(part[h][s], part[h + 1][s], later) * (x - kept), 1e-6) << t;
      ASSERT_NEAR(stems[1 - s].audio.channel(s)[t], std::lerp(part[h][1 - s], part[h + 1][1 - s], later) * (x - kept), 1e-6) << t;
    }
  }
  EXPECT_LT(softest, 0.01);
}

TEST(EnsembleOf, WithoutMembersForAStemIsRefused) {
  FunctionSeparator nobody = composite({"a"}, Ensemble{.members = {{scales({"a"}, {1.0f}), {0}}}});
  EXPECT_THROW(run_separator(noise(2, 10, 1), nobody), Error);
}

TEST(ChainOf, FeedsLaterStepsWithWhatEarlierOnesLeave) {
  for (const std::size_t frames : kLengths) {
    FunctionSeparator chain = composite(
        {"vocals", "drums"},
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
  const auto inner = std::make_shared<FunctionSeparator>(composite(
      {"a", "b"}, Ensemble{.members = {{scales({"a", "b"}, {0.6f, 0.2f}), {1, 1}}, {scales({"a", "b"}, {0.2f, 0.2f}), {1, 1}}}}));
  FunctionSeparator outer = composite({"a", "b"}, Chain{.steps = {{inner, {{1.0, "mix"}}, {"a", "b"}}}});
  const AudioBuffer mix = noise(2, 30000, 3);
  const Stems stems = run_separator(mix, outer);
  EXPECT_LT(largest_difference(stems.at("a"), times(mix, 0.4f)), 1e-6);
  const Stems consistent = run_separator(mix, outer, {.consistent = true});
  AudioBuffer sum = consistent.at("a");
  add_scaled(consistent.at("b"), 1.0f, sum);
  EXPECT_LT(largest_difference(sum, mix), 1e-6);
}

TEST(Composites, NeedWhatTheirMembersNeed) {
  const auto member = scales({"a"}, {1.0f});
  FunctionSeparator two = composite({"a"}, Ensemble{.members = {{member, {1}}, {member, {1}}}});
  const StreamFormat format{.sample_rate = kRate, .channels = 2};
  EXPECT_EQ(estimate_memory(two.info(), format, 100000, {}), 2 * estimate_memory(member->info(), format, 100000, {}));
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
