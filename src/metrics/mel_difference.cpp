#include "unbraid/metrics/mel_difference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "metrics/frame_pairs.hpp"
#include "metrics/shapes.hpp"
#include "unbraid/dsp/mel.hpp"

namespace unbraid::metrics {

namespace {

constexpr double kLeastAmplitude = 1e-10, kRangeDb = 80;
constexpr std::size_t kBands = 512;

struct Loudest {
  double reference = -std::numeric_limits<double>::infinity();
  double estimate = -std::numeric_limits<double>::infinity();
  Loudest& operator+=(const Loudest& other) {
    reference = std::max(reference, other.reference);
    estimate = std::max(estimate, other.estimate);
    return *this;
  }
};

}  // namespace

dsp::TimeFrequency<float> db_difference_mel(AudioView reference, AudioView estimate, ThreadPool& pool, double sample_rate) {
  require_same_shape(reference, estimate);
  const FrameSpec spec{.n_fft = 4096, .hop = 1024, .padding = FramePadding::kZeros};
  const dsp::MelFilterBank mel({.sample_rate = sample_rate, .n_fft = spec.n_fft, .bands = kBands});
  const std::size_t frames = centred_frames(reference.frames(), spec.hop);
  dsp::TimeFrequency<float> difference(reference.channels(), frames, kBands), s_db(reference.channels(), frames, kBands);

  const auto decibels = [&](Spectrum spectrum, std::span<float> out) {
    thread_local std::vector<double> magnitudes;
    thread_local std::vector<double> bands(kBands);
    magnitudes.resize(spectrum.size());
    for (std::size_t k = 0; k < spectrum.size(); ++k) magnitudes[k] = std::abs(spectrum[k]);
    mel.apply<double>(magnitudes, bands);
    double loudest = -std::numeric_limits<double>::infinity();
    for (std::size_t b = 0; b < kBands; ++b) {
      const double db = 20 * std::log10(std::max(bands[b], kLeastAmplitude));
      loudest = std::max(loudest, db);
      out[b] = static_cast<float>(db);
    }
    return loudest;
  };
  const Loudest loudest =
      sum_frames<Loudest>(reference, estimate, spec, pool, [&](std::size_t c, std::size_t m, Spectrum s, Spectrum x, Loudest& most) {
        most += {decibels(s, s_db.frame(c, m)), decibels(x, difference.frame(c, m))};
      });
  const auto s_floor = static_cast<float>(loudest.reference - kRangeDb);
  const auto x_floor = static_cast<float>(loudest.estimate - kRangeDb);
  for (std::size_t i = 0; i < difference.size(); ++i)
    difference.values()[i] = std::max(difference.values()[i], x_floor) - std::max(s_db.values()[i], s_floor);
  return difference;
}

MelScores mel_scores(const dsp::TimeFrequency<float>& db_difference) {
  double above = 0, below = 0;
  std::size_t above_count = 0, below_count = 0;
  for (const float d : db_difference.values()) {
    if (d > 0) {
      above += d;
      ++above_count;
    } else if (d < 0) {
      below -= d;
      ++below_count;
    }
  }
  MelScores scores{.bleed_db = above_count > 0 ? above / static_cast<double>(above_count) : 0,
                   .lost_db = below_count > 0 ? below / static_cast<double>(below_count) : 0};
  scores.bleedless = 100 / (1 + scores.bleed_db);
  scores.fullness = 100 / (1 + scores.lost_db);
  return scores;
}

}  // namespace unbraid::metrics
