#include "unbraid/dsp/stft.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {

namespace {

/// Below this share of the window's largest square a sample counts as not covered.
constexpr double kCoverageFloor = 1e-10;

std::size_t resolved_size(const StftOptions& options) { return options.n_fft == 0 ? options.window.length : options.n_fft; }

/// The window, centred in n_fft values.
std::vector<double> centered_window(const StftOptions& options) {
  const std::vector<double> window = make_window(options.window);
  std::vector<double> centered(resolved_size(options));
  std::ranges::copy(window, centered.begin() + static_cast<std::ptrdiff_t>((centered.size() - window.size()) / 2));
  return centered;
}

std::vector<double> squared(std::vector<double> values) {
  for (double& value : values) value *= value;
  return values;
}

/// Σ_r w²[j + r·hop] for every j < hop: what an endless row of frames weighs a sample with.
std::vector<double> folded(const std::vector<double>& squares, std::size_t hop) {
  std::vector<double> sums(hop);
  for (std::size_t n = 0; n < squares.size(); ++n) sums[n % hop] += squares[n];
  return sums;
}

/// Where x̃ is read at `index` samples from the start of the signal, which may lie outside of it; −1 for a
/// zero.
std::ptrdiff_t padded_index(std::ptrdiff_t index, std::ptrdiff_t length, StftPadding padding) {
  if (index >= 0 && index < length) return index;
  switch (padding) {
    case StftPadding::kZeros: return -1;
    case StftPadding::kReplicate: return index < 0 ? 0 : length - 1;
    case StftPadding::kReflect: {
      if (length == 1) return 0;
      const std::ptrdiff_t period = 2 * (length - 1);
      const std::ptrdiff_t folded_index = (index % period + period) % period;
      return std::min(folded_index, period - folded_index);
    }
  }
  return -1;
}

}  // namespace

void StftOptions::validate() const {
  if (window.length == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "STFT window length"};
  if (hop == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "STFT hop"};
  if (n_fft != 0 && n_fft < window.length) throw Error{ErrorCode::kUsage, "must not be shorter than the window", "STFT n_fft"};
  const std::vector<double> squares = squared(make_window(window));
  const std::vector<double> sums = folded(squares, hop);
  if (std::ranges::min(sums) <= kCoverageFloor * std::ranges::max(squares))
    throw Error{ErrorCode::kUsage, "some samples get no weight with this window and hop (NOLA); use a smaller hop", "STFT hop"};
}

template <class T>
Stft<T>::Stft(const StftOptions& options)
    : options_((options.validate(), options)),
      n_fft_(resolved_size(options)),
      lead_(options.centered ? n_fft_ / 2 : 0),
      fft_(n_fft_),
      squares_(squared(centered_window(options))),
      periodic_(folded(squares_, options.hop)),
      analysis_(n_fft_),
      synthesis_(n_fft_) {
  const std::vector<double> window = centered_window(options);
  double scale = 1;
  if (options.scaling == StftScaling::kScipySpectrum) scale = 1 / std::accumulate(window.begin(), window.end(), 0.0);
  if (options.scaling == StftScaling::kTorchNormalized) scale = 1 / std::sqrt(static_cast<double>(n_fft_));
  for (std::size_t n = 0; n < n_fft_; ++n) {
    analysis_[n] = static_cast<T>(window[n] * scale);
    // A frame starts on a whole hop, so that position n of any frame always meets the same overlapped weight.
    // With it, and 1/N of the inverse FFT, folded in here, nothing is left to do for samples that all frames
    // cover.
    synthesis_[n] = static_cast<T>(window[n] / (scale * static_cast<double>(n_fft_) * periodic_[n % options.hop]));
  }
}

template <class T>
std::size_t Stft<T>::frames(std::size_t samples) const {
  if (samples == 0) return 0;
  const std::size_t padded = samples + 2 * lead_;
  if (padded < n_fft_) return options_.pad_end ? 1 : 0;
  const std::size_t beyond = padded - n_fft_;
  return 1 + (options_.pad_end ? (beyond + options_.hop - 1) / options_.hop : beyond / options_.hop);
}

/// Frame `frame` of the padded signal, windowed.
template <class T>
void Stft<T>::load_frame(std::span<const T> signal, std::size_t frame, std::span<T> out) const {
  const auto length = static_cast<std::ptrdiff_t>(signal.size());
  const auto lead = static_cast<std::ptrdiff_t>(lead_);
  const auto size = static_cast<std::ptrdiff_t>(n_fft_);
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(frame * options_.hop) - lead;
  if (first >= 0 && first + size <= length) {
    const T* const samples = signal.data() + first;
    for (std::size_t n = 0; n < n_fft_; ++n) out[n] = samples[n] * analysis_[n];
    return;
  }
  for (std::ptrdiff_t n = 0; n < size; ++n) {
    // Behind the centring pad come zeros, whatever the padding mode.
    const std::ptrdiff_t index = first + n < length + lead ? padded_index(first + n, length, options_.padding) : -1;
    const auto at = static_cast<std::size_t>(n);
    out[at] = index < 0 ? T(0) : signal[static_cast<std::size_t>(index)] * analysis_[at];
  }
}

