#pragma once
// Batches made in the background.
//
//   BatchQueue queue(items, {.channels = 2, .targets = 4, .frames = 131072}, place, /*workers=*/2, /*ahead=*/4);
//   Batch batch = queue.next();               // waits until it is whole
//
// Worker threads make items in order, at most `ahead` batches before the one that is asked for. What a batch holds depends
// on its number alone, not on the threads.

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "train/items.hpp"

namespace unbraid::train {

struct BatchShape {
  std::int64_t items = 1, channels = 2, targets = 4, frames = 0;
};

struct Batch {
  torch::Tensor mix;        ///< [items, channels, frames]
  torch::Tensor reference;  ///< [items, targets, channels, frames]
  std::vector<std::uint64_t> indices;
};

/// The items of batch n.
using BatchPlan = std::function<std::vector<std::uint64_t>(std::uint64_t n)>;

class BatchQueue {
 public:
  /// The first batch is number `first`. kInternal at next() when an item has another shape.
  BatchQueue(const Items& items, BatchShape shape, BatchPlan plan, std::uint64_t first, std::size_t workers, std::size_t ahead);
  ~BatchQueue();
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  /// Rethrows what went wrong while it was made.
  Batch next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A batch made here and now.
Batch make_batch(const Items& items, const BatchShape& shape, const std::vector<std::uint64_t>& indices);

}  // namespace unbraid::train
