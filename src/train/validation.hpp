#pragma once
// How well a model separates tracks that it does not train on: the pipeline's own path, whole excerpts, real scores.

#include <memory>

#include "models/model.hpp"
#include "train/config.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/train/train.hpp"

namespace unbraid::train {

class Validation {
 public:
  /// targets: as DataSpec's. The audio is kept in memory. kUsage when no track has any of the model's stems.
  Validation(const ValidationSpec& spec, const models::ModelTraits& traits, const std::map<std::string, std::vector<std::string>>& targets);

  std::size_t tracks() const { return tracks_->size(); }
  /// The model is in evaluation mode meanwhile. Step and best are left to the caller. kUsage when all stems are silent.
  ValidationRecord run(std::shared_ptr<models::Model> model, torch::Device device, RunContext& context) const;

 private:
  /// What a target is the sum of.
  std::vector<std::string> parts_of(const std::string& target) const;

  data::DatasetPtr tracks_;
  models::ModelTraits traits_;
  std::map<std::string, std::vector<std::string>> targets_;
};

}  // namespace unbraid::train
