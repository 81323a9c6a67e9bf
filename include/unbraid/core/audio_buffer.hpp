#pragma once
// Audio in memory: planar float32, [channel][frame], full scale ±1.
//
//   AudioBuffer song(2, 44100);                     // one second of stereo silence at 44.1 kHz
//   AudioView tail = song.view().slice(22050, 22050);
//   for (float& sample : song.channel(0)) sample = 0.5f;
//
// A buffer knows neither its sample rate nor its origin; whoever passes it on says so. A view refers to somebody
// else's samples and is as cheap to copy as a pointer. Concurrent reads are safe, concurrent writes to different
// frames or channels too.

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "unbraid/core/value_count.hpp"

namespace unbraid {

/// A window onto planar samples: channels × frames, the rows `stride` samples apart.
template <class Sample>
class PlanarView {
 public:
  PlanarView() = default;
  PlanarView(Sample* data, std::size_t channels, std::size_t frames, std::size_t stride)
      : data_(data), channels_(channels), frames_(frames), stride_(stride) {}
  /// A mutable view reads as a const one.
  template <std::same_as<std::remove_const_t<Sample>> Mutable>
  requires(std::is_const_v<Sample>) PlanarView(const PlanarView<Mutable>& other)
      : PlanarView(other.data(), other.channels(), other.frames(), other.stride()) {}

  std::size_t channels() const noexcept { return channels_; }
  std::size_t frames() const noexcept { return frames_; }
  std::size_t stride() const noexcept { return stride_; }
  Sample* data() const noexcept { return data_; }
  bool empty() const noexcept { return channels_ == 0 || frames_ == 0; }

  /// The samples of one channel; index < channels().
  std::span<Sample> channel(std::size_t index) const { return {data_ + index * stride_, frames_}; }

  /// The frames [first, first + count) of every channel; must lie inside.
  PlanarView slice(std::size_t first, std::size_t count) const { return {data_ + first, channels_, count, stride_}; }

 private:
  Sample* data_ = nullptr;
  std::size_t channels_ = 0;
  std::size_t frames_ = 0;
  std::size_t stride_ = 0;
};

using AudioView = PlanarView<const float>;
using MutableAudioView = PlanarView<float>;

class AudioBuffer {
 public:
  AudioBuffer() = default;
  /// Silence.
  AudioBuffer(std::size_t channels, std::size_t frames) : channels_(channels), frames_(frames), samples_(value_count({channels, frames})) {}
  /// A copy of what the view shows.
  explicit AudioBuffer(AudioView source);
  AudioBuffer(const AudioBuffer&) = default;
  AudioBuffer& operator=(const AudioBuffer&) = default;
  /// The other is left without channels and frames.
  AudioBuffer(AudioBuffer&& other) noexcept
      : channels_(std::exchange(other.channels_, 0)), frames_(std::exchange(other.frames_, 0)), samples_(std::move(other.samples_)) {}
  AudioBuffer& operator=(AudioBuffer&& other) noexcept {
    channels_ = std::exchange(other.channels_, 0);
    frames_ = std::exchange(other.frames_, 0);
    samples_ = std::move(other.samples_);
    return *this;
  }

  std::size_t channels() const noexcept { return channels_; }
  std::size_t frames() const noexcept { return frames_; }
  bool empty() const noexcept { return samples_.empty(); }

  std::span<float> channel(std::size_t index) { return {samples_.data() + index * frames_, frames_}; }
  std::span<const float> channel(std::size_t index) const { return {samples_.data() + index * frames_, frames_}; }

  MutableAudioView view() { return {samples_.data(), channels_, frames_, frames_}; }
  AudioView view() const { return {samples_.data(), channels_, frames_, frames_}; }
  operator AudioView() const { return view(); }
  operator MutableAudioView() { return view(); }

  /// All samples, channel after channel.
  std::span<float> samples() noexcept { return samples_; }
  std::span<const float> samples() const noexcept { return samples_; }

 private:
  std::size_t channels_ = 0;
  std::size_t frames_ = 0;
  std::vector<float> samples_;
};

/// Copies source into target; both must have the same shape (kInternal otherwise).
void copy(AudioView source, MutableAudioView target);

/// target += gain · source; same shape.
void add_scaled(AudioView source, float gain, MutableAudioView target);

}  // namespace unbraid
