#include "nn/threads.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace unbraid::nn {
namespace {

class Threads : public ::testing::Test {
 protected:
  void TearDown() override { use_threads(before_); }
  int before_ = at::get_num_threads();
};

TEST_F(Threads, LoopsAreShared) {
  use_threads(2);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  std::vector<int> calls(100);
  parallel_for(100, 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) ++calls[static_cast<std::size_t>(i)];
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(seen.size(), 2U);
  EXPECT_EQ(calls, std::vector<int>(100, 1));
}

TEST_F(Threads, OneIsOne) {
  use_threads(1);
  std::atomic<bool> elsewhere = false;
  parallel_for(100, 1, [&, here = std::this_thread::get_id()](std::int64_t, std::int64_t) {
    if (std::this_thread::get_id() != here) elsewhere = true;
  });
  EXPECT_FALSE(elsewhere);
}

TEST_F(Threads, RowsAreCutAndSeeTheCallersModes) {
  use_threads(2);
  const torch::NoGradGuard no_gradient;
  const torch::Tensor x = torch::arange(7 * 3, torch::kFloat32).reshape({7, 3}).requires_grad_();
  torch::Tensor y = torch::empty({7, 3});
  std::atomic<int> with_gradient = 0, calls = 0;
  for_rows(7, 2, [&](std::int64_t first, std::int64_t n) {
    const torch::Tensor part = x.narrow(0, first, n) * 2;
    with_gradient += part.requires_grad() ? 1 : 0;
    y.narrow(0, first, n).copy_(part);
    ++calls;
    EXPECT_LE(n, 2);
  });
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(with_gradient, 0);
  EXPECT_TRUE(torch::equal(y, x * 2));
}

TEST_F(Threads, NothingToDo) {
  parallel_for(0, 1, [](std::int64_t, std::int64_t) { FAIL(); });
  for_rows(0, 4, [](std::int64_t, std::int64_t) { FAIL(); });
}

}  // namespace
}  // namespace unbraid::nn
