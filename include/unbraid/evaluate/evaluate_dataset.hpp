#pragma once
// A folder of estimates scored against a dataset.
//
//   const auto truth = data::open_dataset("musdb18hq/test"), ours = data::open_dataset("stems");
//   const auto result = evaluate::evaluate_dataset(*truth, *ours, options, run, [](const auto& track) { show(track); });
//
// Tracks belong together when they have the same name; when there is one of each, they belong together whatever their
// names. A track that cannot be scored is reported with its reason and does not stop the others.

#include <functional>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/evaluate/evaluate_track.hpp"

namespace unbraid::evaluate {

struct DatasetResult {
  std::vector<TrackResult> tracks;   ///< in the order of the references
  std::vector<std::string> missing;  ///< references without estimates
  std::vector<std::string> extra;    ///< estimates without references
  struct Failure {
    std::string track, reason;
  };
  std::vector<Failure> failures;
};

/// kNotFound when no track has the same name in both. `done` is told of every track as it is finished. With pictures,
/// only the first `picture_tracks` tracks get them: they are most of a report's size.
DatasetResult evaluate_dataset(const data::Dataset& references, const data::Dataset& estimates, const EvaluateOptions& options,
                               RunContext& run, const std::function<void(const TrackResult&)>& done = {}, std::size_t picture_tracks = 12);

}  // namespace unbraid::evaluate
