#include "unbraid/separator/separator.hpp"

#include <gtest/gtest.h>

#include "support/separators.hpp"
#include "support/signals.hpp"

namespace unbraid {
namespace {

TEST(Separator, BatchesAreBlocksOneAfterTheOther) {
  std::vector<std::size_t> seen;
  testing::FunctionSeparator separator({.stems = {"all"}, .sample_rate = 8000, .channels = 2}, [&](AudioView block) {
    seen.push_back(block.frames());
    return std::vector{AudioBuffer(block)};
  });
  ThreadPool pool(1);
  RunContext run{pool};
  const AudioBuffer a = testing::noise(2, 10, 1), b = testing::noise(2, 20, 2);
  const std::vector<AudioView> blocks{a, b};
  const std::vector<Stems> results = separator.process_batch(blocks, run);
  EXPECT_EQ(seen, (std::vector<std::size_t>{10, 20}));
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(testing::largest_difference(results[0].at("all"), a), 0.0);
  EXPECT_EQ(testing::largest_difference(results[1].at("all"), b), 0.0);
  EXPECT_TRUE(separator.process_batch({}, run).empty());
}

TEST(SeparatorInfo, NeedsNoWorkingMemoryUnlessItSaysSo) {
  const SeparatorInfo info;
  EXPECT_EQ(info.working_bytes(1000000), 0u);
  EXPECT_TRUE(std::holds_alternative<WholeTrack>(info.blocks));
}

}  // namespace
}  // namespace unbraid
