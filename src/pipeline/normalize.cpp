#include "unbraid/pipeline/normalize.hpp"

#include <cmath>

namespace unbraid {

namespace {
constexpr double kSilence = 1e-8;  // of the standard deviation, full scale 1
}

void NormalizationMeter::add(AudioView frames) {
  if (frames.empty()) return;
  const double channels = static_cast<double>(frames.channels());
  const auto mono = [&](std::size_t i) {
    double sum = 0.0;
    for (std::size_t c = 0; c < frames.channels(); ++c) sum += frames.channel(c)[i];
    return sum / channels;
  };
  const double count = static_cast<double>(frames.frames());
  double mean = 0.0;
  for (std::size_t i = 0; i < frames.frames(); ++i) mean += mono(i);
  mean /= count;
  double squares = 0.0;
  for (std::size_t i = 0; i < frames.frames(); ++i) {
    const double deviation = mono(i) - mean;
    squares += deviation * deviation;
  }

  const double before = static_cast<double>(count_);
  const double total = before + count;
  const double delta = mean - mean_;
  mean_ += delta * count / total;
  squares_ += squares + delta * delta * before * count / total;
  count_ += frames.frames();
}

NormalizationStats NormalizationMeter::stats() const {
  const double std = count_ > 1 ? std::sqrt(squares_ / static_cast<double>(count_ - 1)) : 0.0;
  if (std <= kSilence) return {.mean = mean_, .std = 1.0, .silent = true, .frames = count_};
  return {.mean = mean_, .std = std, .silent = false, .frames = count_};
}

double NormalizationStats::population_std() const {
  if (silent || frames < 2) return std;
  const double n = static_cast<double>(frames);
  return std * std::sqrt((n - 1.0) / n);
}

NormalizationStats measure_normalization(AudioView audio) {
  NormalizationMeter meter;
  meter.add(audio);
  return meter.stats();
}

void normalize_audio(MutableAudioView audio, const NormalizationStats& stats) {
  const float mean = static_cast<float>(stats.mean);
  const float std = static_cast<float>(stats.std);
  for (std::size_t c = 0; c < audio.channels(); ++c)
    for (float& sample : audio.channel(c)) sample = (sample - mean) / std;
}

void denormalize_audio(MutableAudioView audio, const NormalizationStats& stats, double mean_share) {
  const float mean = static_cast<float>(stats.mean * mean_share);
  const float std = static_cast<float>(stats.std);
  for (std::size_t c = 0; c < audio.channels(); ++c)
    for (float& sample : audio.channel(c)) sample = sample * std + mean;
}

}  // namespace unbraid
