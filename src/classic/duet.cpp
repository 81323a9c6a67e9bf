#include "unbraid/classic/duet.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <numbers>
#include <utility>

#include "classic/masking_separator.hpp"
#include "classic/unnamed_sources.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

constexpr std::size_t kSliceFrames = 256;  ///< whose histogram one task makes; fixed, so that the sums are

template <class T>
void require_stereo(const dsp::Spectrogram<T>& spectrogram) {
  if (spectrogram.channels() < 2)
    throw Error{ErrorCode::kUnsupported, "needs two channels: it tells sources apart by where they stand", "duet"};
}

/// ω of a bin in radians per sample.
double omega(std::size_t bin, std::size_t bins) {
  return bins > 1 ? std::numbers::pi * static_cast<double>(bin) / static_cast<double>(bins - 1) : 0.0;
}

/// The cell of a value strictly within ± limit, or `cells`.
std::size_t cell(double value, double limit, std::size_t cells) {
  if (!(value > -limit && value < limit)) return cells;
  const double position = (value + limit) / (2 * limit) * static_cast<double>(cells);
  return std::min(static_cast<std::size_t>(position), cells - 1);
}

double middle_of(std::size_t index, double limit, std::size_t cells) {
  return -limit + 2 * limit * (static_cast<double>(index) + 0.5) / static_cast<double>(cells);
}

/// The mean over 3 × 3 cells; beyond the border stands the border's value.
std::vector<double> smoothed(const std::vector<double>& in, std::size_t rows, std::size_t columns) {
  std::vector<double> out(in.size());
  const auto clamp = [](std::size_t i, int step, std::size_t n) {
    return static_cast<std::size_t>(
        std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(i) + step, 0, static_cast<std::ptrdiff_t>(n) - 1));
  };
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      double sum = 0;
      for (int i = -1; i <= 1; ++i)
        for (int j = -1; j <= 1; ++j) sum += in[clamp(r, i, rows) * columns + clamp(c, j, columns)];
      out[r * columns + c] = sum / 9;
    }
  return out;
}

/// x^p, without the cost of pow where there is nothing to do.
double raised(double x, double power) { return power == 0 ? 1 : power == 1 ? x : std::pow(x, power); }

/// The histogram of some frames, neither smoothed nor scaled.
template <class T>
std::vector<double> weights_of(const dsp::Spectrogram<T>& stereo, std::size_t first, std::size_t last, const DuetOptions& options) {
  std::vector<double> cells(options.attenuation_cells * options.delay_cells);
  for (std::size_t m = first; m < last; ++m) {
    const auto left = stereo.frame(0, m), right = stereo.frame(1, m);
    for (std::size_t k = 1; k < stereo.bins(); ++k) {  // bin 0 has no phase
      const std::complex<double> x(left[k]), y(right[k]);
      const double l = std::norm(x), r = std::norm(y), product = std::sqrt(l * r);
      if (!(product > 0)) continue;
      const std::size_t a = cell((r - l) / product, options.attenuation_limit, options.attenuation_cells);  // |R|/|L| − |L|/|R|
      if (a == options.attenuation_cells) continue;
      const double w = omega(k, stereo.bins());
      const std::size_t d = cell(-std::arg(y * std::conj(x)) / w, options.delay_limit_samples, options.delay_cells);
      if (d == options.delay_cells) continue;
      cells[a * options.delay_cells + d] += raised(product, options.weight_power) * raised(w, options.frequency_power);
    }
  }
  return cells;
}

}  // namespace

void DuetOptions::validate() const {
  const auto require = [](bool holds, const char* message, const char* option) {
    if (!holds) throw Error{ErrorCode::kUsage, message, option};
  };
  require(sources >= 1, "must be at least 1", "sources");
  require(attenuation_limit > 0, "must be above 0", "attenuation_limit");
  require(delay_limit_samples > 0, "must be above 0", "delay_limit_samples");
  require(attenuation_cells >= 1 && delay_cells >= 1, "must be at least 1", "cells");
  require(peak_threshold >= 0 && peak_threshold <= 1, "must lie between 0 and 1", "peak_threshold");
}

template <class T>
DuetHistogram duet_histogram(const dsp::Spectrogram<T>& stereo, const DuetOptions& options, ThreadPool& pool) {
  options.validate();
  require_stereo(stereo);
  const std::size_t slices = (stereo.frames() + kSliceFrames - 1) / kSliceFrames, cells = options.attenuation_cells * options.delay_cells;
  std::vector<std::vector<double>> parts(slices);
  pool.parallel_for(slices, [&](std::size_t s) {
    parts[s] = weights_of(stereo, s * kSliceFrames, std::min(stereo.frames(), (s + 1) * kSliceFrames), options);
  });
  DuetHistogram histogram;
  histogram.raw.assign(cells, 0.0);
  for (const std::vector<double>& part : parts) std::ranges::transform(histogram.raw, part, histogram.raw.begin(), std::plus{});
  const double greatest = std::ranges::max(histogram.raw);
  if (greatest > 0)
    for (double& v : histogram.raw) v /= greatest;
  histogram.smooth = smoothed(histogram.raw, options.attenuation_cells, options.delay_cells);
  return histogram;
}

