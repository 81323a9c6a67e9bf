#include "unbraid/classic/repet.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <utility>

#include "classic/background.hpp"
#include "unbraid/classic/median.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::classic {

namespace {

/// The beat spectrum of the frames [first, first + count).
template <class T>
std::vector<double> beat_spectrum_of(const dsp::Magnitudes<T>& magnitudes, std::size_t first, std::size_t count, ThreadPool& pool) {
  if (count == 0) return {};
  // The mean over the bins of the autocorrelations is the transform of the mean of the power spectra along time
  // (Wiener, Khinchin): one inverse transform for all bins. Zeros keep the circular correlation from wrapping.
  const dsp::RealFft<double> fft(dsp::fast_fft_size(2 * count));
  constexpr std::size_t kBinsPerTask = 16;  // a cache line of a frame; fixed, so that sums do not depend on threads
  const std::size_t bins = magnitudes.bins();
  const std::size_t tasks = (bins + kBinsPerTask - 1) / kBinsPerTask;
  std::vector<std::vector<double>> sums(tasks);
  pool.parallel_for(tasks, [&](std::size_t task) {
    const std::size_t first_bin = task * kBinsPerTask;
    const std::size_t width = std::min(kBinsPerTask, bins - first_bin);
    std::vector<double> columns(width * fft.size()), sum(fft.bins());
    for (std::size_t c = 0; c < magnitudes.channels(); ++c)
      for (std::size_t m = 0; m < count; ++m) {
        const T* row = magnitudes.frame(c, first + m).data() + first_bin;
        for (std::size_t k = 0; k < width; ++k)
          columns[k * fft.size() + m] += static_cast<double>(row[k]) * row[k] / static_cast<double>(magnitudes.channels());
      }
    std::vector<std::complex<double>> spectrum(fft.bins());
    for (std::size_t k = 0; k < width; ++k) {
      fft.forward(std::span(columns).subspan(k * fft.size(), fft.size()), spectrum);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += std::norm(spectrum[i]);
    }
    sums[task] = std::move(sum);
  });
  std::vector<std::complex<double>> total(fft.bins());
  for (const std::vector<double>& sum : sums)
    for (std::size_t i = 0; i < total.size(); ++i) total[i] += sum[i];
  std::vector<double> correlation(fft.size());
  fft.inverse(total, correlation);
  correlation.resize(count);
  for (std::size_t lag = 0; lag < count; ++lag) correlation[lag] /= static_cast<double>(count - lag) * static_cast<double>(bins);
  return correlation;
}

/// out = min(model, mix) / mix, in place of the model; background where the mix is silent or the bin low.
template <class T>
void to_mask(std::span<T> model, std::span<const T> mix, std::size_t first_bin) {
  for (std::size_t k = 0; k < model.size(); ++k) model[k] = k < first_bin || !(mix[k] > 0) ? T{1} : std::min(model[k], mix[k]) / mix[k];
}

}  // namespace

template <class T>
std::vector<double> beat_spectrum(const dsp::Magnitudes<T>& magnitudes, ThreadPool& pool) {
  return beat_spectrum_of(magnitudes, 0, magnitudes.frames(), pool);
}

std::size_t repeating_period(std::span<const double> beats, std::size_t shortest, std::size_t longest) {
  if (shortest < 1) throw Error{ErrorCode::kUsage, "must be at least one frame", "shortest"};
  if (beats.empty()) return 0;
  longest = std::min(longest, beats.size() - 1);
  if (shortest > longest) return 0;
  const auto range = beats.subspan(shortest, longest - shortest + 1);
  return shortest + static_cast<std::size_t>(std::ranges::max_element(range) - range.begin());
}

template <class T>
dsp::Mask<T> repet_mask(const dsp::Magnitudes<T>& magnitudes, std::size_t period, std::size_t first_bin, ThreadPool& pool) {
  const std::size_t frames = magnitudes.frames();
  dsp::Mask<T> mask(magnitudes.channels(), frames, magnitudes.bins());
  if (period == 0) {
    std::ranges::fill(mask.values(), T{1});
    return mask;
  }
  const std::size_t phases = std::min(period, frames);
  pool.parallel_for(
      magnitudes.channels() * phases,
      [&](std::size_t task) {
        const std::size_t channel = task / phases, phase = task % phases;
        std::vector<const T*> repetitions;
        for (std::size_t m = phase; m < frames; m += period) repetitions.push_back(magnitudes.frame(channel, m).data());
        std::vector<T> model(magnitudes.bins());
        median_of_rows<T>(repetitions, model);
        for (std::size_t m = phase; m < frames; m += period) {
          std::ranges::copy(model, mask.frame(channel, m).begin());
          to_mask<T>(mask.frame(channel, m), magnitudes.frame(channel, m), first_bin);
        }
      },
      4);
  return mask;
}

void AdaptiveRepetOptions::validate() const {
  const auto require = [](bool holds, const char* message, const char* option) {
    if (!holds) throw Error{ErrorCode::kUsage, message, option};
  };
  require(shortest_period >= 1, "must be at least one frame", "shortest_period");
  require(longest_period >= shortest_period, "must not be below the shortest period", "longest_period");
  require(window_frames > longest_period, "must be longer than the longest period", "window_frames");
  require(step_frames >= 1, "must be at least one frame", "step_frames");
  require(repetitions % 2 == 1, "must be odd", "repetitions");
}

