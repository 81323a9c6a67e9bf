#include "nn/memory.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <string>
#include <thread>

namespace unbraid::nn {
namespace {

constexpr std::int64_t kMegabyte = 1 << 18;  // in values

TEST(Memory, WhatOneTensorLeavesServesTheNext) {
  release_memory();
  void* const first = torch::empty({40 * kMegabyte}).data_ptr();
  EXPECT_EQ(torch::empty({40 * kMegabyte}).data_ptr(), first);
  EXPECT_EQ(torch::empty({39 * kMegabyte}).data_ptr(), first) << "a little less";
  EXPECT_NE(torch::empty({8 * kMegabyte}).data_ptr(), first) << "much less: the rest would lie idle";
}

TEST(Memory, TensorsDoNotShare) {
  const torch::Tensor a = torch::ones({5 * kMegabyte}), b = torch::zeros({5 * kMegabyte});
  EXPECT_EQ(a.sum().item<double>(), 5.0 * kMegabyte);
  EXPECT_EQ(b.sum().item<double>(), 0);
}

TEST(Memory, FreedOnAnotherThread) {
  torch::Tensor tensor = torch::ones({16 * kMegabyte});
  std::thread([moved = std::move(tensor)]() mutable { moved.reset(); }).join();
  EXPECT_EQ(torch::ones({16 * kMegabyte})[-1].item<float>(), 1);
}

#ifdef __linux__
std::size_t resident_megabytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * 4096 >> 20;
}

TEST(Memory, StaysNearTheMostThatWasHeld) {
  release_memory();
  const std::size_t before = resident_megabytes();
  // One after the other, of ever other sizes: none fits where another one was.
  for (std::int64_t size = 20; size < 400; size += size / 8) torch::ones({size * kMegabyte});  // 2.9 GB
  EXPECT_LE(resident_megabytes(), before + 400 + 100 + 32);
  release_memory();
  EXPECT_LE(resident_megabytes(), before + 32) << "and all of it goes back";
}
#endif

TEST(Memory, MoreThanThereIsIsAnError) { EXPECT_THROW(torch::empty({std::int64_t{1} << 44}), c10::Error); }

}  // namespace
}  // namespace unbraid::nn
