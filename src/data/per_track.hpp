#pragma once
// A view with the same tracks as another dataset, each of which may look different: only track() is left to write.

#include <cstddef>
#include <string>
#include <utility>

#include "unbraid/data/dataset.hpp"

namespace unbraid::data {

class PerTrack : public Dataset {
 public:
  std::size_t size() const override { return dataset_->size(); }
  std::string track_name(std::size_t index) const override { return dataset_->track_name(index); }
  std::string split(std::size_t index) const override { return dataset_->split(index); }
  std::string format() const override { return dataset_->format(); }

 protected:
  explicit PerTrack(DatasetPtr dataset) : dataset_(std::move(dataset)) {}

  DatasetPtr dataset_;
};

}  // namespace unbraid::data
