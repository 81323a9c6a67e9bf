#include "pipeline/spectral_combiner.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

namespace unbraid {

namespace {

constexpr std::size_t kFft = 2048, kHop = 1024;  // as in the ensemble.py of MSST
// Blocks begin at whole hops, so that their frames are those of the whole track; the context holds every frame that
// reaches into the core.
constexpr std::size_t kContext = 2 * kFft, kCore = 64 * kHop;
constexpr float kLeastShare = 1e-8f;  ///< of the mixture's power in a bin: what an estimate is taken to hold at least

}  // namespace

SpectralCombiner::SpectralCombiner(std::vector<std::vector<double>> weights, std::size_t channels, Ensemble::Combine combine,
                                   double sharpness)
    : BlockStream(kCore, kContext,
                  channels * std::accumulate(weights.begin(), weights.end(), std::size_t{1},  // 1: the mixture
                                             [](std::size_t sum, const auto& stem) { return sum + stem.size(); }),
                  channels * weights.size()),
      weights_(std::move(weights)),
      channels_(channels),
      combine_(combine),
      sharpness_(sharpness),
      stft_({.window = {.length = kFft}, .hop = kHop}) {
  for (std::vector<double>& stem : weights_) {
    const double sum = std::accumulate(stem.begin(), stem.end(), 0.0);
    for (double& weight : stem) weight /= sum;
  }
}

AudioBuffer SpectralCombiner::process(AudioBuffer block, ThreadPool& pool) {
  const dsp::Spectrogram<float> all = stft_.forward(block.view(), pool);
  dsp::Spectrogram<float> made(channels_ * weights_.size(), all.frames(), all.bins());
  pool.parallel_for(all.frames(), [&](std::size_t m) {
    const bool chooses = combine_ == Ensemble::Combine::kMin || combine_ == Ensemble::Combine::kMax;
    chooses ? choose(all, m, made) : share(all, m, made);
  });
  AudioBuffer combined(made.channels(), block.frames());
  stft_.inverse(made, combined.view(), pool);
  return combined;
}

/// In each bin the value of the smallest or the largest magnitude.
void SpectralCombiner::choose(const dsp::Spectrogram<float>& all, std::size_t frame, dsp::Spectrogram<float>& out) const {
  const bool largest = combine_ == Ensemble::Combine::kMax;
  std::size_t first = channels_;  // behind the mixture
  for (std::size_t s = 0; s < weights_.size(); first += weights_[s++].size() * channels_)
    for (std::size_t c = 0; c < channels_; ++c) {
      const auto chosen = out.frame(s * channels_ + c, frame);
      for (std::size_t e = 0; e < weights_[s].size(); ++e) {
        const auto estimate = all.frame(first + e * channels_ + c, frame);
        for (std::size_t k = 0; k < chosen.size(); ++k) {
          const float before = std::norm(chosen[k]), now = std::norm(estimate[k]);
          if (e == 0 || (largest ? now > before : now < before)) chosen[k] = estimate[k];
        }
      }
    }
}

/// The mixture, or what half the arithmetic means of the values leave of it, by powers of the geometric means of the magnitudes.
void SpectralCombiner::share(const dsp::Spectrogram<float>& all, std::size_t frame, dsp::Spectrogram<float>& out) const {
  const std::size_t bins = all.bins(), stems = weights_.size();
  std::vector<float> least(bins), shares(stems * bins), greatest(bins), sums(bins);
  std::vector<std::complex<float>> rest(bins);
  for (std::size_t c = 0; c < channels_; ++c) {
    const auto mixture = all.frame(c, frame);
    std::ranges::copy(mixture, rest.begin());
    if (combine_ == Ensemble::Combine::kBlend) take_means(all, c, frame, rest, out);
    for (std::size_t k = 0; k < bins; ++k) least[k] = std::norm(mixture[k]) * kLeastShare + std::numeric_limits<float>::min();
    std::ranges::fill(shares, 0.0f);
    std::ranges::fill(greatest, -std::numeric_limits<float>::infinity());
    std::ranges::fill(sums, 0.0f);
    std::size_t first = channels_;
    for (std::size_t s = 0; s < stems; first += weights_[s++].size() * channels_) {
      float* const log = shares.data() + s * bins;
      for (std::size_t e = 0; e < weights_[s].size(); ++e) {
        const auto power = static_cast<float>(sharpness_ * weights_[s][e] / 2);  // of powers
        const auto estimate = all.frame(first + e * channels_ + c, frame);
        for (std::size_t k = 0; k < bins; ++k) log[k] += power * std::log(std::norm(estimate[k]) + least[k]);
      }
      for (std::size_t k = 0; k < bins; ++k) greatest[k] = std::max(greatest[k], log[k]);
    }
    for (std::size_t s = 0; s < stems; ++s)
      for (std::size_t k = 0; k < bins; ++k) sums[k] += shares[s * bins + k] = std::exp(shares[s * bins + k] - greatest[k]);
    for (std::size_t s = 0; s < stems; ++s) {
      const auto stem = out.frame(s * channels_ + c, frame);
      for (std::size_t k = 0; k < bins; ++k) stem[k] += rest[k] * (shares[s * bins + k] / sums[k]);
    }
  }
}

/// Half the weighted means of the estimates, which are taken away from the rest.
void SpectralCombiner::take_means(const dsp::Spectrogram<float>& all, std::size_t channel, std::size_t frame,
                                  std::span<std::complex<float>> rest, dsp::Spectrogram<float>& out) const {
  std::size_t first = channels_;
  for (std::size_t s = 0; s < weights_.size(); first += weights_[s++].size() * channels_) {
    const auto stem = out.frame(s * channels_ + channel, frame);
    for (std::size_t e = 0; e < weights_[s].size(); ++e) {
      const auto half = static_cast<float>(weights_[s][e] / 2);
      const auto estimate = all.frame(first + e * channels_ + channel, frame);
      for (std::size_t k = 0; k < stem.size(); ++k) stem[k] += half * estimate[k];
    }
    for (std::size_t k = 0; k < stem.size(); ++k) rest[k] -= stem[k];
  }
}

}  // namespace unbraid
