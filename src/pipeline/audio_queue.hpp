#pragma once
// Audio on its way from one stage to the next: frames come in at the end and leave at the front, and every
// frame keeps its number in the stream.
//
//   AudioQueue queue(2);
//   queue.push(block);
//   AudioView oldest = queue.view(queue.first(), 512);
//   queue.drop_before(queue.first() + 512);
//
// Frames lie side by side in memory, so that any stretch of them is one view. Memory: at most one and a quarter
// times the most frames ever held. Views are valid until the next push() or extend().

#include <algorithm>
#include <cstdint>

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid {

class AudioQueue {
 public:
  explicit AudioQueue(std::size_t channels) : storage_(channels, 0) {}

  std::size_t channels() const noexcept { return storage_.channels(); }
  std::uint64_t first() const noexcept { return first_; }        ///< number of the oldest frame held
  std::uint64_t end() const noexcept { return first_ + held_; }  ///< number of the next frame to come
  std::size_t size() const noexcept { return held_; }

  void push(AudioView frames) { copy(frames, grow(frames.frames())); }

  /// Appends silence.
  void extend(std::size_t frames) {
    const MutableAudioView fresh = grow(frames);
    for (std::size_t c = 0; c < fresh.channels(); ++c) std::ranges::fill(fresh.channel(c), 0.0f);
  }

  void drop_before(std::uint64_t frame) {
    const std::size_t count = frame > first_ ? static_cast<std::size_t>(std::min<std::uint64_t>(frame - first_, held_)) : 0;
    first_ += count;
    start_ += count;
    held_ -= count;
  }

  /// The frames [frame, frame + count); they must be held.
  AudioView view(std::uint64_t frame, std::size_t count) const {
    return storage_.view().slice(start_ + static_cast<std::size_t>(frame - first_), count);
  }
  MutableAudioView view(std::uint64_t frame, std::size_t count) {
    return storage_.view().slice(start_ + static_cast<std::size_t>(frame - first_), count);
  }

 private:
  MutableAudioView grow(std::size_t frames) {
    if (start_ + held_ + frames > storage_.frames()) make_room(frames);
    held_ += frames;
    return storage_.view().slice(start_ + held_ - frames, frames);
  }

  /// Moves what is held to the front of the storage, or of a larger one when that would not free an eighth of
  /// it.
  void make_room(std::size_t frames) {
    const std::size_t needed = held_ + frames;
    const std::size_t capacity = storage_.frames();
    if (needed <= capacity - capacity / 8) {
      for (std::size_t c = 0; c < channels(); ++c) {
        const auto row = storage_.channel(c);
        std::copy(row.begin() + start_, row.begin() + start_ + held_, row.begin());
      }
    } else {
      AudioBuffer larger(channels(), std::max(needed, capacity + capacity / 4));
      copy(storage_.view().slice(start_, held_), larger.view().slice(0, held_));
      storage_ = std::move(larger);
    }
    start_ = 0;
  }

  AudioBuffer storage_;
  std::uint64_t first_ = 0;
  std::size_t start_ = 0;  ///< where the oldest frame lies in the storage
  std::size_t held_ = 0;
};

}  // namespace unbraid
