#include "unbraid/data/audio_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>
#include <utility>

#include "unbraid/core/error.hpp"
#include "unbraid/core/fnv1a.hpp"
#include "unbraid/io/reader.hpp"

namespace unbraid::data {

namespace {

/// How many of `count` frames from `first` on lie within `frames`.
std::uint64_t available(std::uint64_t frames, std::uint64_t first, std::uint64_t count) {
  return first >= frames ? 0 : std::min(count, frames - first);
}

class FileSource final : public AudioSource {
 public:
  FileSource(std::filesystem::path path, const io::ReaderOptions& options) : path_(std::move(path)), options_(options) {}

  SourceInfo info() const override {
    const std::lock_guard lock(mutex_);
    if (!info_) {
      const io::AudioInfo found = io::open_reader(path_, options_)->info();
      // A header without a reliable length makes it worth scanning the file once.
      const io::AudioInfo exact = found.exact_length || options_.stream > 0 ? found : io::probe(path_);
      info_ = SourceInfo{found.sample_rate, found.channels, exact.frames};
    }
    return *info_;
  }

  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    return io::read_audio(path_, options_, first, count).samples;
  }

  std::string fingerprint() const override {
    namespace fs = std::filesystem;
    std::error_code failure;  // what is not there has a fingerprint, too
    const std::uintmax_t bytes = fs::file_size(path_, failure);
    const auto changed = fs::last_write_time(path_, failure).time_since_epoch().count();
    return fmt::format("{} {} {} {} {}", fs::absolute(path_).lexically_normal().string(), bytes, changed, options_.stream,
                       options_.whole_packets);
  }

 private:
  std::filesystem::path path_;
  io::ReaderOptions options_;
  mutable std::mutex mutex_;
  mutable std::optional<SourceInfo> info_;  ///< once asked for
};

class MemorySource final : public AudioSource {
 public:
  MemorySource(AudioBuffer samples, double sample_rate) : samples_(std::move(samples)), sample_rate_(sample_rate) {}

  SourceInfo info() const override { return {sample_rate_, samples_.channels(), samples_.frames()}; }

  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    const std::uint64_t got = available(samples_.frames(), first, count);
    if (got == 0) return AudioBuffer(samples_.channels(), 0);
    return AudioBuffer(samples_.view().slice(first, got));
  }

 private:
  AudioBuffer samples_;
  double sample_rate_;
};

class SumSource final : public AudioSource {
 public:
  SumSource(std::vector<SourcePtr> sources, std::vector<std::string> names) : sources_(std::move(sources)), names_(std::move(names)) {}

  SourceInfo info() const override {
    SourceInfo sum = sources_.front()->info();
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      const SourceInfo one = sources_[i]->info();
      if (one.sample_rate != sum.sample_rate || one.channels != sum.channels) {
        const auto name = [&](std::size_t n) { return names_.empty() ? "" : names_[n] + " of "; };
        throw Error{ErrorCode::kFormat, fmt::format("stems differ: {}{} Hz with {} channels beside {}{} Hz with {}", name(0),
                                                    sum.sample_rate, sum.channels, name(i), one.sample_rate, one.channels)};
      }
      sum.frames = std::max(sum.frames, one.frames);
    }
    return sum;
  }

  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    const SourceInfo shape = info();
    AudioBuffer sum(shape.channels, available(shape.frames, first, count));
    for (const SourcePtr& source : sources_) {
      const AudioBuffer part = source->read(first, sum.frames());
      add_scaled(part.view(), 1.0f, sum.view().slice(0, part.frames()));
    }
    return sum;
  }

  std::string fingerprint() const override {
    std::string text = "sum of";
    for (const SourcePtr& source : sources_) text += "\n" + source->fingerprint();
    return text;
  }

 private:
  std::vector<SourcePtr> sources_;
  std::vector<std::string> names_;  ///< of the sources, or none
};

class RoundedSource : public AudioSource {
 public:
  RoundedSource(SourcePtr source, unsigned bits) : source_(std::move(source)), steps_(static_cast<float>(1u << (bits - 1))) {}

  SourceInfo info() const override { return source_->info(); }
  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    AudioBuffer audio = source_->read(first, count);
    for (float& sample : audio.samples()) sample = std::clamp(std::nearbyint(sample * steps_), -steps_, steps_ - 1) / steps_;
    return audio;
  }
  std::string fingerprint() const override { return fmt::format("{} steps of {}", steps_, source_->fingerprint()); }

 private:
  SourcePtr source_;
  float steps_;
};

class ExcerptSource final : public AudioSource {
 public:
  ExcerptSource(SourcePtr source, std::uint64_t first, std::uint64_t count) : source_(std::move(source)), first_(first), count_(count) {}

  SourceInfo info() const override {
    SourceInfo info = source_->info();
    info.frames = available(info.frames, first_, count_);
    return info;
  }

  AudioBuffer read(std::uint64_t first, std::uint64_t count) const override {
    if (first >= count_) return source_->read(0, 0);
    return source_->read(first_ + first, std::min(count, count_ - first));
  }

  std::string fingerprint() const override { return fmt::format("{} frames from {} of {}", count_, first_, source_->fingerprint()); }

 private:
  SourcePtr source_;
  std::uint64_t first_, count_;
};

}  // namespace

std::string AudioSource::fingerprint() const {
  constexpr std::uint64_t kBlock = 1 << 18;  // frames
  const SourceInfo shape = info();
  std::uint64_t hash = fnv1a({});
  for (std::uint64_t first = 0; first < shape.frames; first += kBlock) hash = fnv1a(std::as_bytes(read(first, kBlock).samples()), hash);
  return fmt::format("{} Hz {} x {} {:016x}", shape.sample_rate, shape.channels, shape.frames, hash);
}

SourcePtr file_source(std::filesystem::path path, const io::ReaderOptions& options) {
  return std::make_shared<FileSource>(std::move(path), options);
}

SourcePtr memory_source(AudioBuffer samples, double sample_rate) { return std::make_shared<MemorySource>(std::move(samples), sample_rate); }

SourcePtr sum_source(std::vector<SourcePtr> sources, std::vector<std::string> names) {
  if (sources.empty()) throw Error{ErrorCode::kUsage, "a sum needs at least one source"};
  return std::make_shared<SumSource>(std::move(sources), std::move(names));
}

SourcePtr rounded_source(SourcePtr source, unsigned bits) {
  if (bits < 2 || bits > 24) throw Error{ErrorCode::kUsage, "must lie between 2 and 24 bits", "rounding"};
  return std::make_shared<RoundedSource>(std::move(source), bits);
}

SourcePtr excerpt_source(SourcePtr source, std::uint64_t first, std::uint64_t count) {
  return std::make_shared<ExcerptSource>(std::move(source), first, count);
}

}  // namespace unbraid::data
