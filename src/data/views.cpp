#include "unbraid/data/views.hpp"
#include "data/per_track.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/data/name_pattern.hpp"
#include "unbraid/dsp/resample.hpp"

namespace unbraid::data {

namespace {

/// Items picked from another dataset by index.
class Subset final : public Dataset {
 public:
  Subset(DatasetPtr dataset, std::vector<std::size_t> indices) : dataset_(std::move(dataset)), indices_(std::move(indices)) {}

  std::size_t size() const override { return indices_.size(); }
  Track track(std::size_t index) const override { return dataset_->track(indices_.at(index)); }
  std::string track_name(std::size_t index) const override { return dataset_->track_name(indices_.at(index)); }
  std::string split(std::size_t index) const override { return dataset_->split(indices_.at(index)); }
  std::string format() const override { return dataset_->format(); }

 private:
  DatasetPtr dataset_;
  std::vector<std::size_t> indices_;
};

class Concatenated final : public Dataset {
 public:
  explicit Concatenated(std::vector<DatasetPtr> datasets) {
    for (DatasetPtr& dataset : datasets) {
      for (std::size_t i = 0; i < dataset->size(); ++i) items_.emplace_back(dataset, i);
    }
  }

  std::size_t size() const override { return items_.size(); }
  Track track(std::size_t index) const override { return items_.at(index).first->track(items_[index].second); }
  std::string track_name(std::size_t index) const override { return items_.at(index).first->track_name(items_[index].second); }
  std::string split(std::size_t index) const override { return items_.at(index).first->split(items_[index].second); }
  std::string format() const override { return items_.empty() ? "" : items_.front().first->format(); }

 private:
  std::vector<std::pair<DatasetPtr, std::size_t>> items_;
};

std::uint64_t frames_of(double seconds, double sample_rate) { return static_cast<std::uint64_t>(std::llround(seconds * sample_rate)); }

class Excerpts final : public Dataset {
 public:
  Excerpts(DatasetPtr dataset, const ExcerptOptions& options) : dataset_(std::move(dataset)), options_(options) {
    for (std::size_t i = 0; i < dataset_->size(); ++i) {
      if (options_.hop_s == 0) {
        items_.push_back({i, options_.start_s});
        continue;
      }
      const double end = dataset_->track(i).mixture->info().seconds();
      double start = options_.start_s;
      for (std::size_t n = 0; start < end; start = options_.start_s + static_cast<double>(++n) * options_.hop_s) {
        const bool whole = start + options_.length_s <= end;
        if (!whole && n > 0 && !options_.keep_short_tail) break;
        items_.push_back({i, start});
        if (!whole) break;
      }
    }
  }

  std::size_t size() const override { return items_.size(); }
  std::string split(std::size_t index) const override { return dataset_->split(items_.at(index).track); }
  std::string format() const override { return dataset_->format(); }

  std::string track_name(std::size_t index) const override {
    const std::string name = dataset_->track_name(items_.at(index).track);
    return options_.hop_s == 0 ? name : fmt::format("{}@{:g}", name, items_[index].start_s);
  }

  Track track(std::size_t index) const override {
    Track track = dataset_->track(items_.at(index).track);
    track.name = track_name(index);
    const auto cut = [&](SourcePtr source) {
      // Each source by its own rate, so that stems of another rate stay in step.
      const double rate = source->info().sample_rate;
      return excerpt_source(std::move(source), frames_of(items_[index].start_s, rate), frames_of(options_.length_s, rate));
    };
    track.mixture = cut(track.mixture);
    for (TrackStem& stem : track.stems) stem.audio = cut(stem.audio);
    return track;
  }

 private:
  struct Item {
    std::size_t track;
    double start_s;
  };
  DatasetPtr dataset_;
  ExcerptOptions options_;
  std::vector<Item> items_;
};

class WithStems final : public PerTrack {
 public:
  WithStems(DatasetPtr dataset, std::vector<std::string> names) : PerTrack(std::move(dataset)), names_(std::move(names)) {}

  Track track(std::size_t index) const override {
    Track track = dataset_->track(index);
    std::vector<TrackStem> chosen;
    for (const std::string& name : names_) chosen.push_back(track.stem(name));
    track.stems = std::move(chosen);
    return track;
  }

 private:
  std::vector<std::string> names_;
};

class Renamed final : public PerTrack {
 public:
  Renamed(DatasetPtr dataset, std::map<std::string, std::string> names) : PerTrack(std::move(dataset)), names_(std::move(names)) {}

  Track track(std::size_t index) const override {
    Track track = dataset_->track(index);
    for (TrackStem& stem : track.stems) {
      const auto found = names_.find(stem.name);
      if (found == names_.end()) continue;
      if (track.find(found->second))
        throw Error{ErrorCode::kFormat, fmt::format("'{}' cannot be named '{}': there is one already", stem.name, found->second),
                    track.name};
      stem.name = found->second;
    }
    return track;
  }