template <class T>
Spectrogram<T> Stft<T>::forward(PlanarView<const T> signal, ThreadPool& pool) const {
  Spectrogram<T> out(signal.channels(), frames(signal.frames()), bins());
  forward(signal, out, pool);
  return out;
}

template <class T>
void Stft<T>::forward(PlanarView<const T> signal, Spectrogram<T>& out, ThreadPool& pool) const {
  const std::size_t count = frames(signal.frames());
  if (out.channels() != signal.channels() || out.frames() != count || out.bins() != bins())
    throw Error{ErrorCode::kInternal, "spectrogram of the wrong shape for this STFT"};
  constexpr std::size_t kGrain = 32;
  pool.parallel_ranges(signal.channels() * count, kGrain, [&](std::size_t first, std::size_t last) {
    AlignedVector<T> samples(n_fft_);
    auto scratch = fft_.scratch();
    for (std::size_t i = first; i < last; ++i) {
      load_frame(signal.channel(i / count), i % count, samples);
      fft_.forward(samples, out.frame(i / count, i % count), scratch);
    }
  });
}

/// `block` holds padded samples from `first` on, weighed as if there were frames everywhere; this makes up
/// for the frames before the first and after the last.
template <class T>
void Stft<T>::correct_edges(std::size_t first, std::size_t frames, std::span<T> block) const {
  const std::size_t hop = options_.hop;
  const double floor = kCoverageFloor * std::ranges::max(squares_);
  const auto correct = [&](std::size_t begin, std::size_t end) {
    for (std::size_t q = std::max(begin, first); q < std::min(end, first + block.size()); ++q) {
      double weight = 0;
      for (std::size_t frame = std::min(q / hop + 1, frames); frame-- > 0 && q - frame * hop < n_fft_;) weight += squares_[q - frame * hop];
      block[q - first] *= weight > floor ? static_cast<T>(periodic_[q % hop] / weight) : T(0);
    }
  };
  const std::size_t head_end = n_fft_ > hop ? n_fft_ - hop : 0;
  const std::size_t tail_begin = std::max(head_end, frames * hop);
  correct(0, head_end);
  correct(tail_begin, frames * hop + n_fft_);
}

template <class T>
void Stft<T>::inverse(const Spectrogram<T>& spectrogram, PlanarView<T> out, ThreadPool& pool) const {
  if (spectrogram.channels() != out.channels() || (spectrogram.frames() > 0 && spectrogram.bins() != bins()))
    throw Error{ErrorCode::kInternal, "spectrogram of the wrong shape for this inverse STFT"};
  const std::size_t hop = options_.hop, frames = spectrogram.frames();
  // Threads share blocks of output samples, each summed by one thread in frame order. A frame that reaches
  // over a border is transformed for both sides; long blocks keep that below 1/32 of the work.
  const std::size_t overlap = (n_fft_ + hop - 1) / hop;
  const std::size_t block_samples = 32 * overlap * hop;
  const std::size_t blocks = (out.frames() + block_samples - 1) / block_samples;
  pool.parallel_ranges(out.channels() * blocks, 1, [&](std::size_t task, std::size_t) {
    const std::size_t channel = task / blocks;
    const std::size_t start = task % blocks * block_samples;
    const std::span<T> block = out.channel(channel).subspan(start, std::min(block_samples, out.frames() - start));
    std::ranges::fill(block, T(0));
    const std::size_t first = start + lead_, last = first + block.size();  // in the padded signal
    AlignedVector<T> samples(n_fft_);
    auto scratch = fft_.scratch();
    const std::size_t first_frame = first < n_fft_ ? 0 : (first - n_fft_) / hop + 1;
    const std::size_t last_frame = std::min(frames, (last + hop - 1) / hop);
    for (std::size_t frame = first_frame; frame < last_frame; ++frame) {
      fft_.inverse_unscaled(spectrogram.frame(channel, frame), samples, scratch);
      const std::size_t origin = frame * hop;
      const std::size_t begin = std::max(first, origin), end = std::min(last, origin + n_fft_);
      const T* const weighed = samples.data() + (begin - origin);
      const T* const window = synthesis_.data() + (begin - origin);
      T* const sum = block.data() + (begin - first);
      for (std::size_t n = 0; n < end - begin; ++n) sum[n] += weighed[n] * window[n];
    }
    if (options_.normalization == StftNormalization::kExact) correct_edges(first, frames, block);
  });
}

template class Stft<float>;
template class Stft<double>;

}  // namespace unbraid::dsp
