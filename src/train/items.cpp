#include "train/items.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/data/views.hpp"

namespace unbraid::train {

namespace {

using Sums = std::vector<std::vector<std::size_t>>;

AudioBuffer sum_of(const Stems& stems, const std::vector<std::size_t>& which) {
  AudioBuffer sum = stems[which[0]].audio;
  for (std::size_t i = 1; i < which.size(); ++i) add_scaled(stems[which[i]].audio, 1.0f, sum);
  return sum;
}

class MixtureItems : public Items {
 public:
  MixtureItems(const DataSpec& spec, const std::vector<std::string>& stems, data::DatasetPtr tracks)
      : count_(spec.count), mixtures_(std::move(tracks), spec.recipe) {
    std::vector<std::string> names;
    for (const data::MixStemSpec& stem : spec.recipe.stems) names.push_back(stem.name);
    sums_ = resolve_targets(stems, spec.targets, names);
  }

  Item make(std::uint64_t index) const override {
    data::Mixture mixture = mixtures_.make(position(index));
    Item item{.mix = std::move(mixture.audio), .targets = {}};
    for (const auto& sum : sums_) item.targets.push_back(sum_of(mixture.stems, sum));
    return item;
  }

  std::string describe(std::uint64_t index) const override {
    std::vector<std::string> parts;
    for (const data::MixEvent& event : mixtures_.plan(position(index)).events)
      parts.push_back(event.silent ? fmt::format("{}: silent", event.stem)
                                   : fmt::format("{}: {} at {:.3f} s", event.stem, event.source, event.source_time_s));
    return fmt::format("mixture {} ({})", position(index), fmt::join(parts, ", "));
  }

 private:
  std::uint64_t position(std::uint64_t index) const { return count_ > 0 ? index % count_ : index; }

  std::uint64_t count_;
  data::MixtureDataset mixtures_;
  Sums sums_;
};

/// Excerpts side by side, each track's last one filled up with silence.
class SongItems : public Items {
 public:
  SongItems(const TrainConfig& config, data::DatasetPtr tracks)
      : blocks_(*config.data.songs),
        seed_(config.seed),
        frames_(static_cast<std::uint64_t>(config.frames)),
        channels_(static_cast<std::size_t>(config.traits.channels)) {
    for (std::size_t t = 0; t < tracks->size(); ++t) {
      tracks_.push_back(tracks->track(t));
      sums_.push_back(resolve_targets(config.traits.stems, config.data.targets, tracks_[t].stem_names()));
      excerpts_.push_back((tracks_[t].mixture->info().frames + frames_ - 1) / frames_);
    }
    for (std::size_t first = 0; first == 0 || first + blocks_.block <= tracks_.size(); first += blocks_.step) {
      const std::size_t last = std::min(first + blocks_.block, tracks_.size());
      std::uint64_t size = 0;
      for (std::size_t t = first; t < last; ++t) size += excerpts_[t];
      if (size == 0) throw Error{ErrorCode::kFormat, "the songs of a block are empty", tracks_[first].name};
      bounds_.push_back({first, last, size});
      per_repetition_ += size * blocks_.epochs;
    }
  }

  Item make(std::uint64_t index) const override {
    const auto [t, excerpt] = place(index);
    const data::Track& track = tracks_[t];
    Item item{.mix = read(*track.mixture, excerpt), .targets = {}};
    for (const auto& sum : sums_[t]) {
      AudioBuffer target(channels_, frames_);
      for (const std::size_t stem : sum) add_scaled(read(*track.stems[stem].audio, excerpt), 1.0f, target);
      item.targets.push_back(std::move(target));
    }
    return item;
  }

  std::uint64_t count() const override { return per_repetition_ * blocks_.repetitions; }

  std::string describe(std::uint64_t index) const override {
    const auto [t, excerpt] = place(index);
    return fmt::format("{}, frames from {}", tracks_[t].name, excerpt * frames_);
  }

 private:
  struct Bounds {
    std::size_t first, last;  ///< tracks
    std::uint64_t size;       ///< excerpts
  };

  std::pair<std::size_t, std::uint64_t> place(std::uint64_t index) const {
    std::uint64_t rest = index % per_repetition_;
    std::size_t b = 0;
    while (rest >= bounds_[b].size * blocks_.epochs) rest -= bounds_[b++].size * blocks_.epochs;
    // The order of a pass is drawn from its first item.
    std::vector<std::uint64_t> order(bounds_[b].size);
    std::iota(order.begin(), order.end(), std::uint64_t{0});
    Rng(seed_, index - rest % bounds_[b].size).shuffle(std::span(order));
    std::uint64_t chosen = order[rest % bounds_[b].size];
    std::size_t t = bounds_[b].first;
    while (chosen >= excerpts_[t]) chosen -= excerpts_[t++];
    return {t, chosen};
  }

  AudioBuffer read(const data::AudioSource& source, std::uint64_t excerpt) const {
    const AudioBuffer there = source.read(excerpt * frames_, frames_);
    AudioBuffer out(channels_, frames_);
    for (std::size_t c = 0; c < channels_; ++c) {
      if (there.channels() == 1 || channels_ > 1) {
        std::ranges::copy(there.channel(std::min(c, there.channels() - 1)), out.channel(c).begin());
        continue;
      }
      for (std::size_t from = 0; from < there.channels(); ++from)
        for (std::size_t i = 0; i < there.frames(); ++i) out.channel(c)[i] += there.channel(from)[i] / static_cast<float>(there.channels());
    }
    return out;
  }

  SongBlocks blocks_;
  std::uint64_t seed_;
  std::uint64_t frames_;
  std::size_t channels_;
  std::vector<data::Track> tracks_;
  std::vector<Sums> sums_;
  std::vector<std::uint64_t> excerpts_;  ///< per track
  std::vector<Bounds> bounds_;
  std::uint64_t per_repetition_ = 0;
};

}  // namespace

Sums resolve_targets(const std::vector<std::string>& wanted, const std::map<std::string, std::vector<std::string>>& targets,
                     const std::vector<std::string>& stems) {
  Sums sums;
  for (const std::string& name : wanted) {
    const auto given = targets.find(name);
    const std::vector<std::string> parts = given != targets.end() ? given->second : std::vector{name};
    std::vector<std::size_t>& sum = sums.emplace_back();
    for (const std::string& part : parts) {
      const auto found = std::ranges::find(stems, part);
      if (found == stems.end())
        throw Error{ErrorCode::kUsage,
                    fmt::format("the model gives '{}', and the data has no '{}' but {}; data.targets can say "
                                "what to add up",
                                name, part, fmt::join(stems, ", ")),
                    "data"};
      sum.push_back(static_cast<std::size_t>(found - stems.begin()));
    }
    if (sum.empty()) throw Error{ErrorCode::kUsage, fmt::format("'{}' adds up nothing", name), "data.targets"};
  }
  return sums;
}

std::unique_ptr<Items> make_items(const TrainConfig& config, data::DatasetPtr tracks) {
  tracks = data::cached(data::at_rate(std::move(tracks), config.traits.sample_rate),
                        {.budget_bytes = config.data.cache_bytes, .sixteen_bit = true});
  if (config.data.songs) return std::make_unique<SongItems>(config, std::move(tracks));
  return std::make_unique<MixtureItems>(config.data, config.traits.stems, std::move(tracks));
}

}  // namespace unbraid::train
