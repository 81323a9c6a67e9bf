#include "pipeline/solo_gate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace unbraid {

namespace {

constexpr std::size_t kFft = 2048, kHop = 1024;
constexpr double kReachSeconds = 1;
constexpr double kLeading = 0.6;  ///< mean share of its bins from which on a stem counts as heard for itself

/// Columns on either side of which the window is 0.
std::size_t reach(double sample_rate) { return static_cast<std::size_t>(std::max(1.0, std::round(kReachSeconds * sample_rate / kHop))); }

/// From 0 to 1, with ½ at x = 1.
double step(double x) {
  const double power = std::pow(x, 8);
  return power / (1 + power);
}

}  // namespace

// Blocks begin at whole hops, so that columns are those of the whole track wherever blocks lie. The context holds what the
// window reaches: one column less than `reach`, and half of that column's frames.
SoloGate::SoloGate(std::size_t stems, const StreamFormat& format, double threshold_db)
    : BlockStream(64 * kHop, reach(format.sample_rate) * kHop, stems * format.channels, stems * format.channels),
      stems_(stems),
      channels_(format.channels),
      threshold_(std::pow(10.0, threshold_db / 10)),
      window_(reach(format.sample_rate)),
      stft_({.window = {.length = kFft}, .hop = kHop}) {
  for (std::size_t i = 0; i < window_.size(); ++i)
    window_[i] = 0.5 + 0.5 * std::cos(std::numbers::pi * static_cast<double>(i) / static_cast<double>(window_.size()));
}

AudioBuffer SoloGate::process(AudioBuffer block, ThreadPool& pool) {
  apply(columns(sums(block, pool)), block, pool);
  return block;
}

/// [column][stem]
std::vector<SoloGate::Sums> SoloGate::sums(AudioView block, ThreadPool& pool) const {
  const dsp::Spectrogram<float> spectra = stft_.forward(block, pool);
  std::vector<Sums> result(spectra.frames() * stems_);
  pool.parallel_for(spectra.frames(), [&](std::size_t m) {
    std::vector<float> powers(stems_ * spectra.bins()), all(spectra.bins());
    for (std::size_t c = 0; c < channels_; ++c) {
      std::ranges::fill(all, 0.0f);
      for (std::size_t s = 0; s < stems_; ++s) {
        const auto spectrum = spectra.frame(s * channels_ + c, m);
        for (std::size_t k = 0; k < all.size(); ++k) all[k] += powers[s * all.size() + k] = std::norm(spectrum[k]);
      }
      for (std::size_t s = 0; s < stems_; ++s) {
        const float* const power = powers.data() + s * all.size();
        double sum = 0, led = 0;
        for (std::size_t k = 0; k < all.size(); ++k) {
          sum += power[k];
          led += all[k] > 0 ? power[k] * (power[k] / all[k]) : 0.0f;
        }
        result[m * stems_ + s].power += sum;
        result[m * stems_ + s].led += led;
      }
    }
  });
  return result;
}

std::vector<SoloGate::Column> SoloGate::columns(std::span<const Sums> sums) const {
  const std::size_t count = sums.size() / stems_;
  std::vector<Column> result(count);
  std::vector<Sums> smooth(stems_);
  for (std::size_t m = 0; m < count; ++m) {
    std::ranges::fill(smooth, Sums{});
    for (std::size_t n = m - std::min(m, window_.size() - 1); n < std::min(count, m + window_.size()); ++n) {
      const double weight = window_[n < m ? m - n : n - m];
      for (std::size_t s = 0; s < stems_; ++s) {
        smooth[s].power += weight * sums[n * stems_ + s].power;
        smooth[s].led += weight * sums[n * stems_ + s].led;
      }
    }
    Column& column = result[m];
    double total = 0;
    for (std::size_t s = 0; s < stems_; ++s) {
      total += smooth[s].power;
      if (smooth[s].power > smooth[column.loudest].power) column.loudest = s;
    }
    const double rest = total > 0 ? 1 - smooth[column.loudest].power / total : 0;
    const double together = step(rest / threshold_);
    for (std::size_t s = 0; s < stems_; ++s) {
      const double leading = smooth[s].power > 0 ? smooth[s].led / smooth[s].power : 0;
      column.gains.push_back(s == column.loudest ? 1.0f : static_cast<float>(1 - (1 - together) * (1 - step(leading / kLeading))));
    }
  }
  return result;
}

void SoloGate::apply(std::span<const Column> columns, MutableAudioView block, ThreadPool& pool) const {
  pool.parallel_for(block.frames() / kHop, [&](std::size_t m) {
    const Column& here = columns[m];
    const Column& next = columns[m + 1];
    std::vector<float> taken(kHop);
    for (std::size_t c = 0; c < channels_; ++c) {
      const auto stem = [&](std::size_t s) { return block.channel(s * channels_ + c).subspan(m * kHop, kHop); };
      std::ranges::fill(taken, 0.0f);
      for (std::size_t s = 0; s < stems_; ++s) {
        const auto x = stem(s);
        const float slope = (next.gains[s] - here.gains[s]) / kHop;
        for (std::size_t i = 0; i < kHop; ++i) {
          const float kept = (here.gains[s] + slope * static_cast<float>(i)) * x[i];
          taken[i] += x[i] - kept;
          x[i] = kept;
        }
      }
      const auto before = stem(here.loudest), after = stem(next.loudest);
      for (std::size_t i = 0; i < kHop; ++i) {
        const float later = taken[i] * (static_cast<float>(i) / kHop);
        before[i] += taken[i] - later;
        after[i] += later;
      }
    }
  });
}

}  // namespace unbraid
