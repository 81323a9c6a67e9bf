#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "unbraid/data/views.hpp"

namespace unbraid::data {

namespace {

/// Decoded sources by key, the most recently used first.
class AudioCache {
 public:
  explicit AudioCache(std::uint64_t budget_bytes) : budget_bytes_(budget_bytes) {}

  bool fits(const SourceInfo& info) const { return bytes(info.channels * info.frames) <= budget_bytes_; }

  /// The whole source. Two threads that miss at once both decode; the second result is dropped.
  std::shared_ptr<const AudioBuffer> get(const std::string& key, const AudioSource& source) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = index_.find(key); found != index_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->second;
      }
    }
    auto audio = std::make_shared<const AudioBuffer>(source.read());
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) return found->second->second;
    used_bytes_ += bytes(audio->samples().size());
    order_.emplace_front(key, audio);
    index_[key] = order_.begin();
    while (used_bytes_ > budget_bytes_ && order_.size() > 1) {
      used_bytes_ -= bytes(order_.back().second->samples().size());
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    return audio;
  }

 private:
  using Item = std::pair<std::string, std::shared_ptr<const AudioBuffer>>;

  static std::uint64_t bytes(std::uint64_t samples) { return samples * sizeof(float); }

  std::uint64_t budget_bytes_;
  std::mutex mutex_;
  std::uint64_t used_bytes_ = 0;
  std::list<Item> order_;
  std::map<std::string, std::list<Item>::iterator> index_;
};

class CachedSource final : public AudioSource {
 public:
  CachedSource(std::shared_ptr<AudioCache> cache, std::string key, SourcePtr source)
      : cache_(std::move(cache)), key_(std::move(key)), source_(std::move(source)) {}

  SourceInfo info() const override { return source_->info(); }

  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    if (!cache_->fits(source_->info())) return source_->read(first, count);
    const auto audio = cache_->get(key_, *source_);
    const std::uint64_t frames = audio->frames();
    if (first >= frames) return AudioBuffer(audio->channels(), 0);
    return AudioBuffer(audio->view().slice(first, std::min(count, frames - first)));
  }

 private:
  std::shared_ptr<AudioCache> cache_;
  std::string key_;
  SourcePtr source_;
};

class Cached final : public Dataset {
 public:
  Cached(DatasetPtr dataset, const CacheOptions& options)
      : dataset_(std::move(dataset)), cache_(std::make_shared<AudioCache>(options.budget_bytes)) {}

  std::size_t size() const override { return dataset_->size(); }
  std::string track_name(std::size_t index) const override { return dataset_->track_name(index); }
  std::string split(std::size_t index) const override { return dataset_->split(index); }
  std::string format() const override { return dataset_->format(); }

  Track track(std::size_t index) const override {
    Track track = dataset_->track(index);
    const std::string prefix = std::to_string(index) + "/";
    track.mixture = std::make_shared<CachedSource>(cache_, prefix, track.mixture);
    for (TrackStem& stem : track.stems) {
      stem.audio = std::make_shared<CachedSource>(cache_, prefix + stem.name, stem.audio);
    }
    return track;
  }

 private:
  DatasetPtr dataset_;
  std::shared_ptr<AudioCache> cache_;
};

}  // namespace

DatasetPtr cached(DatasetPtr dataset, const CacheOptions& options) {
  return std::make_shared<Cached>(std::move(dataset), options);
}

}  // namespace unbraid::data
