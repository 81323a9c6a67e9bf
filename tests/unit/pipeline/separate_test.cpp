#include "unbraid/pipeline/separate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "pipeline/channel_groups.hpp"
#include "support/separators.hpp"
#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/pipeline/chunk.hpp"

namespace unbraid {
namespace {

using testing::FunctionSeparator;
using testing::identity;
using testing::largest_difference;
using testing::noise;

constexpr double kRate = 8000;

Stems run_separator(AudioView mix, Separator& separator, const SeparationOptions& options = {}, double rate = kRate,
                    std::size_t threads = 2) {
  ThreadPool pool(threads);
  RunContext run{pool};
  return separate(mix, rate, separator, options, run);
}

class Identity : public ::testing::TestWithParam<std::tuple<double, BlockWindow, PaddingMode>> {};

TEST_P(Identity, GivesTheInput) {
  const auto [overlap, window, padding] = GetParam();
  constexpr std::size_t kLength = 256;
  for (const std::size_t batch : {1u, 3u, 1000u})
    for (const std::size_t context : {0u, 31u})
      for (const std::size_t shifts : {0u, 3u}) {
        const Chunked blocks{.length = kLength, .overlap = overlap, .window = window, .context = context, .padding = padding};
        const std::size_t hop = ChunkLayout::of(blocks).hop;
        for (const std::size_t frames :
             {std::size_t{0}, std::size_t{1}, hop - 1, hop, hop + 1, kLength - 1, kLength, kLength + 1, 9 * kLength + 17}) {
          const AudioBuffer mix = noise(2, frames, frames + 1);
          const auto separator = identity(2, kRate, blocks);
          const Stems stems = run_separator(mix, *separator, {.batch = batch, .shifts = shifts, .seed = 5});
          // Three runs are averaged with gains that are no binary fractions: three more roundings.
          EXPECT_LT(largest_difference(stems.at("all"), mix), 1e-6) << frames << " frames";
        }
      }
}

INSTANTIATE_TEST_SUITE_P(Every, Identity,
                         ::testing::Combine(::testing::Values(0.0, 0.25, 0.5, 0.77, 0.95),
                                            ::testing::Values(BlockWindow::kHann, BlockWindow::kTriangular, BlockWindow::kLinearFade,
                                                              BlockWindow::kBox),
                                            ::testing::Values(PaddingMode::kReflect, PaddingMode::kConstant, PaddingMode::kReplicate)));

TEST(Separate, WholeTracksAreOneBlockOfTheirLength) {
  for (const std::size_t frames : {0u, 1u, 2u, 70000u, 200001u}) {
    std::vector<std::size_t> lengths;
    FunctionSeparator separator({.stems = {"all"}, .sample_rate = kRate, .channels = 1}, [&](AudioView block) {
      lengths.push_back(block.frames());
      return std::vector{AudioBuffer(block)};
    });
    const AudioBuffer mix = noise(1, frames, 1);
    EXPECT_EQ(largest_difference(run_separator(mix, separator).at("all"), mix), 0.0);
    EXPECT_EQ(lengths, frames == 0 ? std::vector<std::size_t>{} : std::vector<std::size_t>{frames});
    EXPECT_LT(largest_difference(run_separator(mix, separator, {.shifts = 2}).at("all"), mix), 1e-6);
  }
}

TEST(Separate, CallsTheSeparatorInBatches) {
  std::vector<std::size_t> sizes;
  class Counting : public FunctionSeparator {
   public:
    Counting(std::vector<std::size_t>& sizes, const SeparatorInfo& info)
        : FunctionSeparator(info, [](AudioView block) { return std::vector{AudioBuffer(block)}; }), sizes_(sizes) {}
    std::vector<Stems> process_batch(std::span<const AudioView> blocks, RunContext& run) override {
      sizes_.push_back(blocks.size());
      return FunctionSeparator::process_batch(blocks, run);
    }

   private:
    std::vector<std::size_t>& sizes_;
  };
  Counting separator(sizes, {.stems = {"all"}, .sample_rate = kRate, .channels = 2, .blocks = Chunked{.length = 256, .batch = 4}});
  run_separator(noise(2, 2000, 1), separator);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{4, 4, 4, 4, 1}));  // splifft's case stitch0
}

