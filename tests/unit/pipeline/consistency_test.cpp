#include "unbraid/pipeline/consistency.hpp"

#include <gtest/gtest.h>

#include "support/signals.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

using testing::noise;

/// The level of (sum of the stems − mix), in dB of full scale; sums in double.
double residual_dbfs(AudioView mix, const Stems& stems) {
  double power = 0.0;
  for (std::size_t c = 0; c < mix.channels(); ++c)
    for (std::size_t t = 0; t < mix.frames(); ++t) {
      double rest = mix.channel(c)[t];
      for (const Stem& stem : stems) rest -= stem.audio.channel(c)[t];
      power += rest * rest;
    }
  return 10.0 * std::log10(power / static_cast<double>(mix.channels() * mix.frames()) + 1e-40);
}

Stems random_stems(std::size_t count, double amplitude) {
  Stems stems;
  for (std::size_t i = 0; i < count; ++i) stems.add("stem" + std::to_string(i), noise(2, 20000, 10 + i, amplitude));
  return stems;
}

TEST(MixConsistency, NullsAgainstTheMixture) {
  const AudioBuffer mix = noise(2, 20000, 1);
  for (const std::size_t count : {1u, 2u, 4u, 12u}) {
    Stems stems = random_stems(count, 1.0);
    MixConsistency(count, 44100).apply(mix, stems);
    EXPECT_LT(residual_dbfs(mix, stems), -140.0) << count << " stems";
  }
}

TEST(MixConsistency, NullsEvenWhereStemsAreFarLouderThanTheMixture) {
  const AudioBuffer mix = noise(2, 20000, 1);
  Stems stems = random_stems(3, 300.0);
  stems.add("quiet", noise(2, 20000, 2, 0.01));
  ASSERT_GT(residual_dbfs(mix, stems), 40.0);
  MixConsistency(4, 44100).apply(mix, stems);
  EXPECT_LT(residual_dbfs(mix, stems), -120.0);
}

TEST(MixConsistency, SharesByPower) {
  // Constant stems 3 and 1 against a mixture of 14: the missing 10 goes 9 : 1.
  AudioBuffer mix(1, 4), loud(1, 4), quiet(1, 4);
  for (std::size_t t = 0; t < 4; ++t) mix.channel(0)[t] = 14, loud.channel(0)[t] = 3, quiet.channel(0)[t] = 1;
  Stems stems;
  stems.add("loud", loud);
  stems.add("quiet", quiet);
  MixConsistency(2, 44100).apply(mix, stems);
  for (std::size_t t = 0; t < 4; ++t) {
    EXPECT_NEAR(stems.at("loud").channel(0)[t], 12.0f, 1e-5);
    EXPECT_NEAR(stems.at("quiet").channel(0)[t], 2.0f, 1e-5);
  }
}

TEST(MixConsistency, LeavesSilentStemsSilentAndSharesAmongAllWhenAllAreSilent) {
  const AudioBuffer mix = noise(1, 1000, 1);
  Stems stems({"a", "silent"}, 1, 1000);
  stems.at("a") = noise(1, 1000, 2);
  MixConsistency(2, 44100).apply(mix, stems);
  for (const float sample : stems.at("silent").samples()) EXPECT_EQ(sample, 0.0f);

  Stems silent({"a", "b"}, 1, 1000);
  MixConsistency(2, 44100).apply(mix, silent);
  for (std::size_t t = 0; t < 1000; ++t) EXPECT_FLOAT_EQ(silent.at("b").channel(0)[t], mix.channel(0)[t] / 2);
}

TEST(MixConsistency, DoesNotDependOnTheBlocks) {
  const AudioBuffer mix = noise(2, 20000, 1);
  Stems whole = random_stems(3, 0.5), parts;
  MixConsistency(3, 44100).apply(mix, whole);
  MixConsistency in_parts(3, 44100);
  const Stems source = random_stems(3, 0.5);
  for (std::size_t at = 0, step = 1; at < 20000; at += step, step = step * 3 + 1) {
    const std::size_t count = std::min<std::size_t>(step, 20000 - at);
    Stems part;
    for (const Stem& stem : source) part.add(stem.name, AudioBuffer(stem.audio.view().slice(at, count)));
    in_parts.apply(mix.view().slice(at, count), part);
    for (const Stem& stem : part) EXPECT_EQ(testing::largest_difference(stem.audio, whole.at(stem.name).view().slice(at, count)), 0.0);
  }
}

TEST(MixConsistency, RefusesOtherShapes) {
  Stems stems({"a"}, 1, 10);
  EXPECT_THROW(MixConsistency(2, 44100).apply(AudioBuffer(1, 10), stems), Error);
  EXPECT_THROW(MixConsistency(1, 44100).apply(AudioBuffer(1, 11), stems), Error);
}

}  // namespace
}  // namespace unbraid