std::vector<DuetSource> duet_sources(const DuetHistogram& histogram, const DuetOptions& options) {
  options.validate();
  const std::size_t rows = options.attenuation_cells, columns = options.delay_cells;
  if (histogram.smooth.size() != rows * columns) throw Error{ErrorCode::kUsage, "the histogram has other cells than the options", "duet"};
  std::vector<double> left = histogram.smooth;
  const auto [low, high] = std::ranges::minmax(left);
  for (double& v : left) v = high > low && (v - low) / (high - low) >= options.peak_threshold ? v - low : 0;
  std::vector<DuetSource> sources;
  while (sources.size() < options.sources) {
    const auto top = std::ranges::max_element(left);
    if (!(*top > 0)) break;
    const auto index = static_cast<std::size_t>(top - left.begin());
    const std::size_t r = index / columns, c = index % columns;
    const double symmetric = middle_of(r, options.attenuation_limit, rows);
    sources.push_back({.attenuation = (symmetric + std::sqrt(symmetric * symmetric + 4)) / 2,  // of a − 1/a
                       .delay_samples = middle_of(c, options.delay_limit_samples, columns)});
    for (std::size_t i = r - std::min(r, options.attenuation_distance); i < std::min(rows, r + options.attenuation_distance + 1); ++i)
      for (std::size_t j = c - std::min(c, options.delay_distance); j < std::min(columns, c + options.delay_distance + 1); ++j)
        left[i * columns + j] = 0;
  }
  std::ranges::sort(sources, {}, &DuetSource::attenuation);
  return sources;
}

template <class T>
std::vector<dsp::Mask<T>> duet_masks(const dsp::Spectrogram<T>& stereo, const std::vector<DuetSource>& sources, ThreadPool& pool) {
  require_stereo(stereo);
  std::vector<dsp::Mask<T>> masks(sources.size(), dsp::Mask<T>(1, stereo.frames(), stereo.bins()));
  if (sources.empty()) return masks;
  // a·exp(−jωδ) for every source and bin.
  std::vector<std::complex<T>> gain(sources.size() * stereo.bins());
  for (std::size_t j = 0; j < sources.size(); ++j)
    for (std::size_t k = 0; k < stereo.bins(); ++k)
      gain[j * stereo.bins() + k] =
          static_cast<std::complex<T>>(std::polar(sources[j].attenuation, -omega(k, stereo.bins()) * sources[j].delay_samples));
  pool.parallel_for(
      stereo.frames(),
      [&](std::size_t m) {
        const auto left = stereo.frame(0, m), right = stereo.frame(1, m);
        for (std::size_t k = 0; k < stereo.bins(); ++k) {
          std::size_t best = 0;
          T least = 0;
          for (std::size_t j = 0; j < sources.size(); ++j) {
            const auto a = static_cast<T>(sources[j].attenuation);
            const T score = std::norm(gain[j * stereo.bins() + k] * left[k] - right[k]) / (1 + a * a);
            if (j == 0 || score < least) {
              least = score;
              best = j;
            }
          }
          masks[best].at(0, m, k) = 1;
        }
      },
      8);
  return masks;
}

template DuetHistogram duet_histogram<float>(const dsp::Spectrogram<float>&, const DuetOptions&, ThreadPool&);
template DuetHistogram duet_histogram<double>(const dsp::Spectrogram<double>&, const DuetOptions&, ThreadPool&);
template std::vector<dsp::Mask<float>> duet_masks<float>(const dsp::Spectrogram<float>&, const std::vector<DuetSource>&, ThreadPool&);
template std::vector<dsp::Mask<double>> duet_masks<double>(const dsp::Spectrogram<double>&, const std::vector<DuetSource>&, ThreadPool&);

Method duet_method() {
  Method method{
      .name = "duet",
      .summary = "sources of a stereo recording by level and delay between the channels, from left to right",
      .paper = "Yılmaz, Rickard, Blind separation of speech mixtures via time-frequency masking, IEEE TSP 52(7), 2004",
      .stems = source_names(2),
      .parameters =
          {sources_parameter(2),
           window_parameter(64.0),
           {.name = "attenuation_limit",
            .help = "greatest symmetric attenuation looked for",
            .value = 3.0,
            .minimum = 0.1,
            .maximum = 100,
            .source = "nussl"},
           {.name = "delay_limit_samples",
            .help = "greatest delay looked for",
            .unit = "samples",
            .value = 3.0,
            .minimum = 0.1,
            .maximum = 1000,
            .source = "nussl"},
           {.name = "peak_threshold", .help = "lowest peak that counts, against the highest", .value = 0.0, .minimum = 0, .maximum = 1}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    if (format.channels < 2) throw Error{ErrorCode::kUnsupported, "needs two channels: it tells sources apart by where they stand", "duet"};
    const DuetOptions options{.sources = number_of_sources(values),
                              .attenuation_limit = values.number("attenuation_limit"),
                              .delay_limit_samples = values.number("delay_limit_samples"),
                              .peak_threshold = values.number("peak_threshold")};
    options.validate();
    return make_masking_separator(info_of_sources(format, options.sources), stft_options(format.sample_rate, values.number("window_ms")),
                                  [options](const dsp::Spectrogram<float>& mix, RunContext& run) {
                                    auto masks =
                                        duet_masks<float>(mix, duet_sources(duet_histogram(mix, options, run.pool), options), run.pool);
                                    masks.resize(options.sources - 1);  // sources that were not found are silent
                                    for (dsp::Mask<float>& mask : masks)
                                      if (mask.size() == 0) mask = dsp::Mask<float>(1, mix.frames(), mix.bins());
                                    return masks;
                                  });
  };
  return method;
}

}  // namespace unbraid::classic