TEST(Separate, MatchesTheChannelsOfTheInput) {
  for (std::size_t input = 1; input <= 9; ++input)
    for (std::size_t wanted = 1; wanted <= 3; ++wanted) {
      const AudioBuffer mix = noise(input, 3000, input);
      const auto separator = identity(wanted, kRate, Chunked{.length = 512});
      EXPECT_LT(largest_difference(run_separator(mix, *separator).at("all"), mix), 1e-6) << input << " to " << wanted;
    }
}

TEST(ChannelGroups, PairsWhatBelongsTogether) {
  using Groups = std::vector<std::vector<std::size_t>>;
  EXPECT_EQ(channel_groups(1, 2), (Groups{{0}}));
  EXPECT_EQ(channel_groups(2, 2), (Groups{{0, 1}}));
  EXPECT_EQ(channel_groups(2, 1), (Groups{{0}, {1}}));
  EXPECT_EQ(channel_groups(3, 2), (Groups{{0, 1}, {2}}));
  EXPECT_EQ(channel_groups(4, 2), (Groups{{0, 1}, {2, 3}}));
  EXPECT_EQ(channel_groups(5, 2), (Groups{{0, 1}, {2}, {3, 4}}));
  EXPECT_EQ(channel_groups(6, 2), (Groups{{0, 1}, {2}, {3}, {4, 5}}));
  EXPECT_EQ(channel_groups(7, 2), (Groups{{0, 1}, {2}, {3}, {4}, {5, 6}}));
  EXPECT_EQ(channel_groups(8, 2), (Groups{{0, 1}, {2}, {3}, {4, 5}, {6, 7}}));
  EXPECT_EQ(channel_groups(6, 6), (Groups{{0, 1, 2, 3, 4, 5}}));
}

/// A low tone in each channel: resampling keeps it, so the identity is still the identity.
AudioBuffer tone(std::size_t frames, double rate) {
  AudioBuffer audio(2, frames);
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t t = 0; t < frames; ++t)
      audio.channel(c)[t] = static_cast<float>(0.5 * std::sin(2.0 * 3.141592653589793 * (200.0 + 30.0 * c) * t / rate));
  return audio;
}

TEST(Separate, KeepsRateAndLengthWhateverTheSeparatorWorksAt) {
  for (const double rate : {8000.0, 11025.0, 22050.0, 44100.0, 48000.0, 96000.0, 192000.0})
    for (const std::size_t frames : {1u, 2u, 63u, 64u, 65u, 999u, 20011u}) {
      const auto separator = identity(2, 44100, Chunked{.length = 2048});
      const AudioBuffer mix = tone(frames, rate);
      const Stems stems = run_separator(mix, *separator, {}, rate);
      ASSERT_EQ(stems.at("all").frames(), frames);
      if (frames < 20000) continue;
      // Away from the ends, where the tone starts from nothing, resampling there and back costs under 1e-5.
      const std::size_t edge = 2000;
      EXPECT_LT(largest_difference(stems.at("all").view().slice(edge, frames - 2 * edge), mix.view().slice(edge, frames - 2 * edge)), 1e-5)
          << rate;
    }
}

