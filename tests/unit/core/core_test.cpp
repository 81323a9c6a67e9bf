#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/cancel.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/parameter.hpp"
#include "unbraid/core/progress.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/stems.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/core/value_count.hpp"

namespace unbraid {
namespace {

TEST(Error, IsOneLineWithItsContext) {
  const Error error{ErrorCode::kFormat, "first\nsecond", "a.wav"};
  EXPECT_STREQ(error.what(), "a.wav: first second");
  EXPECT_EQ(to_string(error.code()), "format");
}

TEST(Error, StandsForOtherExceptions) {
  const auto code_of = [](const std::exception& exception) { return error_of(exception).code(); };
  EXPECT_EQ(code_of(std::bad_alloc()), ErrorCode::kResource);
  EXPECT_EQ(code_of(std::length_error("vector")), ErrorCode::kResource);
  EXPECT_EQ(code_of(std::out_of_range("vector")), ErrorCode::kInternal);
  EXPECT_STREQ(error_of(Error{ErrorCode::kFormat, "damaged", "a.wav"}).what(), "a.wav: damaged");
  const std::error_code denied = std::make_error_code(std::errc::permission_denied);
  const Error file = error_of(std::filesystem::filesystem_error("cannot", "b.wav", denied));
  EXPECT_EQ(file.code(), ErrorCode::kIo);
  EXPECT_EQ(file.context(), "b.wav");
}

TEST(AudioBuffer, ViewsShareSamples) {
  AudioBuffer buffer(2, 5);
  buffer.view().slice(1, 3).channel(1)[2] = 0.25f;
  EXPECT_EQ(buffer.channel(1)[3], 0.25f);
  EXPECT_EQ(buffer.channel(0)[3], 0.0f);
  const AudioBuffer excerpt(buffer.view().slice(3, 2));
  EXPECT_EQ(excerpt.frames(), 2u);
  EXPECT_EQ(excerpt.channel(1)[0], 0.25f);
}

TEST(AudioBuffer, AddScaledRefusesOtherShapes) {
  AudioBuffer a(1, 4), b(1, 3);
  EXPECT_THROW(add_scaled(a, 1.0f, b), Error);
}

TEST(AudioBuffer, ZeroFramesAndZeroChannels) {
  EXPECT_TRUE(AudioBuffer(2, 0).empty());
  EXPECT_TRUE(AudioBuffer(0, 10).empty());
  EXPECT_TRUE(AudioBuffer(2, 0).channel(1).empty());
}

TEST(AudioBuffer, IsEmptyOnceItsSamplesAreMovedAway) {
  AudioBuffer first(2, 100), second(3, 7);
  first.channel(1)[99] = 0.5f;
  const AudioBuffer moved(std::move(first));
  EXPECT_EQ(moved.channel(1)[99], 0.5f);
  AudioBuffer assigned(1, 1);
  assigned = std::move(second);
  EXPECT_EQ(assigned.channels(), 3u);
  EXPECT_EQ(assigned.frames(), 7u);
  for (const AudioBuffer* left : {&first, &second}) {
    EXPECT_EQ(left->channels(), 0u);
    EXPECT_EQ(left->frames(), 0u);
    EXPECT_TRUE(left->empty());
  }
}

TEST(AudioBuffer, MoreSamplesThanCanBeCountedAreRefused) {
  constexpr std::size_t kHalf = std::numeric_limits<std::size_t>::max() / 2 + 1;
  EXPECT_THROW(AudioBuffer(2, kHalf + 1), std::length_error);  // twice that wraps to 2
  EXPECT_THROW(AudioBuffer(kHalf, 2), std::length_error);
  EXPECT_EQ(value_count({3, 5, 7}), 105u);
  EXPECT_EQ(value_count({}), 1u);
  EXPECT_EQ(value_count({kHalf, 1}), kHalf);
  EXPECT_THROW(value_count({kHalf, 1, 2}), std::length_error);
}

TEST(Stems, KeepTheirOrderAndRefuseDoubles) {
  Stems stems({"vocals", "bass", "drums"}, 1, 2);
  EXPECT_EQ(stems.names(), (std::vector<std::string>{"vocals", "bass", "drums"}));
  EXPECT_THROW(stems.add("bass", AudioBuffer(1, 2)), Error);
  try {
    stems.at("piano");
    FAIL() << "no error for an unknown stem";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(std::string(error.what()).find("vocals, bass, drums"), std::string::npos);
  }
}

// The known-answer vectors that Philox's authors publish with their Random123 library.
TEST(Rng, PhiloxKnownAnswers) {
  Rng zero(0, 0);
  EXPECT_EQ(zero.bits32(), 0x6627e8d5u);
  EXPECT_EQ(zero.bits32(), 0xe169c58du);
  EXPECT_EQ(zero.bits32(), 0xbc57ac4cu);
  EXPECT_EQ(zero.bits32(), 0x9b00dbd8u);
}

TEST(Rng, DistributionsHaveTheirMoments) {
  constexpr int kDraws = 200'000;
  Rng rng(7, 3);
  double sum = 0, squares = 0, uniform = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.normal(2.0, 3.0);
    sum += x;
    squares += (x - 2) * (x - 2);
    uniform += rng.uniform(-1, 3);
  }
  // Five standard errors of each estimate.
  EXPECT_NEAR(sum / kDraws, 2.0, 5 * 3.0 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 9.0, 5 * 9.0 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(uniform / kDraws, 1.0, 5 * (4 / std::sqrt(12.0)) / std::sqrt(kDraws));
}

TEST(Rng, FirstNormalsArePinned) {
  // Independent evaluation in long double from the same uniform bits.
  Rng bits(42, 1), normals(42, 1);
  long double u = 0, v = 0, s = 0;
  do {
    u = 2 * static_cast<long double>(bits.uniform()) - 1;
    v = 2 * static_cast<long double>(bits.uniform()) - 1;
    s = u * u + v * v;
  } while (s >= 1);
  const long double factor = std::sqrt(-2 * std::log(s) / s);
  EXPECT_NEAR(normals.normal(), static_cast<double>(u * factor), 1e-14);
  EXPECT_NEAR(normals.normal(), static_cast<double>(v * factor), 1e-14);
}

TEST(Rng, IndexIsUniformAndStateContinues) {
  Rng rng(5);
  std::vector<int> counts(7);
  for (int i = 0; i < 70'000; ++i) ++counts[rng.index(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);  // > 5 standard deviations (93)
  rng.normal();
  rng.bits32();
  Rng copy = Rng::restore(rng.state());
  for (int i = 0; i < 9; ++i) EXPECT_EQ(copy.normal(), rng.normal());
  EXPECT_EQ(copy.bits32(), rng.bits32());
}

TEST(Rng, StreamsDiffer) {
  EXPECT_NE(Rng(1, 0).bits64(), Rng(1, 1).bits64());
  EXPECT_NE(Rng(1, 0).bits64(), Rng(2, 0).bits64());
}

TEST(Rng, TruncatedNormalStaysInsideOrSaysWhy) {
  Rng rng(9);
  for (int i = 0; i < 1000; ++i) {
    const double x = rng.truncated_normal(0, 1, 0.5, 0.75);
    EXPECT_GE(x, 0.5);
    EXPECT_LE(x, 0.75);
  }
  EXPECT_THROW(rng.truncated_normal(0, 1, 2, 1), Error);
}

class ThreadPoolTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ThreadPoolTest, CallsEveryIndexOnce) {
  ThreadPool pool(GetParam());
  for (const std::size_t count : {0u, 1u, 2u, 7u, 1000u}) {
    std::vector<std::atomic<int>> calls(count);
    pool.parallel_for(
        count, [&](std::size_t i) { ++calls[i]; }, 3);
    for (const auto& c : calls) EXPECT_EQ(c.load(), 1);
  }
}

TEST_P(ThreadPoolTest, RethrowsAndWorksAfterwards) {
  ThreadPool pool(GetParam());
  EXPECT_THROW(pool.parallel_for(100,
                                 [](std::size_t i) {
                                   if (i == 37) throw Error{ErrorCode::kIo, "x"};
                                 }),
               Error);
  std::atomic<int> sum{0};
  pool.parallel_for(10, [&](std::size_t i) { sum += static_cast<int>(i); });
  EXPECT_EQ(sum, 45);
}

TEST_P(ThreadPoolTest, NestedLoopsRunInline) {
  ThreadPool pool(GetParam());
  std::atomic<int> sum{0};
  pool.parallel_for(4, [&](std::size_t) { pool.parallel_for(5, [&](std::size_t) { ++sum; }); });
  EXPECT_EQ(sum, 20);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, ::testing::Values(1, 2, 5));

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they end the program themselves
TEST(ThreadPool, SaysWhenThereAreNotSoManyThreads) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  // Room for the stacks of some threads, not of all.
  const rlimit narrow{pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{100} << 20), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &narrow), 0);
  ErrorCode code = ErrorCode::kInternal;
  try {
    const ThreadPool pool(10000);
  } catch (const Error& error) {
    code = error.code();
  }
  setrlimit(RLIMIT_AS, &before);
  EXPECT_EQ(code, ErrorCode::kResource);
  EXPECT_EQ(ThreadPool(3).threads(), 3u);
}
#endif

