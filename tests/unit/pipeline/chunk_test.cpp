#include "unbraid/pipeline/chunk.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <tuple>

#include "support/signals.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/pipeline/stitch.hpp"

namespace unbraid {
namespace {

using testing::largest_difference;
using testing::noise;

std::vector<float> first_channel(const AudioBuffer& block) { return {block.channel(0).begin(), block.channel(0).end()}; }

AudioBuffer ramp(std::size_t frames) {
  AudioBuffer signal(1, frames);
  for (std::size_t i = 0; i < frames; ++i) signal.channel(0)[i] = static_cast<float>(i + 1);
  return signal;
}

TEST(ChunkLayout, RoundsTheHop) {
  // Truncation would give 58879.
  EXPECT_EQ(ChunkLayout::of({.length = 588800, .overlap = 0.9}).hop, 58880u);
  EXPECT_EQ(ChunkLayout::of({.length = 300, .overlap = 0.9}).hop, 30u);
  EXPECT_EQ(ChunkLayout::of({.length = 4, .overlap = 0.95}).hop, 1u);
}

TEST(ChunkLayout, RefusesWhatCannotBe) {
  const Chunked wrong[] = {{.length = 0},
                           {.length = 8, .overlap = 1.0},
                           {.length = 8, .overlap = -0.1},
                           {.length = 8, .overlap = std::nan("")},
                           {.length = 8, .fade = 0.0},
                           {.length = 8, .fade = 0.6},
                           {.length = 8, .context = 4},
                           {.length = 8, .batch = 0}};
  for (const Chunked& blocks : wrong) EXPECT_THROW(ChunkLayout::of(blocks), Error);
  EXPECT_THROW(ChunkLayout::with_hop({.length = 8, .context = 2}, 5), Error);
  EXPECT_THROW(ChunkLayout::with_hop({.length = 8}, 0), Error);
}

TEST(Chunker, MirrorsAtTheBorderSamples) {
  const auto blocks = generate_chunks(ramp(5), ChunkLayout::of({.length = 4, .overlap = 0.5}));
  ASSERT_EQ(blocks.size(), 4u);
  EXPECT_EQ(first_channel(blocks[0]), (std::vector<float>{3, 2, 1, 2}));
  EXPECT_EQ(first_channel(blocks[1]), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(first_channel(blocks[2]), (std::vector<float>{3, 4, 5, 4}));
  EXPECT_EQ(first_channel(blocks[3]), (std::vector<float>{5, 4, 3, 0}));  // two frames of padding, then silence
}

TEST(Chunker, MirrorsBackAndForthWhenTheSignalIsShorterThanItsPadding) {
  const auto blocks = generate_chunks(ramp(3), ChunkLayout::with_hop({.length = 12}, 4));
  EXPECT_EQ(first_channel(blocks[0]), (std::vector<float>{1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2}));
}

TEST(Chunker, RepeatsOrSilencesWhenAskedTo) {
  const Chunked replicate{.length = 4, .overlap = 0.5, .padding = PaddingMode::kReplicate};
  EXPECT_EQ(first_channel(generate_chunks(ramp(3), ChunkLayout::of(replicate))[0]), (std::vector<float>{1, 1, 1, 2}));
  const Chunked constant{.length = 4, .overlap = 0.5, .padding = PaddingMode::kConstant};
  EXPECT_EQ(first_channel(generate_chunks(ramp(3), ChunkLayout::of(constant))[0]), (std::vector<float>{0, 0, 1, 2}));
  EXPECT_EQ(first_channel(generate_chunks(ramp(3), ChunkLayout::of(constant))[2]), (std::vector<float>{3, 0, 0, 0}));
}

TEST(Chunker, OneSampleFillsEveryReflectedFrame) {
  const auto blocks = generate_chunks(ramp(1), ChunkLayout::of({.length = 4, .overlap = 0.5}));
  EXPECT_EQ(first_channel(blocks[0]), (std::vector<float>{1, 1, 1, 1}));
}

TEST(Chunker, GivesTheSameBlocksHoweverTheSignalArrives) {
  const AudioBuffer signal = noise(2, 1000, 1);
  for (const Chunked& blocks : {Chunked{.length = 64, .overlap = 0.75}, Chunked{.length = 300, .overlap = 0.9},
                                Chunked{.length = 90, .overlap = 0.5, .context = 20}}) {
    const ChunkLayout layout = ChunkLayout::of(blocks, 17);
    const auto expected = generate_chunks(signal, layout);
    for (const std::size_t step : {1u, 7u, 64u, 999u}) {
      Chunker chunker(layout, 2);
      std::size_t made = 0;
      AudioBuffer block(2, layout.length);
      const auto drain = [&] {
        while (chunker.ready()) {
          chunker.next(block);
          ASSERT_LT(made, expected.size());
          EXPECT_EQ(largest_difference(block, expected[made++]), 0.0);
        }
      };
      for (std::size_t at = 0; at < signal.frames(); at += step) {
        chunker.push(signal.view().slice(at, std::min(step, signal.frames() - at)));
        drain();
      }
      chunker.finish();
      drain();
      EXPECT_EQ(made, expected.size());
    }
  }
}

TEST(BlockWeights, AddUpToOne) {
  for (const BlockWindow shape : {BlockWindow::kHann, BlockWindow::kTriangular, BlockWindow::kLinearFade, BlockWindow::kBox})
    for (const std::size_t hop : {1u, 7u, 50u, 99u, 100u}) {
      const ChunkLayout layout = ChunkLayout::with_hop({.length = 100}, hop);
      const std::vector<float> weights = block_weights(shape, layout);
      for (std::size_t phase = 0; phase < hop; ++phase) {
        double sum = 0.0;
        for (std::size_t i = phase; i < weights.size(); i += hop) sum += weights[i];
        EXPECT_NEAR(sum, 1.0, 1e-6);
      }
    }
}

TEST(BlockWeights, HaveTheirShape) {
  const ChunkLayout layout = ChunkLayout::with_hop({.length = 8}, 8);  // each weight alone: all 1
  for (const float weight : block_weights(BlockWindow::kHann, layout)) EXPECT_EQ(weight, 1.0f);
  const std::vector<float> halves = block_weights(BlockWindow::kHann, ChunkLayout::with_hop({.length = 8}, 4));
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(halves[i], 0.5 - 0.5 * std::cos(std::acos(-1.0) * i / 4.0), 1e-6);
  const std::vector<float> triangle = block_weights(BlockWindow::kTriangular, ChunkLayout::with_hop({.length = 6}, 3));
  EXPECT_NEAR(triangle[0], 1.0 / 4.0, 1e-6);  // 1 2 3 3 2 1: 1 / (1 + 3)
  EXPECT_NEAR(triangle[1], 2.0 / 4.0, 1e-6);
  const std::vector<float> fade = block_weights(BlockWindow::kLinearFade, ChunkLayout::with_hop({.length = 10}, 5), 0.3);
  const double expected[] = {0.0, 0.5 / 1.5, 0.5, 1.0 / 1.5, 1.0, 1.0, 1.0 / 1.5, 0.5, 0.5 / 1.5, 0.0};  // 0 ½ 1 1 1 1 1 1 ½ 0
  for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(fade[i], expected[i], 1e-6) << i;
}

TEST(BlockWeights, RefuseWhatCannotBe) {
  const ChunkLayout layout = ChunkLayout::of({.length = 4});
  EXPECT_THROW(block_weights(std::vector<double>{1, 1, 1}, layout), Error);
  EXPECT_THROW(block_weights(std::vector<double>{1, 1, 1, -1}, layout), Error);
  EXPECT_THROW(block_weights(std::vector<double>{1, 1, 1, std::nan("")}, layout), Error);
}

/// Cutting and stitching is the identity, for every way to cut. Tolerance: up to 20 products of rounded
/// weights.
class CutAndStitch : public ::testing::TestWithParam<std::tuple<double, BlockWindow, PaddingMode>> {};

TEST_P(CutAndStitch, IsTheIdentity) {
  const auto [overlap, window, padding] = GetParam();
  constexpr std::size_t kLength = 100;
  for (const std::size_t context : {0u, 13u}) {
    const Chunked blocks{.length = kLength, .overlap = overlap, .window = window, .context = context, .padding = padding};
    const ChunkLayout layout = ChunkLayout::of(blocks);
    std::set<std::size_t> lengths{0, 1, 2, kLength - 1, kLength, kLength + 1, layout.hop + 1, 10 * kLength + 3};
    lengths.insert({layout.hop - 1, layout.hop, layout.core() - 1, layout.core(), layout.core() + 1});
    for (const std::size_t frames : lengths)
      for (const std::size_t offset : {0u, 1u, 250u}) {
        const ChunkLayout shifted = ChunkLayout::of(blocks, offset);
        const AudioBuffer signal = noise(2, frames, frames);
        const auto chunks = generate_chunks(signal, shifted);
        EXPECT_EQ(chunks.size(), shifted.count(frames));
        if (frames == 0) continue;
        const AudioBuffer back = stitch_chunks(chunks, shifted, block_weights(window, shifted), frames);
        EXPECT_LT(largest_difference(signal, back), 1e-6) << frames << " frames, offset " << offset;
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, CutAndStitch,
                         ::testing::Combine(::testing::Values(0.0, 0.1, 0.25, 0.5, 0.66, 0.75, 0.9, 0.95),
                                            ::testing::Values(BlockWindow::kHann, BlockWindow::kTriangular, BlockWindow::kLinearFade,
                                                              BlockWindow::kBox),
                                            ::testing::Values(PaddingMode::kReflect, PaddingMode::kConstant, PaddingMode::kReplicate)));

TEST(Stitcher, MeansOverTheBlocksThatCoverAFrame) {
  // Blocks of constants 0, 1, 2, … with a box window and half overlap: the mean of two neighbours, no damage
  // at the ends.
  const ChunkLayout layout = ChunkLayout::of({.length = 4, .overlap = 0.5});
  std::vector<AudioBuffer> blocks;
  for (std::size_t k = 0; k < layout.count(6); ++k) {
    blocks.emplace_back(1, 4);
    for (float& sample : blocks.back().samples()) sample = static_cast<float>(k);
  }
  const AudioBuffer joined = stitch_chunks(blocks, layout, block_weights(BlockWindow::kBox, layout), 6);
  EXPECT_EQ(first_channel(joined), (std::vector<float>{0.5f, 0.5f, 1.5f, 1.5f, 2.5f, 2.5f}));
  EXPECT_THROW(stitch_chunks(blocks, layout, block_weights(BlockWindow::kBox, layout), 60), Error);
}

TEST(Stitcher, ThrowsTheContextAway) {
  const ChunkLayout layout = ChunkLayout::of({.length = 6, .overlap = 0.0, .window = BlockWindow::kBox, .context = 2});
  auto blocks = generate_chunks(ramp(4), layout);
  ASSERT_EQ(blocks.size(), 2u);
  for (AudioBuffer& block : blocks)
    for (const std::size_t i : {0u, 1u, 4u, 5u}) block.channel(0)[i] = std::nanf("");
  EXPECT_EQ(first_channel(stitch_chunks(blocks, layout, block_weights(BlockWindow::kBox, layout), 4)), (std::vector<float>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace unbraid