TEST(Separate, NormalizesForSeparatorsThatWantIt) {
  AudioBuffer mix = noise(2, 5000, 3, 0.02);
  for (float& sample : mix.samples()) sample += 0.3f;
  NormalizationMeter seen;
  FunctionSeparator separator({.stems = {"a", "b"}, .sample_rate = kRate, .channels = 2, .normalize = Normalization::kShared},
                              [&](AudioView block) {
                                seen.add(block);
                                AudioBuffer half(2, block.frames());
                                add_scaled(block, 0.5f, half);
                                return std::vector{half, half};
                              });
  Stems stems = run_separator(mix, separator);
  EXPECT_NEAR(seen.stats().mean, 0.0, 3e-6);  // the mean is a float: half of 2^−25 over a deviation of 0.0115
  EXPECT_NEAR(seen.stats().std, 1.0, 1e-6);
  add_scaled(stems.at("a"), 1.0f, stems.at("b"));
  EXPECT_LT(largest_difference(stems.at("b"), mix), 1e-6);
}

TEST(Separate, TakesAStreamThatWasNotMeasuredAsItIs) {
  const AudioBuffer mix = noise(2, 5000, 3, 0.5);
  for (const Normalization normalize : {Normalization::kShared, Normalization::kMsst}) {
    FunctionSeparator separator({.stems = {"all"}, .sample_rate = kRate, .channels = 2, .normalize = normalize},
                                [](AudioView block) { return std::vector{AudioBuffer(block)}; });
    ThreadPool pool(1);
    RunContext run{pool};
    SeparationStream stream(separator, {.sample_rate = kRate, .channels = 2}, {});
    stream.push(mix, run);
    stream.finish(run);
    std::size_t frames = 0;
    while (stream.ready()) {
      const SeparatedBlock block = stream.take(run);
      EXPECT_LT(largest_difference(block.stems.at("all"), block.mix), 1e-6);
      frames += block.mix.frames();
    }
    EXPECT_EQ(frames, mix.frames());
  }
}

TEST(Separate, NormalizesSilenceAndConstantsWithoutHarm) {
  for (const float level : {0.0f, 0.25f}) {
    AudioBuffer mix(2, 1000);
    for (float& sample : mix.samples()) sample = level;
    FunctionSeparator separator({.stems = {"a", "b"}, .sample_rate = kRate, .channels = 2, .normalize = Normalization::kShared},
                                [](AudioView block) {
                                  return std::vector{AudioBuffer(block), AudioBuffer(block)};
                                });
    Stems stems = run_separator(mix, separator);
    add_scaled(stems.at("a"), 1.0f, stems.at("b"));
    EXPECT_LT(largest_difference(stems.at("b"), mix), 1e-6);
  }
}

/// A separator whose result depends on where its blocks lie.
std::unique_ptr<Separator> place_dependent() {
  return std::make_unique<FunctionSeparator>(
      SeparatorInfo{.stems = {"all"}, .sample_rate = kRate, .channels = 2, .blocks = Chunked{.length = 500, .overlap = 0.3}},
      [](AudioView block) {
        AudioBuffer out(block);
        for (std::size_t t = 0; t < out.frames(); ++t)
          for (std::size_t c = 0; c < 2; ++c) out.channel(c)[t] *= static_cast<float>(t) / 500.0f;
        return std::vector{out};
      });
}

TEST(Separate, ShiftsComeFromTheSeed) {
  const AudioBuffer mix = noise(2, 10000, 1);
  const auto separator = place_dependent();
  const auto with = [&](std::size_t shifts, std::uint64_t seed) {
    return run_separator(mix, *separator, {.shifts = shifts, .seed = seed});
  };
  EXPECT_EQ(largest_difference(with(2, 7).at("all"), with(2, 7).at("all")), 0.0);
  EXPECT_GT(largest_difference(with(2, 7).at("all"), with(2, 8).at("all")), 1e-3);
  EXPECT_GT(largest_difference(with(2, 7).at("all"), with(0, 7).at("all")), 1e-3);
}

