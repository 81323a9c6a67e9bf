#include "unbraid/evaluate/inspect.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::evaluate {
namespace {

constexpr double kRate = 44100;

/// A mix of sinusoids with a breath of noise: smooth, so that a jump stands out.
AudioBuffer tone(double hz, std::uint64_t seed, std::size_t frames = 300'000) {
  AudioBuffer audio(2, frames);
  Rng rng(seed);
  for (std::size_t n = 0; n < frames; ++n)
    for (std::size_t c = 0; c < 2; ++c)
      audio.channel(c)[n] =
          static_cast<float>(0.3 * std::sin(2 * std::numbers::pi * hz / kRate * static_cast<double>(n)) + rng.uniform(-0.001, 0.001));
  return audio;
}

const Check& check(const std::vector<Check>& checks, const std::string& name) { return *std::ranges::find(checks, name, &Check::name); }

class Inspect : public ::testing::Test {
 protected:
  ThreadPool pool{2};
  RunContext run{pool};

  StemInspection alone(const AudioBuffer& audio) { return inspect({{"stem", data::memory_source(audio, kRate)}}, nullptr, run).stems[0]; }
};

TEST_F(Inspect, AGoodStemHasNoFault) {
  const StemInspection stem = alone(tone(440, 1));
  for (const Check& c : stem.checks) {
    if (c.name == "bandwidth") continue;  // one tone is narrow
    EXPECT_EQ(c.verdict, Verdict::kOk) << c.name << ": " << c.text;
  }
  EXPECT_NEAR(check(stem.checks, "silence").value, 20 * std::log10(0.3 / std::sqrt(2.0)), 0.01);
}

TEST_F(Inspect, FindsSeamsAtChunkBorders) {
  AudioBuffer audio = tone(440, 2);
  std::size_t seams = 0;
  for (std::size_t at = 44'100; at < audio.frames(); at += 44'100, ++seams)
    for (std::size_t n = at; n < audio.frames(); ++n) audio.channel(0)[n] += (seams % 2 == 0 ? 0.02f : -0.02f);
  const Check found = check(alone(audio).checks, "seams");
  EXPECT_EQ(found.verdict, Verdict::kBad);
  EXPECT_EQ(found.value, 44'100);
  // The same jumps at odd places are no grid.
  audio = tone(440, 2);
  for (const std::size_t at : {20'011u, 61'003u, 113'777u, 171'119u, 260'023u}) audio.channel(0)[at] += 0.03f;
  EXPECT_EQ(check(alone(audio).checks, "seams").verdict, Verdict::kOk);
}

TEST_F(Inspect, FindsWhatIsWrongWithSamples) {
  AudioBuffer audio = tone(440, 3);
  audio.channel(1)[77] = std::nanf("");
  for (std::size_t n = 1000; n < 1005; ++n) audio.channel(0)[n] = 1.0f;
  for (float& x : audio.channel(1)) x += 0.01f;
  const StemInspection stem = alone(audio);
  EXPECT_EQ(check(stem.checks, "not finite").value, 1);
  EXPECT_EQ(check(stem.checks, "not finite").verdict, Verdict::kBad);
  EXPECT_EQ(check(stem.checks, "clipping").value, 5);
  EXPECT_NEAR(check(stem.checks, "offset").value, 0.01, 1e-3);
  EXPECT_EQ(check(stem.checks, "offset").verdict, Verdict::kNote);
  const StemInspection nothing = alone(AudioBuffer(2, 5000));
  EXPECT_EQ(check(nothing.checks, "silence").text, "digital silence");
  EXPECT_EQ(check(nothing.checks, "bandwidth").value, 0);
}

TEST_F(Inspect, FindsWhereTheSpectrumEnds) {
  AudioBuffer audio(1, 200'000);
  for (std::size_t n = 0; n < audio.frames(); ++n)
    for (const double hz : {500.0, 4000.0, 10'000.0})
      audio.channel(0)[n] += static_cast<float>(0.2 * std::sin(2 * std::numbers::pi * hz / kRate * static_cast<double>(n)));
  const Check found = check(alone(audio).checks, "bandwidth");
  EXPECT_NEAR(found.value, 10'000, 200);
  EXPECT_EQ(found.verdict, Verdict::kNote);
}

TEST_F(Inspect, ComparesStemsWithTheMixtureAndEachOther) {
  const AudioBuffer a = tone(440, 4), b = tone(1000, 5);
  AudioBuffer sum(a), leaked(b);
  add_scaled(b, 1, sum);
  add_scaled(a, 0.5f, leaked);
  const auto good =
      inspect({{"a", data::memory_source(a, kRate)}, {"b", data::memory_source(b, kRate)}}, data::memory_source(sum, kRate), run);
  EXPECT_EQ(check(good.together, "residual").verdict, Verdict::kOk);
  EXPECT_EQ(check(good.together, "similarity").verdict, Verdict::kOk);
  const auto bad =
      inspect({{"a", data::memory_source(a, kRate)}, {"b", data::memory_source(leaked, kRate)}}, data::memory_source(sum, kRate), run);
  // a/2 of a + b, both equally loud: a quarter of half the power.
  EXPECT_NEAR(check(bad.together, "residual").value, 10 * std::log10(0.25 / 2), 0.05);
  EXPECT_EQ(check(bad.together, "residual").verdict, Verdict::kBad);
  EXPECT_NEAR(check(bad.together, "similarity").value, 0.5 / std::sqrt(1.25), 0.01);
  EXPECT_EQ(check(bad.together, "similarity").verdict, Verdict::kNote);
}

// White noise and a delayed copy of it below other noise: the waveforms do not correlate, but of 1.25 parts of power
// 0.25 come from the first in every bin, so the coherence is 0.2 both ways (0.25 dB: the delay leaves 37 of 2048 samples
// of a window out, and 10 s average 13 stretches of 1025 bins).
TEST_F(Inspect, FindsBleedThatDoesNotCorrelate) {
  Rng rng(11);
  constexpr std::size_t kFrames = 441'000;
  AudioBuffer a(1, kFrames), b(1, kFrames), silence(1, kFrames);
  for (float& x : a.channel(0)) x = static_cast<float>(0.1 * rng.normal());
  for (float& x : b.channel(0)) x = static_cast<float>(0.1 * rng.normal());
  const auto pair = [&](const AudioBuffer& first, const AudioBuffer& second) {
    return inspect({{"a", data::memory_source(first, kRate)}, {"b", data::memory_source(second, kRate)}}, nullptr, run);
  };
  const Check apart = check(pair(a, b).together, "bleed");
  EXPECT_LT(apart.value, -25);
  EXPECT_EQ(apart.verdict, Verdict::kOk);
  for (std::size_t n = 37; n < b.frames(); ++n) b.channel(0)[n] += 0.5f * a.channel(0)[n - 37];
  const Inspection leaked = pair(a, b);
  EXPECT_LT(std::abs(check(leaked.together, "similarity").value), 0.05);
  EXPECT_NEAR(check(leaked.together, "bleed").value, 10 * std::log10(0.2), 0.25);
  EXPECT_EQ(check(leaked.together, "bleed").verdict, Verdict::kNote);
  EXPECT_TRUE(pair(a, silence).together.empty());
}

TEST_F(Inspect, RefusesWhatDoesNotBelongTogether) {
  const auto a = data::memory_source(tone(440, 6, 100), kRate);
  EXPECT_THROW(inspect({}, nullptr, run), Error);
  EXPECT_THROW(inspect({{"a", a}, {"b", data::memory_source(tone(440, 6, 99), kRate)}}, nullptr, run), Error);
  EXPECT_THROW(inspect({{"a", a}}, data::memory_source(tone(440, 6, 100), 48000), run), Error);
  for (const std::size_t frames : {0u, 1u, 2u, 63u})
    EXPECT_EQ(inspect({{"a", data::memory_source(tone(440, 7, frames), kRate)}}, nullptr, run).stems.size(), 1u);
}

}  // namespace
}  // namespace unbraid::evaluate
