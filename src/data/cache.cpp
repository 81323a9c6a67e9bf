#include <algorithm>
#include <cmath>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "data/per_track.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/data/views.hpp"

namespace unbraid::data {

namespace {

/// Decoded samples, as floats or in half the memory: 16 bits, whose full scale is the peak.
class StoredAudio {
 public:
  StoredAudio(AudioBuffer audio, bool sixteen_bit) : channels_(audio.channels()), frames_(audio.frames()) {
    if (!sixteen_bit) {
      floats_ = std::move(audio);
      return;
    }
    float peak = 0;
    for (const float sample : audio.samples()) peak = std::max(peak, std::abs(sample));
    if (!(peak > 0)) peak = 1;
    step_ = peak / kFullScale;
    shorts_.resize(audio.samples().size());
    std::ranges::transform(audio.samples(), shorts_.begin(),
                           [&](float sample) { return static_cast<std::int16_t>(std::lrint(sample / step_)); });
  }

  std::size_t frames() const { return frames_; }
  std::uint64_t bytes() const { return floats_.samples().size() * sizeof(float) + shorts_.size() * sizeof(std::int16_t); }

  /// The frames [first, first + count) that there are.
  AudioBuffer read(std::uint64_t first, std::uint64_t count) const {
    if (first >= frames_) return AudioBuffer(channels_, 0);
    count = std::min<std::uint64_t>(count, frames_ - first);
    if (shorts_.empty()) return AudioBuffer(floats_.view().slice(first, count));
    AudioBuffer audio(channels_, count);
    for (std::size_t c = 0; c < channels_; ++c) {
      const std::int16_t* from = shorts_.data() + c * frames_ + first;
      for (float& sample : audio.channel(c)) sample = step_ * static_cast<float>(*from++);
    }
    return audio;
  }

 private:
  static constexpr float kFullScale = 32767;
  std::size_t channels_, frames_;
  float step_ = 0;
  AudioBuffer floats_;
  std::vector<std::int16_t> shorts_;
};

/// Decoded sources by key, the most recently used first.
class AudioCache {
 public:
  explicit AudioCache(const CacheOptions& options) : options_(options) {}

  bool fits(const SourceInfo& info) const {
    const std::size_t sample = options_.sixteen_bit ? sizeof(std::int16_t) : sizeof(float);
    return info.channels * info.frames * sample <= options_.budget_bytes;
  }

  /// The whole source. Two threads that miss at once both decode; the second result is dropped.
  std::shared_ptr<const StoredAudio> get(const std::string& key, const AudioSource& source) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = index_.find(key); found != index_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->second;
      }
    }
    auto audio = std::make_shared<const StoredAudio>(decode(source, key), options_.sixteen_bit);
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) return found->second->second;
    used_bytes_ += audio->bytes();
    order_.emplace_front(key, audio);
    index_[key] = order_.begin();
    while (used_bytes_ > options_.budget_bytes && order_.size() > 1) {
      used_bytes_ -= order_.back().second->bytes();
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    return audio;
  }

 private:
  using Item = std::pair<std::string, std::shared_ptr<const StoredAudio>>;

  /// Samples that are no numbers have no 16-bit form; they are an error wherever they are.
  AudioBuffer decode(const AudioSource& source, const std::string& key) const {
    AudioBuffer audio = source.read();
    if (options_.sixteen_bit)
      for (const float sample : audio.samples())
        if (!std::isfinite(sample)) throw Error{ErrorCode::kFormat, "has samples that are no numbers", key};
    return audio;
  }

  CacheOptions options_;
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
    return cache_->get(key_, *source_)->read(first, count);
  }

 private:
  std::shared_ptr<AudioCache> cache_;
  std::string key_;
  SourcePtr source_;
};

class Cached final : public PerTrack {
 public:
  Cached(DatasetPtr dataset, const CacheOptions& options) : PerTrack(std::move(dataset)), cache_(std::make_shared<AudioCache>(options)) {}

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
  std::shared_ptr<AudioCache> cache_;
};

}  // namespace

DatasetPtr cached(DatasetPtr dataset, const CacheOptions& options) { return std::make_shared<Cached>(std::move(dataset), options); }

}  // namespace unbraid::data