TEST(Separate, DoesNotDependOnThreadsBatchOrPieces) {
  const AudioBuffer mix = noise(2, 10000, 1);
  const auto separator = place_dependent();
  const Stems expected = run_separator(mix, *separator, {.batch = 1, .shifts = 2}, kRate, 1);
  const Stems threaded = run_separator(mix, *separator, {.batch = 7, .shifts = 2}, kRate, 3);
  EXPECT_EQ(largest_difference(expected.at("all"), threaded.at("all")), 0.0);

  ThreadPool pool(2);
  RunContext run{pool};
  SeparationStream stream(*separator, {.sample_rate = kRate, .channels = 2}, {.shifts = 2});
  std::size_t done = 0;
  const auto drain = [&] {
    while (stream.ready()) {
      const SeparatedBlock block = stream.take(run);
      const std::size_t count = block.mix.frames();
      EXPECT_EQ(largest_difference(block.mix, mix.view().slice(done, count)), 0.0);
      EXPECT_EQ(largest_difference(block.stems.at("all"), expected.at("all").view().slice(done, count)), 0.0);
      done += count;
    }
  };
  for (std::size_t at = 0; at < mix.frames(); at += 77) {
    stream.push(mix.view().slice(at, std::min<std::size_t>(77, mix.frames() - at)), run);
    drain();
  }
  stream.finish(run);
  drain();
  EXPECT_EQ(done, mix.frames());
}

TEST(Separate, AddsUpToTheMixtureWhenAskedTo) {
  for (const double rate : {kRate, 44100.0}) {
    const AudioBuffer mix = noise(2, 9999, 1, 0.5);
    FunctionSeparator separator({.stems = {"a", "b"}, .sample_rate = kRate, .channels = 2, .blocks = Chunked{.length = 300}},
                                [](AudioView block) {
                                  AudioBuffer part(2, block.frames());
                                  add_scaled(block, 0.3f, part);
                                  return std::vector{AudioBuffer(block), part};
                                });
    Stems stems = run_separator(mix, separator, {.consistent = true}, rate);
    double power = 0.0;
    for (std::size_t i = 0; i < mix.samples().size(); ++i) {
      const double rest = static_cast<double>(mix.samples()[i]) - stems.at("a").samples()[i] - stems.at("b").samples()[i];
      power += rest * rest;
    }
    EXPECT_LT(10.0 * std::log10(power / static_cast<double>(mix.samples().size())), -120.0);
  }
}

TEST(Separate, RefusesSamplesThatAreNotNumbers) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    AudioBuffer mix = noise(2, 1000, 1);
    mix.channel(1)[123] = bad;
    const auto separator = identity(2, kRate, Chunked{.length = 100});
    try {
      run_separator(mix, *separator);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFormat);
      EXPECT_STREQ(error.what(), "sample 123 of channel 2 is not a finite number");
    }
  }
}

TEST(Separate, NoticesSeparatorsThatBreakTheirPromise) {
  const AudioBuffer mix = noise(1, 1000, 1);
  const SeparatorInfo info{.stems = {"all"}, .sample_rate = kRate, .channels = 1, .blocks = Chunked{.length = 100}};
  FunctionSeparator not_a_number(info, [](AudioView block) {
    AudioBuffer out(block);
    out.channel(0)[5] = std::nanf("");
    return std::vector{out};
  });
  FunctionSeparator too_short(info, [](AudioView block) { return std::vector{AudioBuffer(block.slice(0, 99))}; });
  EXPECT_THROW(run_separator(mix, not_a_number), Error);
  EXPECT_THROW(run_separator(mix, too_short), Error);
}

