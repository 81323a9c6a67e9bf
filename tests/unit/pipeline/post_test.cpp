#include "unbraid/pipeline/post.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "support/separators.hpp"
#include "support/signals.hpp"
#include "unbraid/catalog/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid {
namespace {

constexpr double kRate = 16000;

double energy(AudioView audio) {
  double sum = 0;
  for (std::size_t c = 0; c < audio.channels(); ++c)
    for (const float x : audio.channel(c)) sum += static_cast<double>(x) * x;
  return sum;
}

AudioBuffer difference(AudioView a, AudioView b) {
  AudioBuffer out(a);
  add_scaled(b, -1.0f, out);
  return out;
}

std::unique_ptr<Separator> make(const char* method, const char* stage, std::size_t channels) {
  const Method refined = with_post(catalog::find(method), PostStage::named(stage));
  return refined.make({.sample_rate = kRate, .channels = channels}, ParameterValues::resolve(refined.parameters), 0);
}

TEST(PostStage, NamesAndEdges) {
  EXPECT_EQ(with_post(catalog::find("hpss"), PostStage::named("wiener_em")).name, "hpss+wiener_em");
  EXPECT_TRUE(with_post(catalog::find("hpss"), PostStage::named("griffin_lim")).whole_track);
  EXPECT_THROW(PostStage::named("magic"), Error);
  ThreadPool pool(2);
  RunContext run{pool};
  for (const char* stage : {"wiener_em", "griffin_lim"})
    for (const std::size_t channels : {1u, 2u, 6u})
      for (const std::size_t frames : {0u, 1u, 300u, 48000u}) {
        const auto separator = make("hpss", stage, channels);
        const Stems stems = separator->process(testing::noise(channels, frames, 3, 0.2), run);
        EXPECT_EQ(stems.names(), catalog::find("hpss").stems);
        for (const Stem& stem : stems) {
          EXPECT_EQ(stem.audio.frames(), frames);
          EXPECT_TRUE(std::ranges::all_of(stem.audio.samples(), [](float x) { return std::isfinite(x); })) << stage;
        }
        for (const Stem& stem : separator->process(AudioBuffer(channels, frames), run))
          EXPECT_TRUE(std::ranges::all_of(stem.audio.samples(), [](float x) { return x == 0; })) << stage;
        EXPECT_GT(separator->info().working_bytes(1000), 0u);
      }
}

// Two sources at different places: stems that leak by their levels are told apart by where the sources stand.
TEST(PostStage, WienerEmUsesPlacesAndKeepsTheSum) {
  AudioBuffer left(2, 64000), right(2, 64000);
  const AudioBuffer noises = testing::noise(2, 64000, 5, 0.3);
  for (std::size_t i = 0; i < 64000; ++i) {
    // Each plays half of the time louder, so that the levels tell which is which.
    const double beat = std::sin(2 * std::numbers::pi * static_cast<double>(i) / 8000);
    const auto a = static_cast<float>(noises.channel(0)[i] * (1 + 0.9 * beat));
    const auto b = static_cast<float>(noises.channel(1)[i] * (1 - 0.9 * beat));
    left.channel(0)[i] = a, left.channel(1)[i] = 0.2f * a;
    right.channel(0)[i] = 0.2f * b, right.channel(1)[i] = b;
  }
  AudioBuffer mix(left);
  add_scaled(right, 1, mix);
  Method rough{.name = "rough", .stems = {"left", "right"}};
  rough.make = [&](const StreamFormat& format, const ParameterValues&, std::uint64_t) {
    return std::make_unique<testing::FunctionSeparator>(
        SeparatorInfo{.stems = rough.stems, .sample_rate = format.sample_rate, .channels = format.channels}, [&](AudioView) {
          AudioBuffer a(left), b(right);
          add_scaled(right, 0.5f, a), add_scaled(left, 0.5f, b);
          return std::vector{a, b};
        });
  };
  const Method refined = with_post(rough, PostStage::named("wiener_em"));
  ThreadPool pool(2), one(1);
  RunContext run{pool}, alone{one};
  const auto separator = refined.make({.sample_rate = kRate, .channels = 2}, {}, 0);
  const Stems stems = separator->process(mix, run);
  AudioBuffer rough_left(left);
  add_scaled(right, 0.5f, rough_left);
  const double before = energy(difference(rough_left, left)), after = energy(difference(stems[0].audio, left));
  EXPECT_LT(after, 0.5 * before);
  AudioBuffer sum(stems[0].audio);
  add_scaled(stems[1].audio, 1, sum);
  EXPECT_LT(testing::largest_difference(sum, mix), 1e-6);
  EXPECT_EQ(testing::largest_difference(stems[0].audio, separator->process(mix, alone)[0].audio), 0);
}

// A stem whose spectrogram is already consistent is left as it is.
TEST(PostStage, GriffinLimKeepsWhatFits) {
  Method all{.name = "all", .stems = {"all"}};
  all.make = [&](const StreamFormat& format, const ParameterValues&, std::uint64_t) {
    return std::make_unique<testing::FunctionSeparator>(
        SeparatorInfo{.stems = {"all"}, .sample_rate = format.sample_rate, .channels = format.channels},
        [](AudioView block) { return std::vector{AudioBuffer(block)}; });
  };
  const AudioBuffer mix = testing::noise(1, 20000, 7, 0.5);
  ThreadPool pool(2);
  RunContext run{pool};
  const Stems stems = with_post(all, PostStage::named("griffin_lim")).make({.sample_rate = kRate, .channels = 1}, {}, 0)->process(mix, run);
  EXPECT_LT(testing::largest_difference(stems[0].audio, mix), 1e-3);
}

}  // namespace
}  // namespace unbraid
