#include "unbraid/evaluate/evaluate_dataset.hpp"

#include <fmt/format.h>

#include <utility>

#include "evaluate/track_pairs.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::evaluate {

namespace {

std::vector<TrackId> ids_of(const data::Dataset& dataset) {
  std::vector<TrackId> ids;
  for (std::size_t i = 0; i < dataset.size(); ++i) ids.push_back({dataset.split(i), dataset.track_name(i)});
  return ids;
}

}  // namespace

DatasetResult evaluate_dataset(const data::Dataset& references, const data::Dataset& estimates, const EvaluateOptions& options,
                               RunContext& run, const std::function<void(const TrackResult&)>& done, std::size_t picture_tracks) {
  options.validate();
  DatasetResult result;
  const std::vector<TrackId> truth = ids_of(references), ours = ids_of(estimates);
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  if (references.size() == 1 && estimates.size() == 1) {
    pairs.emplace_back(0, 0);
  } else {
    TrackPairs found = pair_tracks(truth, ours);
    pairs = std::move(found.both);
    for (const std::size_t r : found.only_first) result.missing.push_back(truth[r].label());
    for (const std::size_t e : found.only_second) result.extra.push_back(ours[e].label());
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
      result.failures.push_back({truth[r].label(), error.context() == truth[r].name ? error.message() : error.what()});
    }
    if (done && result.tracks.size() > before) done(result.tracks.back());
    run.progress.advance(1);
  }
  return result;
}

}  // namespace unbraid::evaluate