TEST(Separate, StopsWhenToldTo) {
  CancelSource stop;
  std::size_t blocks = 0;
  FunctionSeparator separator({.stems = {"all"}, .sample_rate = kRate, .channels = 1, .blocks = Chunked{.length = 100}},
                              [&](AudioView block) {
                                if (++blocks == 3) stop.cancel();
                                return std::vector{AudioBuffer(block)};
                              });
  ThreadPool pool(1);
  RunContext run{.pool = pool, .cancel = stop.token()};
  try {
    separate(noise(1, 10000, 1), kRate, separator, {}, run);
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(blocks, 3u);
}

TEST(Separate, CountsFramesWhateverTheSeparatorSays) {
  class Talking : public FunctionSeparator {
   public:
    using FunctionSeparator::FunctionSeparator;
    Stems process(AudioView block, RunContext& run) override {
      run.progress.start("think", 3, "thoughts");
      run.progress.advance(3);
      return FunctionSeparator::process(block, run);
    }
  };
  for (const auto& blocks : {std::variant<WholeTrack, Chunked, Ensemble, Chain>(WholeTrack{}), {Chunked{.length = 1000}}}) {
    Talking separator({.stems = {"all"}, .sample_rate = kRate, .channels = 1, .blocks = blocks},
                      [](AudioView block) { return std::vector{AudioBuffer(block)}; });
    std::vector<std::uint64_t> done;
    ThreadPool pool(1);
    RunContext run{.pool = pool, .progress = Progress([&](const Progress::Update& update) {
                                   done.push_back(update.done);
                                   EXPECT_EQ(update.stage, "separate");
                                   EXPECT_EQ(update.unit, "frames");
                                   EXPECT_EQ(update.total, 100000u);
                                 })};
    separate(noise(1, 100000, 1), kRate, separator, {}, run);
    EXPECT_GE(done.size(), 6u);  // pieces of 16384 frames at most
    EXPECT_TRUE(std::ranges::is_sorted(done));
    EXPECT_EQ(done.back(), 100000u);
  }
}

TEST(SeparationStream, ThrowsAgainWhatEndedIt) {
  std::size_t calls = 0;
  FunctionSeparator separator({.stems = {"all"}, .sample_rate = kRate, .channels = 1, .blocks = Chunked{.length = 100, .overlap = 0}},
                              [&](AudioView block) {
                                if (++calls == 3) throw Error{ErrorCode::kResource, "busy"};
                                return std::vector{AudioBuffer(block)};
                              });
  ThreadPool pool(1);
  RunContext run{pool};
  SeparationStream stream(separator, {.sample_rate = kRate, .channels = 1}, {});
  const auto expect_busy = [](const auto& call) {
    try {
      call();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kResource);
      EXPECT_STREQ(error.what(), "busy");
    }
  };
  const AudioBuffer frames = noise(1, 1000, 1);
  for (int again = 0; again < 2; ++again) {
    expect_busy([&] { stream.push(frames, run); });
    EXPECT_FALSE(stream.ready());
    expect_busy([&] { stream.take(run); });
    expect_busy([&] { stream.finish(run); });
  }
  EXPECT_EQ(calls, 3u);
}

TEST(SeparationStream, EndsWhenStoppedAmidstItsWork) {
  CancelSource stop;
  FunctionSeparator separator({.stems = {"all"}, .sample_rate = kRate, .channels = 1, .blocks = Chunked{.length = 100, .overlap = 0}},
                              [&](AudioView block) {
                                stop.cancel();
                                return std::vector{AudioBuffer(block)};
                              });
  ThreadPool pool(1);
  RunContext stopped{.pool = pool, .cancel = stop.token()}, goes_on{pool};
  SeparationStream stream(separator, {.sample_rate = kRate, .channels = 1}, {});
  EXPECT_THROW(stream.push(noise(1, 1000, 1), stopped), Error);
  EXPECT_THROW(stream.push(noise(1, 1000, 1), goes_on), Error);
  EXPECT_FALSE(stream.ready());
}

TEST(SeparationOptions, RefuseValuesOutOfRange) {
  EXPECT_THROW(SeparationOptions{.overlap = 1.0}.validate(), Error);
  EXPECT_THROW(SeparationOptions{.overlap = -0.1}.validate(), Error);
  EXPECT_THROW(SeparationOptions{.shifts = 1001}.validate(), Error);
  EXPECT_NO_THROW((SeparationOptions{.overlap = 0.95, .shifts = 1000}.validate()));
}

}  // namespace
}  // namespace unbraid
