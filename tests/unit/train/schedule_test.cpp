#include "train/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "unbraid/core/error.hpp"

namespace unbraid::train {
namespace {

constexpr double kBase = 0.2;

TEST(Schedule, WarmsUpLinearly) {
  for (const char* kind : {"constant", "step", "cosine", "plateau"}) {
    const Schedule schedule({.kind = kind, .warmup_steps = 4}, kBase, 100);
    EXPECT_DOUBLE_EQ(schedule.rate(0), kBase / 4) << kind;
    EXPECT_DOUBLE_EQ(schedule.rate(2), kBase * 3 / 4) << kind;
    EXPECT_DOUBLE_EQ(schedule.rate(3), kBase) << kind;
    EXPECT_DOUBLE_EQ(schedule.rate(4), kBase) << kind;
  }
}

TEST(Schedule, Steps) {
  const Schedule schedule({.kind = "step", .warmup_steps = 10, .factor = 0.5, .every = 5, .minimum = 0.2}, kBase, 100);
  EXPECT_DOUBLE_EQ(schedule.rate(14), kBase);
  EXPECT_DOUBLE_EQ(schedule.rate(15), kBase / 2);
  EXPECT_DOUBLE_EQ(schedule.rate(24), kBase / 4);
  EXPECT_DOUBLE_EQ(schedule.rate(25), kBase * 0.2);  // an eighth is below the minimum
}

TEST(Schedule, CosineEndsAtItsMinimum) {
  const Schedule schedule({.kind = "cosine", .warmup_steps = 20, .minimum = 0.1}, kBase, 120);
  EXPECT_DOUBLE_EQ(schedule.rate(20), kBase);
  EXPECT_NEAR(schedule.rate(70), kBase * 0.55, 1e-12);
  EXPECT_NEAR(schedule.rate(45), kBase * (0.1 + 0.9 * (1 + std::sqrt(0.5)) / 2), 1e-12);
  EXPECT_NEAR(schedule.rate(120), kBase * 0.1, 1e-12);
  EXPECT_NEAR(schedule.rate(1000), kBase * 0.1, 1e-12);
}

TEST(Schedule, PlateauWaitsAndGoesOnFromItsState) {
  const ScheduleOptions options{.kind = "plateau", .factor = 0.5, .patience = 2};
  Schedule schedule(options, kBase, 100);
  const auto after = [&](double score) {
    schedule.observe(score);
    return schedule.rate(50);
  };
  EXPECT_EQ(after(1), kBase);
  EXPECT_EQ(after(1), kBase);
  EXPECT_EQ(after(std::nan("")), kBase);  // no score is no failure
  EXPECT_EQ(after(2), kBase);             // a new best starts the count again
  EXPECT_EQ(after(1.5), kBase);
  Schedule resumed(options, kBase, 100);
  resumed.restore(schedule.state());
  EXPECT_EQ(after(2), kBase / 2);
  resumed.observe(2);
  EXPECT_EQ(resumed.rate(50), kBase / 2);
  EXPECT_EQ(after(0), kBase / 2);
  EXPECT_EQ(after(0), kBase / 4);
}

TEST(Schedule, RefusesNonsense) {
  EXPECT_THROW((ScheduleOptions{.kind = "cosin"}).validate(), Error);
  EXPECT_THROW((ScheduleOptions{.factor = 1}).validate(), Error);
  EXPECT_THROW((ScheduleOptions{.every = 0}).validate(), Error);
  EXPECT_THROW((ScheduleOptions{.minimum = 2}).validate(), Error);
}

}  // namespace
}  // namespace unbraid::train
