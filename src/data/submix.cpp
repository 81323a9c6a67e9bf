#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "unbraid/core/error.hpp"
#include "unbraid/data/views.hpp"

namespace unbraid::data {

namespace {

SourcePtr silence_like(const SourceInfo& info) {
  return memory_source(AudioBuffer(info.channels, static_cast<std::size_t>(info.frames)), info.sample_rate);
}

class Submixed final : public Dataset {
 public:
  Submixed(DatasetPtr dataset, SubmixRecipe recipe) : dataset_(std::move(dataset)), recipe_(std::move(recipe)) {
    for (const SubmixRecipe::Part& part : recipe_.parts) {
      for (const std::string& value : part.values) part_of_.emplace(value, part.name);
    }
  }

  std::size_t size() const override { return dataset_->size(); }
  std::string track_name(std::size_t index) const override { return dataset_->track_name(index); }
  std::string split(std::size_t index) const override { return dataset_->split(index); }
  std::string format() const override { return dataset_->format(); }

  Track track(std::size_t index) const override {
    Track track = dataset_->track(index);
    std::map<std::string, std::vector<SourcePtr>> sources;
    for (const TrackStem& stem : track.stems) sources[part(stem)].push_back(stem.audio);

    std::vector<std::string> names;
    for (const SubmixRecipe::Part& part : recipe_.parts) names.push_back(part.name);
    names.emplace_back(SubmixRecipe::kResiduals);
    track.stems.clear();
    for (const std::string& name : names) {
      std::vector<SourcePtr>& parts = sources[name];
      if (parts.empty()) parts.push_back(silence_like(track.mixture->info()));
      track.stems.push_back({.name = name, .instrument = {}, .audio = sum_source(std::move(parts))});
    }
    return track;
  }

 private:
  std::string part(const TrackStem& stem) const {
    const auto value = stem.metadata.find(recipe_.key);
    if (value == stem.metadata.end()) return std::string(SubmixRecipe::kResiduals);
    const auto part = part_of_.find(value->second);
    return part == part_of_.end() ? std::string(SubmixRecipe::kResiduals) : part->second;
  }

  DatasetPtr dataset_;
  SubmixRecipe recipe_;
  std::map<std::string, std::string> part_of_;
};

}  // namespace

SubmixRecipe SubmixRecipe::load(const std::filesystem::path& yaml) {
  const std::string file = yaml.string();
  std::ifstream stream(yaml);
  if (!stream) throw Error{ErrorCode::kNotFound, "no such submix definition", file};
  SubmixRecipe recipe;
  std::set<std::string> used;
  try {
    const YAML::Node root = YAML::Load(stream);
    if (!root.IsMap() || !root["Mixing key"] || !root["Recipes"] || !root["Recipes"].IsMap()) {
      throw Error{ErrorCode::kFormat, "a submix definition has a 'Mixing key' and a mapping of 'Recipes'", file};
    }
    recipe.key = root["Mixing key"].as<std::string>();
    for (const auto& entry : root["Recipes"]) {
      SubmixRecipe::Part part{entry.first.as<std::string>(), {}};
      if (part.name == kResiduals) throw Error{ErrorCode::kFormat, "'residuals' is what the recipes leave over", file};
      for (const auto& value : entry.second) {
        part.values.push_back(value.as<std::string>());
        if (!used.insert(part.values.back()).second) {
          throw Error{ErrorCode::kFormat, part.values.back() + " belongs to two recipes", file};
        }
      }
      recipe.parts.push_back(std::move(part));
    }
  } catch (const YAML::Exception& error) {
    throw Error{ErrorCode::kFormat, fmt::format("line {}: {}", error.mark.line + 1, error.msg), file};
  }
  return recipe;
}

SubmixRecipe SubmixRecipe::four_stems() {
  return {.key = "inst_class", .parts = {{"Bass", {"Bass"}}, {"Drums", {"Drums"}}, {"Guitar", {"Guitar"}}, {"Piano", {"Piano"}}}};
}

DatasetPtr submixed(DatasetPtr dataset, SubmixRecipe recipe) { return std::make_shared<Submixed>(std::move(dataset), std::move(recipe)); }

}  // namespace unbraid::data