TEST(Cancel, TokenFiresOnce) {
  CancelSource source;
  const CancelToken token = source.token();
  EXPECT_NO_THROW(token.check());
  source.cancel();
  EXPECT_THROW(token.check(), Error);
  EXPECT_NO_THROW(CancelToken{}.check());
}

TEST(Progress, CountsUp) {
  std::vector<Progress::Update> seen;
  const Progress progress([&](const Progress::Update& u) { seen.push_back(u); });
  progress.start("separate", 10, "frames");
  progress.advance(4);
  progress.advance(6);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[2].done, 10u);
  EXPECT_EQ(seen[2].stage, "separate");
  Progress{}.advance(1);  // nobody watches: nothing happens
}

TEST(Parameters, DefaultsOverridesAndErrors) {
  const std::vector<Parameter> declared{{.name = "kernel", .help = "", .value = std::int64_t{31}, .minimum = 1, .maximum = 101},
                                        {.name = "margin", .help = "", .value = 1.0, .minimum = 1, .maximum = 10},
                                        {.name = "soft", .help = "", .value = true},
                                        {.name = "mode", .help = "", .value = std::string("soft"), .choices = {"soft", "hard"}}};
  const auto values = ParameterValues::resolve(declared, {{"margin", "2.5"}, {"soft", "no"}});
  EXPECT_EQ(values.integer("kernel"), 31);
  EXPECT_EQ(values.number("margin"), 2.5);
  EXPECT_FALSE(values.flag("soft"));
  EXPECT_EQ(values.text("mode"), "soft");
  const std::map<std::string, std::string> wrong[] = {{{"kernal", "3"}}, {{"kernel", "3.5"}}, {{"kernel", "0"}},  {{"margin", "nan"}},
                                                      {{"mode", "x"}},   {{"soft", "maybe"}}, {{"margin", "2x"}}, {{"kernel", ""}}};
  for (const auto& overrides : wrong) {
    try {
      ParameterValues::resolve(declared, overrides);
      ADD_FAILURE() << overrides.begin()->first << "=" << overrides.begin()->second << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_EQ(error.context(), overrides.begin()->first);
    }
  }
}

}  // namespace
}  // namespace unbraid
