// What every classical method promises: shapes, stems that add up to the mix, the same result for every thread count,
// blocks that join, and inputs at the edges.

#include "unbraid/classic/methods.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::classic {
namespace {

/// A chord, a beat and noise: different in every channel.
AudioBuffer song(std::size_t channels, std::size_t frames, double sample_rate) {
  AudioBuffer audio(channels, frames);
  for (std::size_t c = 0; c < channels; ++c) {
    Rng rng(11, c);
    for (std::size_t i = 0; i < frames; ++i) {
      const double t = static_cast<double>(i) / sample_rate;
      const double beat = std::exp(-40 * std::fmod(t, 0.4)) * rng.uniform(-0.3, 0.3);
      double chord = 0;
      for (const double hz : {82.4, 220.0, 277.2 + 5.0 * static_cast<double>(c), 1318.5})
        chord += 0.08 * std::sin(2 * std::numbers::pi * hz * t);
      audio.channel(c)[i] = static_cast<float>(chord + beat + rng.uniform(-0.01, 0.01));
    }
  }
  return audio;
}

/// What is promised here holds after any number of iterations; few keep the slow methods' tests quick.
std::map<std::string, std::string> few_iterations(const Method& method) {
  if (std::ranges::find(method.parameters, "iterations", &Parameter::name) == method.parameters.end()) return {};
  return {{"iterations", "4"}};
}

std::unique_ptr<Separator> make(const Method& method, double sample_rate, std::size_t channels) {
  return method.make({.sample_rate = sample_rate, .channels = channels},
                     ParameterValues::resolve(method.parameters, few_iterations(method)), 1);
}

double greatest_difference(AudioView a, AudioView b) {
  double greatest = 0;
  for (std::size_t c = 0; c < a.channels(); ++c)
    for (std::size_t i = 0; i < a.frames(); ++i)
      greatest = std::max(greatest, std::abs(static_cast<double>(a.channel(c)[i]) - b.channel(c)[i]));
  return greatest;
}

AudioBuffer sum(const Stems& stems) {
  AudioBuffer total(stems[0].audio.channels(), stems[0].audio.frames());
  for (const Stem& stem : stems) add_scaled(stem.audio, 1.0f, total);
  return total;
}

class EveryMethod : public ::testing::TestWithParam<Method> {
 protected:
  /// Nothing where the method says that it cannot work on so many channels.
  std::unique_ptr<Separator> separator(double sample_rate, std::size_t channels) {
    try {
      return make(GetParam(), sample_rate, channels);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_EQ(channels, 1u) << "only one channel may be too few";
      return nullptr;
    }
  }

