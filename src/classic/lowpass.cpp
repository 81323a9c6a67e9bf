#include "unbraid/classic/lowpass.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <utility>

#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/fft.hpp"
#include "unbraid/dsp/window.hpp"

namespace unbraid::classic {

namespace {

constexpr double kStopBandDb = 60;

}  // namespace

std::vector<float> lowpass_taps(double cutoff_hz, double transition_hz, double sample_rate) {
  if (!(cutoff_hz > 0)) throw Error{ErrorCode::kUsage, "must be above 0", "cutoff_hz"};
  if (!(transition_hz > 0)) throw Error{ErrorCode::kUsage, "must be above 0", "transition_hz"};
  const double cutoff = 2 * cutoff_hz / sample_rate;  // in units of half the rate
  if (cutoff >= 1) return {1.0f};
  // Kaiser's formulas for the length and shape that reach the stop band with the transition width.
  const double transition = 2 * transition_hz / sample_rate * std::numbers::pi;
  const auto half = static_cast<std::size_t>(std::ceil((kStopBandDb - 7.95) / (2.285 * transition) / 2));
  const double beta = 0.1102 * (kStopBandDb - 8.7);
  const std::vector<double> window = dsp::make_window(
      {.kind = dsp::WindowKind::kKaiser, .length = 2 * half + 1, .periodic = false, .kaiser_beta = beta});
  std::vector<double> taps(window.size());
  double sum = 0;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    const double x = std::numbers::pi * cutoff * (static_cast<double>(i) - static_cast<double>(half));
    taps[i] = window[i] * (x == 0 ? 1.0 : std::sin(x) / x);
    sum += taps[i];
  }
  std::vector<float> result(taps.size());
  std::ranges::transform(taps, result.begin(), [sum](double tap) { return static_cast<float>(tap / sum); });
  return result;
}

AudioBuffer filter_centred(AudioView signal, std::span<const float> taps, ThreadPool& pool) {
  if (taps.size() % 2 == 0) throw Error{ErrorCode::kUsage, "must be odd in number", "taps"};
  AudioBuffer out(signal.channels(), signal.frames());
  if (out.empty()) return out;
  const std::size_t half = taps.size() / 2;
  const dsp::RealFft<float> fft(dsp::fast_fft_size(std::max<std::size_t>(4 * taps.size(), 1024)));
  const std::size_t size = fft.size();
  const std::size_t step = size - 2 * half;  // samples of a block that no wrap-around reaches
  std::vector<float> padded(size);
  std::ranges::copy(taps, padded.begin());
  std::vector<std::complex<float>> response(fft.bins());
  fft.forward(padded, response);

  const std::size_t blocks = (signal.frames() + step - 1) / step;
  pool.parallel_ranges(signal.channels() * blocks, 4, [&](std::size_t begin, std::size_t end) {
    std::vector<float> time(size);
    std::vector<std::complex<float>> bins(fft.bins());
    for (std::size_t task = begin; task < end; ++task) {
      const std::span<const float> x = signal.channel(task / blocks);
      const std::size_t first = task % blocks * step;         // of the output
      const std::size_t from = first > half ? first - half : 0;  // of the input that there is
      const std::size_t to = std::min(first + size - half, x.size());
      std::ranges::fill(time, 0.0f);
      std::ranges::copy(x.subspan(from, to - from), time.begin() + static_cast<std::ptrdiff_t>(from + half - first));
      fft.forward(time, bins);
      for (std::size_t k = 0; k < bins.size(); ++k) bins[k] *= response[k];
      fft.inverse(bins, time);
      const std::size_t count = std::min(step, x.size() - first);
      std::copy_n(time.begin() + static_cast<std::ptrdiff_t>(2 * half), count,
                  out.channel(task / blocks).begin() + static_cast<std::ptrdiff_t>(first));
    }
  });
  return out;
}

namespace {

class LowpassSeparator final : public Separator {
 public:
  LowpassSeparator(SeparatorInfo info, std::vector<float> taps) : info_(std::move(info)), taps_(std::move(taps)) {
    // One more copy of the block, and the transforms of each thread.
    info_.working_bytes = [channels = info_.channels, taps = taps_.size()](std::size_t frames) {
      return frames * channels * sizeof(float) + 16 * taps * 3 * sizeof(float);
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems;
    const AudioBuffer& low = stems.add("low", filter_centred(block, taps_, run.pool));
    AudioBuffer high(block);
    add_scaled(low, -1.0f, high);
    stems.add("high", std::move(high));
    return stems;
  }

 private:
  SeparatorInfo info_;
  std::vector<float> taps_;
};

}  // namespace

Method lowpass_method() {
  Method method{.name = "lowpass",
                .summary = "the low end (bass, kick) and the rest, by a linear-phase filter",
                .paper = "Kaiser, Nonrecursive digital filter design using the I0-sinh window function, ISCAS 1974",
                .stems = {"low", "high"},
                .parameters = {{.name = "cutoff_hz", .help = "middle of the transition band", .unit = "Hz",
                                .value = 200.0, .minimum = 1, .maximum = 1e6},
                               {.name = "transition_hz", .help = "width of the transition band", .unit = "Hz",
                                .value = 100.0, .minimum = 1, .maximum = 1e5}}};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
    std::vector<float> taps =
        lowpass_taps(values.number("cutoff_hz"), values.number("transition_hz"), format.sample_rate);
    const std::size_t half = taps.size() / 2;
    const auto core = static_cast<std::size_t>(std::ceil(10 * format.sample_rate));
    SeparatorInfo info{.stems = {"low", "high"}, .sample_rate = format.sample_rate, .channels = format.channels,
                       .blocks = Chunked{.length = core + 2 * half, .overlap = 0, .window = BlockWindow::kBox,
                                         .context = half}};
    return std::make_unique<LowpassSeparator>(std::move(info), std::move(taps));
  };
  return method;
}

}  // namespace unbraid::classic
