#include "evaluate/stem_meter.hpp"

#include <algorithm>
#include <cmath>
#include <complex>

#include "unbraid/dsp/window.hpp"

namespace unbraid::evaluate {

namespace {

constexpr std::size_t kFft = 4096;
constexpr float kFullScale = 32767.0f / 32768.0f;
constexpr std::size_t kClippedRun = 3;
constexpr double kBandwidthRange = 1e-8;  ///< −80 dB
constexpr std::size_t kNeighbours = 30, kCentre = 2;
constexpr double kJumpRatio = 12;
constexpr double kQuietJump = 1e-4;  ///< second differences below −80 dBFS are nothing to hear
constexpr std::size_t kFewestSeams = 4, kMostJumps = 20'000;

}  // namespace

StemMeter::StemMeter(std::size_t channels)
    : sums_(channels), full_run_(channels), fft_(kFft), window_(dsp::make_window({.length = kFft})), power_(fft_.bins()) {}

void StemMeter::add(AudioView block) {
  for (std::size_t c = 0; c < block.channels(); ++c) {
    for (const float x : block.channel(c)) {
      if (!std::isfinite(x)) {
        ++not_finite_;
        full_run_[c] = 0;
        continue;
      }
      sums_[c] += x;
      square_sum_ += static_cast<double>(x) * static_cast<double>(x);
      full_run_[c] = std::abs(x) >= kFullScale ? full_run_[c] + 1 : 0;
      if (full_run_[c] == kClippedRun) clipped_ += kClippedRun;
      else if (full_run_[c] > kClippedRun) ++clipped_;
    }
    add_spectrum(block.channel(c));
    find_jumps(block.channel(c), frames_);
  }
  frames_ += block.frames();
}

void StemMeter::add_spectrum(std::span<const float> channel) {
  dsp::AlignedVector<double> time(kFft);
  dsp::AlignedVector<std::complex<double>> spectrum(fft_.bins());
  for (std::size_t first = 0; first + kFft <= channel.size(); first += kFft) {
    for (std::size_t n = 0; n < kFft; ++n) {
      const float x = channel[first + n];
      time[n] = std::isfinite(x) ? window_[n] * static_cast<double>(x) : 0.0;
    }
    fft_.forward(time, spectrum);
    for (std::size_t k = 0; k < power_.size(); ++k) power_[k] += std::norm(spectrum[k]);
  }
}

void StemMeter::find_jumps(std::span<const float> channel, std::uint64_t first) {
  if (channel.size() < 2 * kNeighbours + 3) return;
  std::vector<double> second(channel.size() - 2), running(second.size() + 1);
  for (std::size_t n = 0; n < second.size(); ++n) {
    second[n] = std::abs(static_cast<double>(channel[n]) - 2.0 * static_cast<double>(channel[n + 1]) + static_cast<double>(channel[n + 2]));
    if (!std::isfinite(second[n])) second[n] = 0;
    running[n + 1] = running[n] + second[n];
  }
  for (std::size_t n = kNeighbours; n + kNeighbours < second.size(); ++n) {
    if (second[n] < kQuietJump || second[n] < second[n - 1] || second[n] < second[n + 1]) continue;
    const double around = running[n + kNeighbours + 1] - running[n - kNeighbours] - (running[n + kCentre + 1] - running[n - kCentre]);
    const double mean = around / static_cast<double>(2 * (kNeighbours - kCentre));
    if (second[n] > kJumpRatio * mean && jumps_.size() < kMostJumps) jumps_.push_back(first + n + 1);
  }
}

double StemMeter::mean_square() const {
  const double count = static_cast<double>(frames_ * sums_.size() - not_finite_);
  return count > 0 ? square_sum_ / count : 0;
}

double StemMeter::offset() const {
  double largest = 0;
  for (const double sum : sums_) {
    const double mean = frames_ > 0 ? sum / static_cast<double>(frames_) : 0;
    if (std::abs(mean) > std::abs(largest)) largest = mean;
  }
  return largest;
}

double StemMeter::bandwidth() const {
  const double loudest = *std::ranges::max_element(power_);
  if (loudest == 0) return 0;
  std::size_t k = power_.size() - 1;
  while (power_[k] < kBandwidthRange * loudest) --k;
  return static_cast<double>(k) / static_cast<double>(power_.size() - 1);
}

StemMeter::Seams StemMeter::seams() const {
  // Jumps of both channels, and the two sides of one jump, count once.
  std::vector<std::uint64_t> places;
  std::vector<std::uint64_t> sorted = jumps_;
  std::ranges::sort(sorted);
  for (const std::uint64_t at : sorted)
    if (places.empty() || at > places.back() + 2) places.push_back(at);
  if (places.size() < kFewestSeams) return {};

  // The grid is the one with the most common distance between neighbours.
  std::vector<std::uint64_t> distances;
  for (std::size_t i = 1; i < places.size(); ++i) distances.push_back(places[i] - places[i - 1]);
  std::ranges::sort(distances);
  const std::uint64_t distance = distances[distances.size() / 2];
  std::size_t most = 0;
  for (const std::uint64_t origin : places) {
    std::size_t on_grid = 0;
    for (const std::uint64_t at : places) {
      const std::uint64_t off = (at > origin ? at - origin : origin - at) % distance;
      on_grid += std::min(off, distance - off) <= 2;
    }
    most = std::max(most, on_grid);
  }
  // A short distance would catch anything: its lines ±2 frames must be a small part of all frames.
  if (most < kFewestSeams || 2 * most < places.size() || distance < 200) return {};
  return {most, distance};
}

}  // namespace unbraid::evaluate
