#include "unbraid/evaluate/evaluate_dataset.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "unbraid/core/error.hpp"

namespace unbraid::evaluate {

DatasetResult evaluate_dataset(const data::Dataset& references, const data::Dataset& estimates, const EvaluateOptions& options,
                               RunContext& run, const std::function<void(const TrackResult&)>& done, std::size_t picture_tracks) {
  options.validate();
  DatasetResult result;
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  if (references.size() == 1 && estimates.size() == 1) {
    pairs.emplace_back(0, 0);
  } else {
    std::map<std::string, std::size_t> by_name;
    for (std::size_t e = 0; e < estimates.size(); ++e) by_name[estimates.track_name(e)] = e;
    for (std::size_t r = 0; r < references.size(); ++r) {
      const auto found = by_name.find(references.track_name(r));
      if (found == by_name.end()) {
        result.missing.push_back(references.track_name(r));
        continue;
      }
      pairs.emplace_back(r, found->second);
      by_name.erase(found);
    }
    for (const auto& [name, index] : by_name) result.extra.push_back(name);
  }
  if (pairs.empty())
    throw Error{ErrorCode::kNotFound,
                fmt::format("no estimates of any of the {} reference tracks: folders must have the tracks' names, such "
                            "as {}",
                            references.size(), references.size() > 0 ? references.track_name(0) : "")};

  run.progress.start("evaluate", pairs.size(), "tracks");
  for (const auto& [r, e] : pairs) {
    EvaluateOptions of_track = options;
    const std::size_t before = result.tracks.size();
    of_track.pictures = options.pictures && before < picture_tracks;
    try {
      result.tracks.push_back(evaluate_track(references.track(r), estimates.track(e), of_track, run));
    } catch (const std::exception& exception) {
      const Error error = error_of(exception);
      if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kUsage || pairs.size() == 1) throw error;
      const std::string& track = references.track_name(r);
      result.failures.push_back({track, error.context() == track ? error.message() : error.what()});
    }
    if (done && result.tracks.size() > before) done(result.tracks.back());
    run.progress.advance(1);
  }
  return result;
}

}  // namespace unbraid::evaluate