template <class T>
dsp::Mask<T> adaptive_repet_mask(const dsp::Magnitudes<T>& magnitudes, const AdaptiveRepetOptions& options, RunContext& run) {
  options.validate();
  const std::size_t frames = magnitudes.frames();
  // The period of a frame is that of the window whose middle is nearest.
  std::vector<std::size_t> periods;
  for (std::size_t center = 0; center < frames; center += options.step_frames) {
    run.cancel.check();
    const std::size_t half = options.window_frames / 2;
    const std::size_t first = center > half ? center - half : 0;
    const std::size_t last = std::min(frames, center + options.window_frames - half);
    periods.push_back(
        repeating_period(beat_spectrum_of(magnitudes, first, last - first, run.pool), options.shortest_period, options.longest_period));
  }
  dsp::Mask<T> mask(magnitudes.channels(), frames, magnitudes.bins());
  run.pool.parallel_for(
      magnitudes.channels() * frames,
      [&](std::size_t task) {
        const std::size_t channel = task / frames, m = task % frames;
        const std::size_t nearest = std::min((m + options.step_frames / 2) / options.step_frames, periods.size() - 1);
        const auto period = static_cast<std::ptrdiff_t>(periods[nearest]);
        std::vector<const T*> repetitions;
        const auto reach = period == 0 ? 0 : static_cast<std::ptrdiff_t>(options.repetitions / 2);
        for (std::ptrdiff_t r = -reach; r <= reach; ++r) {
          const std::ptrdiff_t other = static_cast<std::ptrdiff_t>(m) + r * period;
          if (other >= 0 && other < static_cast<std::ptrdiff_t>(frames))
            repetitions.push_back(magnitudes.frame(channel, static_cast<std::size_t>(other)).data());
        }
        median_of_rows<T>(repetitions, mask.frame(channel, m));
        to_mask<T>(mask.frame(channel, m), magnitudes.frame(channel, m), options.first_bin);
      },
      16);
  return mask;
}

template std::vector<double> beat_spectrum<float>(const dsp::Magnitudes<float>&, ThreadPool&);
template std::vector<double> beat_spectrum<double>(const dsp::Magnitudes<double>&, ThreadPool&);
template dsp::Mask<float> repet_mask<float>(const dsp::Magnitudes<float>&, std::size_t, std::size_t, ThreadPool&);
template dsp::Mask<double> repet_mask<double>(const dsp::Magnitudes<double>&, std::size_t, std::size_t, ThreadPool&);
template dsp::Mask<float> adaptive_repet_mask<float>(const dsp::Magnitudes<float>&, const AdaptiveRepetOptions&, RunContext&);
template dsp::Mask<double> adaptive_repet_mask<double>(const dsp::Magnitudes<double>&, const AdaptiveRepetOptions&, RunContext&);

Method repet_method() {
  Method method{
      .name = "repet",
      .summary = "repeating background (accompaniment) and varying foreground (voice), by the period of the beat",
      .paper =
          "Rafii, Pardo, REpeating Pattern Extraction Technique (REPET), IEEE TASLP 21(1), 2013; Liutkus et al., "
          "Adaptive filtering for music/voice separation, ICASSP 2012",
      .stems = background_stems(),
      .parameters =
          {window_parameter(46.0),
           {.name = "period_s", .help = "the repeating period; 0: find it", .unit = "s", .value = 0.0, .minimum = 0, .maximum = 600},
           {.name = "shortest_period_s",
            .help = "shortest period looked for",
            .unit = "s",
            .value = 0.8,
            .minimum = 0.01,
            .maximum = 600,
            .source = "nussl"},
           {.name = "longest_period_s",
            .help = "longest period looked for, at most a third of the song",
            .unit = "s",
            .value = 8.0,
            .minimum = 0.01,
            .maximum = 600,
            .source = "nussl"},
           {.name = "adaptive", .help = "find the period anew along the song", .value = false},
           {.name = "adaptive_window_s",
            .help = "stretch in which the period is found",
            .unit = "s",
            .value = 24.0,
            .minimum = 1,
            .maximum = 600},
           {.name = "repetitions",
            .help = "repetitions in each median of the adaptive variant, an odd number",
            .value = std::int64_t{5},
            .minimum = 3,
            .maximum = 101},
           high_pass_parameter("Rafii, Pardo 2013, section III")},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    const dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    const double frames_per_second = format.sample_rate / static_cast<double>(stft.hop);
    const auto to_frames = [=](const char* name) { return static_cast<std::size_t>(std::ceil(values.number(name) * frames_per_second)); };
    const AdaptiveRepetOptions options{.shortest_period = std::max<std::size_t>(1, to_frames("shortest_period_s")),
                                       .longest_period = to_frames("longest_period_s"),
                                       .window_frames = std::max(to_frames("adaptive_window_s"), to_frames("longest_period_s") + 1),
                                       .step_frames = std::max<std::size_t>(1, to_frames("adaptive_window_s") / 4),
                                       .repetitions = static_cast<std::size_t>(values.integer("repetitions")),
                                       .first_bin = first_bin(values, format.sample_rate, stft)};
    options.validate();
    const bool adaptive = values.flag("adaptive");
    const std::size_t given = to_frames("period_s");
    return make_background_separator(format, stft, [=](const dsp::Magnitudes<float>& v, RunContext& run) {
      if (adaptive && given == 0) return adaptive_repet_mask(v, options, run);
      const std::size_t longest = std::min(options.longest_period, v.frames() / 3);
      const std::size_t period = given > 0 ? given : repeating_period(beat_spectrum(v, run.pool), options.shortest_period, longest);
      return repet_mask(v, period, options.first_bin, run.pool);
    });
  };
  return method;
}

}  // namespace unbraid::classic
