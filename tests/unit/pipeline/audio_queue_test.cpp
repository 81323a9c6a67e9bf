#include "pipeline/audio_queue.hpp"

#include <gtest/gtest.h>

#include "support/signals.hpp"

namespace unbraid {
namespace {

TEST(AudioQueue, GivesBackWhatWentInByNumber) {
  const AudioBuffer signal = testing::noise(2, 5000, 1);
  AudioQueue queue(2);
  Rng rng(7);
  std::size_t pushed = 0;
  while (pushed < signal.frames()) {
    const std::size_t count = std::min<std::size_t>(rng.index(300), signal.frames() - pushed);
    queue.push(signal.view().slice(pushed, count));
    pushed += count;
    ASSERT_EQ(queue.end(), pushed);
    const std::size_t held = queue.size();
    ASSERT_EQ(testing::largest_difference(std::as_const(queue).view(queue.first(), held), signal.view().slice(queue.first(), held)), 0.0);
    queue.drop_before(queue.first() + rng.index(held + 1));
  }
}

TEST(AudioQueue, ExtendsWithSilenceEvenWhereSamplesWereBefore) {
  AudioQueue queue(1);
  queue.push(testing::noise(1, 100, 2));
  for (int round = 0; round < 50; ++round) {
    queue.drop_before(queue.end());
    queue.extend(37);
    for (const float sample : queue.view(queue.first(), 37).channel(0)) ASSERT_EQ(sample, 0.0f);
    for (float& sample : queue.view(queue.first(), 37).channel(0)) sample = 1.0f;
  }
}

TEST(AudioQueue, DropsNoMoreThanItHolds) {
  AudioQueue queue(1);
  queue.push(AudioBuffer(1, 10));
  queue.drop_before(100);
  EXPECT_EQ(queue.first(), 10u);
  EXPECT_EQ(queue.size(), 0u);
  queue.drop_before(3);
  EXPECT_EQ(queue.first(), 10u);
}

}  // namespace
}  // namespace unbraid
