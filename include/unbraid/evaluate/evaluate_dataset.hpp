#pragma once
// A folder of estimates scored against a dataset.
//
//   const auto truth = data::open_dataset("musdb18hq/test"), ours = data::open_dataset("stems");
//   const auto result = evaluate::evaluate_dataset(*truth, *ours, options, run, [](const auto& track) { show(track); });
//
// Tracks belong together when they have the same split and name, else when they have the same name and each side has only
// one of it; when there is one track on each side, they belong together whatever their names. A track that cannot be scored
// is reported with its reason and does not stop the others.

#include <functional>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/evaluate/evaluate_track.hpp"

namespace unbraid::evaluate {

struct DatasetResult {
  std::vector<TrackResult> tracks;   ///< in the order of the references
  std::vector<std::string> missing;  ///< references without estimates, as TrackId::label() has them
  std::vector<std::string> extra;    ///< estimates without references
  struct Failure {
    std::string track;  ///< TrackId::label()
    std::string reason;
  };
  std::vector<Failure> failures;
};

/// kNotFound when no track is in both, kFormat where names do not tell which belong together. `done` is told of every track as it is
/// finished. With pictures, only the first `picture_tracks` tracks get them: they are most of a report's size.
DatasetResult evaluate_dataset(const data::Dataset& references, const data::Dataset& estimates, const EvaluateOptions& options,
                               RunContext& run, const std::function<void(const TrackResult&)>& done = {}, std::size_t picture_tracks = 12);

}  // namespace unbraid::evaluate
