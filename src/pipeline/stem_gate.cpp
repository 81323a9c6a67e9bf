#include "pipeline/stem_gate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>

namespace unbraid {

namespace {

constexpr std::size_t kHop = 1024;  // frames whose power is taken together; between their middles gains go straight
constexpr double kReachSeconds = 2;

/// Hops on either side of which the window is 0.
std::size_t reach(double sample_rate) {
  return static_cast<std::size_t>(std::max(1.0, std::round(kReachSeconds * sample_rate / kHop)));
}

}  // namespace

// Blocks begin at whole hops, so that powers do not depend on where blocks lie. The context holds what the window reaches
// (one hop less than `reach`) and one hop for the way between two gains.
StemGate::StemGate(std::size_t stems, const StreamFormat& format, double threshold_db)
    : BlockStream(64 * kHop, reach(format.sample_rate) * kHop, stems * format.channels, stems * format.channels),
      stems_(stems),
      channels_(format.channels),
      threshold_(std::pow(10.0, threshold_db / 10)),
      window_(reach(format.sample_rate)) {
  for (std::size_t i = 0; i < window_.size(); ++i)
    window_[i] = 0.5 + 0.5 * std::cos(std::numbers::pi * static_cast<double>(i) / static_cast<double>(window_.size()));
}

AudioBuffer StemGate::process(AudioBuffer block, ThreadPool& pool) {
  apply(shares(block, pool), block, pool);
  return block;
}

/// [stem][hop]: each stem's share of the power around the hop; equal shares where there is none.
std::vector<double> StemGate::shares(AudioView block, ThreadPool& pool) const {
  const std::size_t hops = block.frames() / kHop, reach = window_.size();
  std::vector<double> smooth(stems_ * hops);
  pool.parallel_for(stems_, [&](std::size_t s) {
    std::vector<double> power(hops + 2 * reach);  // zeros around it
    for (std::size_t c = 0; c < channels_; ++c) {
      const auto x = block.channel(s * channels_ + c);
      for (std::size_t h = 0; h < hops; ++h) {
        const auto hop = x.subspan(h * kHop, kHop);
        power[reach + h] += std::transform_reduce(hop.begin(), hop.end(), 0.0, std::plus{},
                                                  [](double v) { return v * v; });
      }
    }
    for (std::size_t h = 0; h < hops; ++h) {
      double sum = power[reach + h];
      for (std::size_t i = 1; i < reach; ++i) sum += window_[i] * (power[reach + h - i] + power[reach + h + i]);
      smooth[s * hops + h] = sum;
    }
  });
  for (std::size_t h = 0; h < hops; ++h) {
    double total = 0;
    for (std::size_t s = 0; s < stems_; ++s) total += smooth[s * hops + h];
    for (std::size_t s = 0; s < stems_; ++s)
      smooth[s * hops + h] = total > 0 ? smooth[s * hops + h] / total : 1 / static_cast<double>(stems_);
  }
  return smooth;
}

void StemGate::apply(std::span<const double> shares, MutableAudioView block, ThreadPool& pool) const {
  const std::size_t hops = block.frames() / kHop;
  std::vector<float> gains(shares.size()), parts(shares.size());  // of itself, and of what is taken from all
  for (std::size_t h = 0; h < hops; ++h) {
    double total = 0;
    for (std::size_t i = h; i < shares.size(); i += hops) {
      const double square = shares[i] * shares[i], gain = square / (square + threshold_ * threshold_);
      gains[i] = static_cast<float>(gain);
      total += gain * shares[i];
    }
    for (std::size_t i = h; i < shares.size(); i += hops) parts[i] = static_cast<float>(gains[i] * shares[i] / total);
  }
  // From the middle of each hop to that of the next; the first and last half hop are context.
  pool.parallel_for(hops - 1, [&](std::size_t h) {
    const auto between = [&](const std::vector<float>& values, std::size_t stem, std::size_t i) {
      const float here = values[stem * hops + h], next = values[stem * hops + h + 1];
      return here + (next - here) * (static_cast<float>(i) / kHop);
    };
    for (std::size_t c = 0; c < channels_; ++c) {
      std::array<float, kHop> taken{};
      const auto stem = [&](std::size_t s) { return block.channel(s * channels_ + c).subspan(h * kHop + kHop / 2, kHop); };
      for (std::size_t s = 0; s < stems_; ++s) {
        const auto x = stem(s);
        for (std::size_t i = 0; i < kHop; ++i) {
          const float kept = between(gains, s, i) * x[i];
          taken[i] += x[i] - kept;
          x[i] = kept;
        }
      }
      for (std::size_t s = 0; s < stems_; ++s) {
        const auto x = stem(s);
        for (std::size_t i = 0; i < kHop; ++i) x[i] += between(parts, s, i) * taken[i];
      }
    }
  });
}

}  // namespace unbraid
