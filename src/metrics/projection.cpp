#include "metrics/projection.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <bit>
#include <complex>

#include "metrics/split_complex.hpp"

namespace unbraid::metrics {

namespace {

constexpr std::size_t kTile = 128;  ///< bins summed at a time

using Row = Eigen::Map<const Eigen::ArrayXd>;

Row row(const double* data, std::size_t count) { return {data, static_cast<Eigen::Index>(count)}; }

/// Frames [first, first + out.size()) of a channel as doubles; first may be negative, and everything outside [begin,
/// end) is zero.
void load(std::span<const float> channel, std::ptrdiff_t begin, std::ptrdiff_t end, std::ptrdiff_t first, std::span<double> out) {
  const auto size = static_cast<std::ptrdiff_t>(out.size());
  const std::ptrdiff_t from = std::clamp<std::ptrdiff_t>(begin - first, 0, size);
  const std::ptrdiff_t to = std::clamp<std::ptrdiff_t>(end - first, from, size);
  std::fill(out.begin(), out.begin() + from, 0.0);
  std::copy(channel.begin() + (first + from), channel.begin() + (first + to), out.begin() + from);
  std::fill(out.begin() + to, out.end(), 0.0);
}

}  // namespace

Energies& Energies::operator+=(const Energies& other) {
  source += other.source;
  total_error += other.total_error;
  filtered += other.filtered;
  filtered_error += other.filtered_error;
  spatial += other.spatial;
  interference += other.interference;
  projected += other.projected;
  artifacts += other.artifacts;
  return *this;
}

struct Projector::Scratch {
  dsp::AlignedVector<double> time;  ///< one FFT of samples
  dsp::AlignedVector<std::complex<double>> spectrum;
  dsp::AlignedVector<double> inputs;            ///< [source][channel][re, im][bin]
  dsp::AlignedVector<double> sum;               ///< [re, im][bin]
  dsp::AlignedVector<double> joint;             ///< [estimate][channel][frame]
  dsp::AlignedVector<double> target;            ///< [channel][frame]
  dsp::AlignedVector<double> source, estimate;  ///< [frame]
};

Projector::Projector(std::size_t channels, std::size_t filter_length, std::span<const FilterBank> joint, std::vector<Pair> pairs)
    : channels_(channels),
      length_(filter_length),
      fft_(8 * std::bit_ceil(filter_length)),
      block_(fft_.size() - filter_length + 1),
      bins_(padded_bins(fft_.bins())),
      pairs_(std::move(pairs)) {
  for (const FilterBank& bank : joint) joint_.push_back(transform(bank));
  for (const Pair& pair : pairs_) targets_.push_back(transform(pair.target));
}

Projector::Spectra Projector::transform(const FilterBank& bank) const {
  Spectra result{.sources = bank.sources, .rows = dsp::AlignedVector<double>(bank.sources.size() * channels_ * channels_ * 2 * bins_)};
  dsp::AlignedVector<double> time(fft_.size());
  dsp::AlignedVector<std::complex<double>> spectrum(fft_.bins());
  const std::size_t inputs = bank.sources.size() * channels_;
  for (std::size_t in = 0; in < inputs; ++in) {
    for (std::size_t out = 0; out < channels_; ++out) {
      std::copy_n(bank.taps.begin() + static_cast<std::ptrdiff_t>((in * channels_ + out) * length_), length_, time.begin());
      fft_.forward(time, spectrum);
      double* re = result.rows.data() + (out * inputs + in) * 2 * bins_;
      split(spectrum, re, re + bins_);
    }
  }
  return result;
}

/// out: [channel][block_ frames]
void Projector::apply(const Spectra& filters, const double* inputs, Scratch& scratch, std::span<double> out) const {
  const std::size_t count = filters.sources.size() * channels_;
  for (std::size_t c = 0; c < channels_; ++c) {
    std::ranges::fill(scratch.sum, 0.0);
    for (std::size_t first = 0; first < bins_; first += kTile) {
      const std::size_t tile = std::min(kTile, bins_ - first);
      for (std::size_t i = 0; i < count; ++i) {
        const double* h = filters.rows.data() + (c * count + i) * 2 * bins_ + first;
        const std::size_t signal = filters.sources[i / channels_] * channels_ + i % channels_;
        const double* x = inputs + signal * 2 * bins_ + first;
        multiply_add({h, h + bins_}, {x, x + bins_}, scratch.sum.data() + first, scratch.sum.data() + bins_ + first, tile);
      }
    }
    join(scratch.sum.data(), scratch.sum.data() + bins_, scratch.spectrum);
    fft_.inverse(scratch.spectrum, scratch.time);
    // The first length − 1 outputs wrap around.
    std::copy_n(scratch.time.begin() + static_cast<std::ptrdiff_t>(length_ - 1), block_,
                out.begin() + static_cast<std::ptrdiff_t>(c * block_));
  }
}

void Projector::block(std::span<const AudioView> references, std::span<const AudioView> estimates, const Window& window, std::size_t first,
                      Scratch& scratch, std::span<Energies> energies) const {
  const auto begin = static_cast<std::ptrdiff_t>(window.first);
  const auto end = begin + static_cast<std::ptrdiff_t>(window.frames);
  const std::ptrdiff_t start = begin + static_cast<std::ptrdiff_t>(first);
  const std::size_t count = std::min(block_, window.frames + length_ - 1 - first);

  for (std::size_t s = 0; s < references.size(); ++s) {
    for (std::size_t c = 0; c < channels_; ++c) {
      load(references[s].channel(c), begin, end, start - static_cast<std::ptrdiff_t>(length_ - 1), scratch.time);
      fft_.forward(scratch.time, scratch.spectrum);
      double* re = scratch.inputs.data() + (s * channels_ + c) * 2 * bins_;
      split(scratch.spectrum, re, re + bins_);
    }
  }
  for (std::size_t e = 0; e < joint_.size(); ++e)
    if (!joint_[e].sources.empty())
      apply(joint_[e], scratch.inputs.data(), scratch, std::span(scratch.joint).subspan(e * channels_ * block_, channels_ * block_));

  for (std::size_t p = 0; p < pairs_.size(); ++p) {
    const Pair& pair = pairs_[p];
    apply(targets_[p], scratch.inputs.data(), scratch, scratch.target);
    const double* joint =
        joint_[pair.estimate].sources.empty() ? scratch.target.data() : scratch.joint.data() + pair.estimate * channels_ * block_;
    Energies sum;
    for (std::size_t c = 0; c < channels_; ++c) {
      load(references[pair.reference].channel(c), begin, end, start, scratch.source);
      load(estimates[pair.estimate].channel(c), begin, end, start, scratch.estimate);
      const Row s = row(scratch.source.data(), count), estimate = row(scratch.estimate.data(), count);
      const Row filtered = row(scratch.target.data() + c * block_, count);
      const Row projected = row(joint + c * block_, count);
      sum += {.source = s.square().sum(),
              .total_error = (estimate - s).square().sum(),
              .filtered = filtered.square().sum(),
              .filtered_error = (estimate - filtered).square().sum(),
              .spatial = (filtered - s).square().sum(),
              .interference = (projected - filtered).square().sum(),
              .projected = projected.square().sum(),
              .artifacts = (estimate - projected).square().sum()};
    }
    energies[p] = sum;
  }
}

std::vector<std::vector<Energies>> Projector::measure(std::span<const AudioView> references, std::span<const AudioView> estimates,
                                                      std::span<const Window> windows, ThreadPool& pool) const {
  struct Job {
    std::size_t window;
    std::size_t first;  ///< output frame within the window
  };
  std::vector<Job> jobs;
  for (std::size_t w = 0; w < windows.size(); ++w)
    for (std::size_t first = 0; first < windows[w].frames + length_ - 1; first += block_) jobs.push_back({w, first});

  const std::size_t pairs = pairs_.size();
  std::vector<Energies> parts(jobs.size() * pairs);
  constexpr std::size_t kGrain = 8;  ///< blocks per allocation of scratch memory
  pool.parallel_ranges(jobs.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    Scratch scratch{.time = dsp::AlignedVector<double>(fft_.size()),
                    .spectrum = dsp::AlignedVector<std::complex<double>>(fft_.bins()),
                    .inputs = dsp::AlignedVector<double>(references.size() * channels_ * 2 * bins_),
                    .sum = dsp::AlignedVector<double>(2 * bins_),
                    .joint = dsp::AlignedVector<double>(estimates.size() * channels_ * block_),
                    .target = dsp::AlignedVector<double>(channels_ * block_),
                    .source = dsp::AlignedVector<double>(block_),
                    .estimate = dsp::AlignedVector<double>(block_)};
    for (std::size_t i = begin; i < end; ++i)
      block(references, estimates, windows[jobs[i].window], jobs[i].first, scratch, std::span(parts).subspan(i * pairs, pairs));
  });

  // Blocks are added up in order: the same sum for every number of threads.
  std::vector<std::vector<Energies>> result(windows.size(), std::vector<Energies>(pairs));
  for (std::size_t i = 0; i < jobs.size(); ++i)
    for (std::size_t p = 0; p < pairs; ++p) result[jobs[i].window][p] += parts[i * pairs + p];
  return result;
}

}  // namespace unbraid::metrics