  void expect_stems(const AudioBuffer& mix, double sample_rate) {
    const auto method = separator(sample_rate, mix.channels());
    if (!method) return;
    ThreadPool pool(2);
    RunContext run{pool};
    const Stems stems = method->process(mix, run);
    EXPECT_EQ(stems.names(), method->info().stems);
    for (const Stem& stem : stems) {
      ASSERT_EQ(stem.audio.channels(), mix.channels());
      ASSERT_EQ(stem.audio.frames(), mix.frames());
      EXPECT_TRUE(std::ranges::all_of(stem.audio.samples(), [](float x) { return std::isfinite(x); })) << stem.name;
    }
    // A few float32 additions of values below 1.
    EXPECT_LT(greatest_difference(sum(stems), mix), 1e-6);
  }
};

TEST_P(EveryMethod, SaysWhatItIs) {
  const Method& method = GetParam();
  EXPECT_FALSE(method.summary.empty());
  EXPECT_FALSE(method.paper.empty());
  EXPECT_EQ(separator(44100, 2)->info().stems, method.stems);
  EXPECT_EQ(std::holds_alternative<WholeTrack>(separator(44100, 2)->info().blocks), method.whole_track);
  for (const Parameter& parameter : method.parameters) {
    EXPECT_FALSE(parameter.help.empty()) << parameter.name;
    // A default must be a legal value of its own parameter.
    EXPECT_NO_THROW(ParameterValues::resolve(method.parameters, {{parameter.name, to_string(parameter.value)}}));
  }
}

TEST_P(EveryMethod, StereoStemsAddUpToTheMix) { expect_stems(song(2, 3 * 44100, 44100), 44100); }
TEST_P(EveryMethod, MonoStemsAddUpToTheMix) { expect_stems(song(1, 2 * 22050, 22050), 22050); }
TEST_P(EveryMethod, SixChannels) { expect_stems(song(6, 48000, 48000), 48000); }
TEST_P(EveryMethod, OddRates) {
  for (const double rate : {8000.0, 11025.0, 37800.0, 96000.0}) expect_stems(song(2, static_cast<std::size_t>(rate / 2) + 1, rate), rate);
}
TEST_P(EveryMethod, ShortInputs) {
  for (const std::size_t frames : {0u, 1u, 2u, 511u, 513u, 4000u}) expect_stems(song(2, frames, 44100), 44100);
}
TEST_P(EveryMethod, SilenceGivesSilence) {
  const AudioBuffer silence(2, 30000);
  expect_stems(silence, 44100);
  ThreadPool pool(2);
  RunContext run{pool};
  for (const Stem& stem : separator(44100, 2)->process(silence, run))
    EXPECT_TRUE(std::ranges::all_of(stem.audio.samples(), [](float x) { return x == 0; })) << stem.name;
}
TEST_P(EveryMethod, OneSilentChannelAndEqualChannels) {
  AudioBuffer audio = song(2, 30000, 44100);
  std::ranges::fill(audio.channel(1), 0.0f);
  expect_stems(audio, 44100);
  std::ranges::copy(audio.channel(0), audio.channel(1).begin());
  expect_stems(audio, 44100);
}

TEST_P(EveryMethod, DoesNotDependOnThreadsOrEarlierBlocks) {
  const AudioBuffer mix = song(2, 40000, 44100);
  ThreadPool one(1), three(3);
  RunContext run_one{one}, run_three{three};
  const auto method = separator(44100, 2);
  const Stems first = method->process(mix, run_one);
  method->process(song(2, 5000, 44100), run_one);
  const Stems second = method->process(mix, run_three);
  for (std::size_t i = 0; i < first.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(first[i].audio.samples(), second[i].audio.samples())) << first[i].name;
}

// A streaming method sees enough context: the core of a block is the same as that part of the whole.
TEST_P(EveryMethod, BlocksJoin) {
  constexpr double kRate = 8000;
  const auto method = separator(kRate, 2);
  const Chunked* blocks = std::get_if<Chunked>(&method->info().blocks);
  if (!blocks) GTEST_SKIP() << GetParam().name << " works on whole tracks";
  EXPECT_EQ(blocks->overlap, 0);
  const std::size_t core = blocks->length - 2 * blocks->context;
  const AudioBuffer whole = song(2, 2 * core + 2 * blocks->context + 777, kRate);
  ThreadPool pool(2);
  RunContext run{pool};
  const Stems expected = method->process(whole, run);
  const Stems block = method->process(whole.view().slice(core, blocks->length), run);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_LT(greatest_difference(block[i].audio.view().slice(blocks->context, core),
                                  expected[i].audio.view().slice(core + blocks->context, core)),
              1e-6)  // sums of float32 in another order
        << expected[i].name;
}

// Progress is for methods that see the whole track: the pipeline counts the blocks of the others.
TEST_P(EveryMethod, ReportsProgressOnlyOfWholeTracks) {
  ThreadPool pool(2);
  std::uint64_t starts = 0, last = 0;
  RunContext run{.pool = pool, .progress = Progress([&](const Progress::Update& update) {
                                 starts += update.done == 0;
                                 last = update.done;
                                 EXPECT_LE(update.done, update.total);
                                 EXPECT_FALSE(update.stage.empty() || update.unit.empty());
                               })};
  separator(44100, 2)->process(song(2, 20000, 44100), run);
  const std::set<std::string> iterative{"ica", "iva", "nmf", "nmf_convolutive", "projet", "rpca", "timbre"};
  EXPECT_EQ(starts > 0, iterative.contains(GetParam().name));
  EXPECT_EQ(last > 0, iterative.contains(GetParam().name));
}

// Whatever a rate is that is none, a method says so or does not ask; it builds no window of it.
TEST_P(EveryMethod, RefusesRatesThatAreNone) {
  for (const double rate : {std::nan(""), -1.0, -44100.0, 0.0, 1e300, static_cast<double>(INFINITY)}) {
    try {
      make(GetParam(), rate, 2);
      EXPECT_EQ(GetParam().name, "ica") << rate;  // works on samples
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << rate;
    }
  }
}

TEST_P(EveryMethod, TellsHowMuchMemoryItNeeds) {
  const auto method = separator(44100, 2);
  EXPECT_GT(method->info().working_bytes(100000), 0u);
  EXPECT_GE(method->info().working_bytes(200000), method->info().working_bytes(100000));
}

/// Those that need no file; nmf_family_test.cpp has the others.
std::vector<Method> self_contained() {
  std::vector<Method> result;
  for (Method& method : methods())
    if (std::ranges::none_of(method.parameters, &Parameter::required)) result.push_back(std::move(method));
  return result;
}

INSTANTIATE_TEST_SUITE_P(Classic, EveryMethod, ::testing::ValuesIn(self_contained()), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace unbraid::classic
