#pragma once
// What is in a dataset, at the cost of opening each track once.
//
//   for (const data::TrackSummary& row : data::summarise(*dataset, run)) print(row.name, row.stems.size());
//   std::size_t smallest = data::by_stem_count(*dataset, run).front().track;

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/data/dataset.hpp"
#include "unbraid/data/verify.hpp"

namespace unbraid::data {

struct TrackSummary {
  std::string name;
  std::string split;
  SourceInfo mixture;
  std::vector<TrackStem> stems;  ///< those with audio
  std::map<std::string, std::string> metadata;
  std::vector<std::string> warnings;
  std::string error;  ///< why the track cannot be loaded, or empty; then the rest is empty too
};

TrackSummary summarise(const Dataset& dataset, std::size_t track);
/// All tracks, in parallel, in the dataset's order.
std::vector<TrackSummary> summarise(const Dataset& dataset, RunContext& run);

struct StemCount {
  std::size_t track;
  std::size_t stems;  ///< that have audio
};
/// Tracks that load, from few stems to many; equal counts keep the dataset's order.
std::vector<StemCount> by_stem_count(const Dataset& dataset, RunContext& run);

// The parts of an unbraid.dataset/1 document.
nlohmann::json to_json(const TrackSummary& summary);
nlohmann::json to_json(const TrackCheck& check);

}  // namespace unbraid::data
