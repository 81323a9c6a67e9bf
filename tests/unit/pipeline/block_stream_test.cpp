#include "pipeline/block_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/signals.hpp"

namespace unbraid {
namespace {

/// The difference of each frame's two neighbours, twice: it needs one frame of context.
class Slopes : public BlockStream {
 public:
  Slopes() : BlockStream(100, 1, 1, 2) {}

 private:
  AudioBuffer process(AudioBuffer block, ThreadPool&) override {
    AudioBuffer out(2, block.frames());
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t t = 1; t + 1 < block.frames(); ++t) out.channel(c)[t] = block.channel(0)[t + 1] - block.channel(0)[t - 1];
    return out;
  }
};

TEST(BlockStream, GivesAsManyFramesAsItGotAndJoinsBlocksExactly) {
  ThreadPool pool(1);
  for (const std::size_t frames : {0u, 1u, 2u, 99u, 100u, 101u, 555u})
    for (const std::size_t piece : {1u, 64u, 1000u}) {
      const AudioBuffer x = testing::noise(1, frames, 9, 1);
      Slopes slopes;
      for (std::size_t t = 0; t < frames; t += piece) slopes.push(x.view().slice(t, std::min(piece, frames - t)), pool);
      slopes.finish(pool);
      ASSERT_EQ(slopes.ready(), frames);
      const AudioView y = slopes.view(frames);
      ASSERT_EQ(y.channels(), 2u);
      for (std::size_t t = 0; t < frames; ++t) {
        const float before = t > 0 ? x.channel(0)[t - 1] : 0.0f, after = t + 1 < frames ? x.channel(0)[t + 1] : 0.0f;
        EXPECT_EQ(y.channel(1)[t], after - before) << frames << " " << t;
      }
      slopes.drop(frames);
      EXPECT_EQ(slopes.ready(), 0u);
    }
}

}  // namespace
}  // namespace unbraid
