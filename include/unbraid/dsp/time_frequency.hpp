#pragma once
// Values over channel, frame and bin: spectrograms, magnitudes, masks.
//
//   dsp::Spectrogram<float> x(2, 431, 1025);
//   std::complex<float> dc = x.at(0, 0, 0);
//   std::span<std::complex<float>> spectrum = x.frame(0, 12);
//
// Layout [channel][frame][bin], bins contiguous: one FFT writes one row.

#include <complex>
#include <cstddef>
#include <span>
#include <utility>

#include "unbraid/core/value_count.hpp"
#include "unbraid/core/zeroed_vector.hpp"

namespace unbraid::dsp {

template <class T>
class TimeFrequency {
 public:
  TimeFrequency() = default;
  /// Zeros.
  TimeFrequency(std::size_t channels, std::size_t frames, std::size_t bins)
      : channels_(channels), frames_(frames), bins_(bins), values_(value_count({channels, frames, bins})) {}
  TimeFrequency(const TimeFrequency&) = default;
  TimeFrequency& operator=(const TimeFrequency&) = default;
  /// The other is left without channels, frames and bins.
  TimeFrequency(TimeFrequency&& other) noexcept
      : channels_(std::exchange(other.channels_, 0)),
        frames_(std::exchange(other.frames_, 0)),
        bins_(std::exchange(other.bins_, 0)),
        values_(std::move(other.values_)) {}
  TimeFrequency& operator=(TimeFrequency&& other) noexcept {
    channels_ = std::exchange(other.channels_, 0);
    frames_ = std::exchange(other.frames_, 0);
    bins_ = std::exchange(other.bins_, 0);
    values_ = std::move(other.values_);
    return *this;
  }

  std::size_t channels() const noexcept { return channels_; }
  std::size_t frames() const noexcept { return frames_; }
  std::size_t bins() const noexcept { return bins_; }
  std::size_t size() const noexcept { return values_.size(); }
  template <class U>
  bool same_shape(const TimeFrequency<U>& other) const noexcept {
    return channels_ == other.channels() && frames_ == other.frames() && bins_ == other.bins();
  }

  std::span<T> frame(std::size_t channel, std::size_t frame) { return {values_.data() + (channel * frames_ + frame) * bins_, bins_}; }
  std::span<const T> frame(std::size_t channel, std::size_t frame) const {
    return {values_.data() + (channel * frames_ + frame) * bins_, bins_};
  }
  T& at(std::size_t channel, std::size_t frame, std::size_t bin) { return values_[(channel * frames_ + frame) * bins_ + bin]; }
  const T& at(std::size_t channel, std::size_t frame, std::size_t bin) const { return values_[(channel * frames_ + frame) * bins_ + bin]; }

  std::span<T> values() noexcept { return values_; }
  std::span<const T> values() const noexcept { return values_; }

 private:
  std::size_t channels_ = 0;
  std::size_t frames_ = 0;
  std::size_t bins_ = 0;
  ZeroedVector<T> values_;
};

template <class T>
using Spectrogram = TimeFrequency<std::complex<T>>;
template <class T>
using Magnitudes = TimeFrequency<T>;  ///< |X|, or |X|² where the name says power
template <class T>
using Mask = TimeFrequency<T>;  ///< usually in [0, 1]

}  // namespace unbraid::dsp