 private:
  std::map<std::string, std::string> names_;
};

class ConvertedSource final : public AudioSource {
 public:
  ConvertedSource(SourcePtr source, std::uint32_t rate) : source_(std::move(source)), rate_(rate) {}

  SourceInfo info() const override {
    SourceInfo info = source_->info();
    info.frames = dsp::resampled_frames(info.frames, static_cast<std::uint32_t>(info.sample_rate), rate_);
    info.sample_rate = rate_;
    return info;
  }

  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    const auto from = static_cast<std::uint32_t>(source_->info().sample_rate);
    if (from == rate_) return source_->read(first, count);
    ThreadPool alone(1);
    const AudioBuffer whole = dsp::resample(source_->read(), from, rate_, alone);
    if (first >= whole.frames()) return AudioBuffer(whole.channels(), 0);
    return AudioBuffer(whole.view().slice(first, std::min<std::uint64_t>(count, whole.frames() - first)));
  }

 private:
  SourcePtr source_;
  std::uint32_t rate_;
};

class AtRate final : public PerTrack {
 public:
  AtRate(DatasetPtr dataset, double rate) : PerTrack(std::move(dataset)), rate_(rate) {}

  Track track(std::size_t index) const override {
    Track track = dataset_->track(index);
    const auto convert = [&](SourcePtr& source) {
      source = std::make_shared<ConvertedSource>(std::move(source), static_cast<std::uint32_t>(rate_));
    };
    convert(track.mixture);
    for (TrackStem& stem : track.stems) convert(stem.audio);
    track.sample_rate = rate_;
    return track;
  }

 private:
  double rate_;
};

}  // namespace

void ExcerptOptions::validate() const {
  if (!(start_s >= 0)) throw Error{ErrorCode::kUsage, "an excerpt starts at 0 s or later", "start_s"};
  if (!(length_s > 0)) throw Error{ErrorCode::kUsage, "an excerpt is longer than 0 s", "length_s"};
  if (!(hop_s >= 0)) throw Error{ErrorCode::kUsage, "the hop between excerpts is at least 0 s", "hop_s"};
}

DatasetPtr subset(DatasetPtr dataset, std::vector<std::size_t> indices) {
  for (const std::size_t index : indices) {
    if (index >= dataset->size()) {
      throw Error{ErrorCode::kUsage, fmt::format("no track {} in a dataset of {}", index, dataset->size()), "subset"};
    }
  }
  return std::make_shared<Subset>(std::move(dataset), std::move(indices));
}

DatasetPtr with_split(DatasetPtr dataset, std::string_view split) {
  std::vector<std::size_t> indices;
  std::set<std::string> known;
  for (std::size_t i = 0; i < dataset->size(); ++i) {
    if (!dataset->split(i).empty()) known.insert(dataset->split(i));
    if (dataset->split(i) == split) indices.push_back(i);
  }
  if (indices.empty()) {
    throw Error{
        ErrorCode::kNotFound,
        known.empty() ? "no such split: this dataset has none" : fmt::format("no such split; there are: {}", fmt::join(known, ", ")),
        std::string(split)};
  }
  return subset(std::move(dataset), std::move(indices));
}

DatasetPtr shuffled(DatasetPtr dataset, std::uint64_t seed) {
  std::vector<std::size_t> indices(dataset->size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  Rng(seed).shuffle(std::span(indices));
  return subset(std::move(dataset), std::move(indices));
}

DatasetPtr concatenated(std::vector<DatasetPtr> datasets) { return std::make_shared<Concatenated>(std::move(datasets)); }

DatasetPtr excerpts(DatasetPtr dataset, const ExcerptOptions& options) {
  options.validate();
  return std::make_shared<Excerpts>(std::move(dataset), options);
}

DatasetPtr renamed(DatasetPtr dataset, std::map<std::string, std::string> names) {
  return std::make_shared<Renamed>(std::move(dataset), std::move(names));
}

DatasetPtr with_names(DatasetPtr dataset, const std::vector<std::string>& patterns, const std::vector<std::string>& left_out) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < dataset->size(); ++i) {
    const std::string name = dataset->track_name(i);
    const auto fits = [&](const std::string& pattern) { return fits_pattern(name, pattern); };
    if ((patterns.empty() || std::ranges::any_of(patterns, fits)) && std::ranges::none_of(left_out, fits)) indices.push_back(i);
  }
  return subset(std::move(dataset), std::move(indices));
}

DatasetPtr at_rate(DatasetPtr dataset, double sample_rate) {
  if (!(sample_rate >= 1 && sample_rate <= 10'000'000 && sample_rate == std::floor(sample_rate)))
    throw Error{ErrorCode::kUsage, "must be whole hertz", "sample_rate"};
  return std::make_shared<AtRate>(std::move(dataset), sample_rate);
}

DatasetPtr with_stems(DatasetPtr dataset, std::vector<std::string> names) {
  return std::make_shared<WithStems>(std::move(dataset), std::move(names));
}

}  // namespace unbraid::data
