#include "unbraid/dsp/convolution.hpp"

#include <algorithm>

#include "unbraid/core/error.hpp"

namespace unbraid::dsp {

namespace {

/// Work per output is N·log N / (N − L + 1): flat around N = 8 L, and small transforms do not pay.
std::size_t transform_size(std::size_t taps) {
  if (taps == 0) throw Error{ErrorCode::kUsage, "a filter needs at least one tap"};
  return fast_fft_size(std::max<std::size_t>(8 * taps, 2048));
}

/// Samples [first, first + out.size()) of x, zeros outside of it.
template <class T>
void load(std::span<const T> x, std::ptrdiff_t first, std::span<T> out) {
  const auto length = static_cast<std::ptrdiff_t>(x.size()), size = static_cast<std::ptrdiff_t>(out.size());
  const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>(-first, 0, size);
  const std::ptrdiff_t end = std::clamp<std::ptrdiff_t>(length - first, begin, size);
  std::fill(out.begin(), out.begin() + begin, T(0));
  std::copy(x.begin() + (first + begin), x.begin() + (first + end), out.begin() + begin);
  std::fill(out.begin() + end, out.end(), T(0));
}

/// Block `index` of the convolution of x, its outputs counted from `first_output` on, into its place in
/// `out`.
template <class T>
void run_block(const FilterKernel<T>& kernel, typename FilterKernel<T>::Scratch& scratch, std::span<const T> x, std::size_t first_output,
               std::size_t index, std::span<T> out) {
  const std::size_t start = index * kernel.block();
  const std::size_t history = kernel.taps() - 1;
  load(x, static_cast<std::ptrdiff_t>(first_output + start) - static_cast<std::ptrdiff_t>(history), std::span<T>(scratch.samples));
  kernel.run(scratch);
  std::copy_n(scratch.samples.begin() + static_cast<std::ptrdiff_t>(history), std::min(kernel.block(), out.size() - start),
              out.begin() + static_cast<std::ptrdiff_t>(start));
}

std::size_t delay_of(std::span<const double> taps) {
  if (taps.size() % 2 == 0) throw Error{ErrorCode::kUsage, "must be an odd number", "FIR taps"};
  return taps.size() / 2;
}

}  // namespace

template <class T>
FilterKernel<T>::FilterKernel(std::span<const double> taps)
    : taps_(taps.size()), fft_(transform_size(taps.size())), response_(fft_.bins()) {
  AlignedVector<T> padded(fft_.size());
  const double scale = 1 / static_cast<double>(fft_.size());  // the inverse FFT's
  std::ranges::transform(taps, padded.begin(), [&](double tap) { return static_cast<T>(tap * scale); });
  fft_.forward(padded, response_);
}

template <class T>
void FilterKernel<T>::run(Scratch& scratch) const {
  fft_.forward(scratch.samples, scratch.spectrum);
  for (std::size_t k = 0; k < response_.size(); ++k) {
    const T re = scratch.spectrum[k].real(), im = scratch.spectrum[k].imag();
    const T h_re = response_[k].real(), h_im = response_[k].imag();
    scratch.spectrum[k] = {re * h_re - im * h_im, re * h_im + im * h_re};
  }
  fft_.inverse_unscaled(scratch.spectrum, scratch.samples);
}

template <class T>
std::vector<T> convolve(std::span<const T> x, std::span<const double> taps) {
  if (x.empty() || taps.empty()) return {};
  const FilterKernel<T> kernel(taps);
  auto scratch = kernel.scratch();
  std::vector<T> out(x.size() + taps.size() - 1);
  for (std::size_t b = 0; b * kernel.block() < out.size(); ++b) run_block<T>(kernel, scratch, x, 0, b, out);
  return out;
}

void filter_aligned(AudioView in, std::span<const double> taps, MutableAudioView out, ThreadPool& pool) {
  if (in.channels() != out.channels() || in.frames() != out.frames())
    throw Error{ErrorCode::kInternal, "audio blocks of different shape", "filter"};
  const std::size_t delay = delay_of(taps);
  const FilterKernel<float> kernel(taps);
  const std::size_t blocks = (in.frames() + kernel.block() - 1) / kernel.block();
  pool.parallel_ranges(in.channels() * blocks, 16, [&](std::size_t first, std::size_t last) {
    auto scratch = kernel.scratch();
    for (std::size_t i = first; i < last; ++i)
      run_block<float>(kernel, scratch, in.channel(i / blocks), delay, i % blocks, out.channel(i / blocks));
  });
}

// The window starts with the zeros before the stream, less the delay: output n needs input up to n + delay.
FftFilter::FftFilter(std::span<const double> taps, std::size_t channels)
    : kernel_(taps),
      scratch_(kernel_.scratch()),
      window_(channels, kernel_.taps() - 1 + kernel_.block()),
      filled_(kernel_.taps() - 1 - delay_of(taps)) {}

/// Filters a full window into out, one block() or the beginning of one, and moves on by one block.
void FftFilter::run_window(MutableAudioView out) {
  const std::size_t history = kernel_.taps() - 1;
  for (std::size_t c = 0; c < window_.channels(); ++c) {
    const auto window = window_.channel(c);
    std::ranges::copy(window, scratch_.samples.begin());
    kernel_.run(scratch_);
    std::copy_n(scratch_.samples.begin() + static_cast<std::ptrdiff_t>(history), out.frames(), out.channel(c).begin());
    std::ranges::copy(window.last(history), window.begin());
  }
  filled_ = history;
  owed_ -= out.frames();
}

AudioBuffer FftFilter::process(AudioView block) {
  if (block.channels() != window_.channels() || finished_) throw Error{ErrorCode::kInternal, "block of another stream", "filter"};
  owed_ += block.frames();
  const std::size_t step = kernel_.block(), have = filled_ + block.frames();
  AudioBuffer ready(window_.channels(), have < window_.frames() ? 0 : (have - (kernel_.taps() - 1)) / step * step);
  std::size_t read = 0, written = 0;
  while (read < block.frames()) {
    const std::size_t count = std::min(block.frames() - read, window_.frames() - filled_);
    for (std::size_t c = 0; c < window_.channels(); ++c)
      std::ranges::copy(block.channel(c).subspan(read, count), window_.channel(c).subspan(filled_).begin());
    read += count;
    filled_ += count;
    if (filled_ < window_.frames()) break;
    run_window(ready.view().slice(written, step));
    written += step;
  }
  return ready;
}

AudioBuffer FftFilter::finish() {
  finished_ = true;
  AudioBuffer rest(window_.channels(), static_cast<std::size_t>(owed_));
  while (owed_ > 0) {
    for (std::size_t c = 0; c < window_.channels(); ++c) std::ranges::fill(window_.channel(c).subspan(filled_), 0.0f);
    run_window(
        rest.view().slice(rest.frames() - static_cast<std::size_t>(owed_), std::min(static_cast<std::size_t>(owed_), kernel_.block())));
  }
  return rest;
}

template class FilterKernel<float>;
template class FilterKernel<double>;
template std::vector<float> convolve<float>(std::span<const float>, std::span<const double>);
template std::vector<double> convolve<double>(std::span<const double>, std::span<const double>);

}  // namespace unbraid::dsp
