#include "unbraid/classic/ft2d.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "classic/background.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/zeroed_vector.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::classic {

namespace {

constexpr double kFloor = 1e-7;
constexpr std::size_t kBlock = 16;  ///< frames that a thread takes at a time: two cache lines of a scale

/// The 2DFT of one channel's magnitudes, [scale][rate]. Magnitudes are real, so scale −r holds the conjugates of scale r
/// with the rates negated: scales 0 … bins/2 say everything, as long as what weights them keeps that symmetry.
template <class T>
class Transform {
 public:
  using Complex = std::complex<T>;

  Transform(std::span<const T> mix, std::size_t frames, std::size_t bins, bool symmetric, ThreadPool& pool)
      : frames_(frames),
        bins_(bins),
        symmetric_(symmetric),
        scales_(symmetric ? bins / 2 + 1 : bins),
        stride_((frames + 7) / 8 * 8),
        along_rates_(frames),
        values_(scales_ * stride_) {
    const dsp::RealFft<T> fft(bins);
    pool.parallel_ranges(frames, kBlock, [&](std::size_t first, std::size_t last) {
      auto scratch = fft.scratch();
      dsp::AlignedVector<Complex> block(kBlock * fft.bins());
      dsp::AlignedVector<T> frame(bins);
      for (std::size_t m = first; m < last; ++m) {
        std::copy_n(&mix[m * bins], bins, frame.begin());
        fft.forward(frame, std::span(block).subspan((m - first) * fft.bins(), fft.bins()), scratch);
      }
      for (std::size_t r = 0; r < fft.bins(); ++r)
        for (std::size_t m = first; m < last; ++m) row(r)[m] = block[(m - first) * fft.bins() + r];
    });
    pool.parallel_for(fft.bins(), [&](std::size_t r) { along_rates_.forward(row(r)); });
    for (std::size_t r = fft.bins(); r < scales_; ++r) {
      const auto in = row(bins - r), out = row(r);
      for (std::size_t c = 0; c < frames; ++c) out[c] = std::conj(in[(frames - c) % frames]);
    }
  }

  std::size_t frames() const { return frames_; }
  std::size_t bins() const { return bins_; }
  std::size_t scales() const { return scales_; }
  bool symmetric() const { return symmetric_; }
  std::span<Complex> row(std::size_t scale) { return {values_.data() + scale * stride_, frames_}; }
  std::span<const Complex> row(std::size_t scale) const { return {values_.data() + scale * stride_, frames_}; }

  /// How many scales of the whole plane a row stands for.
  double share(std::size_t scale) const { return symmetric() && scale > 0 && 2 * scale != bins_ ? 2 : 1; }

  void inverse_along_rates(std::size_t scale) { along_rates_.inverse(row(scale)); }

  /// |inverse| of some frames along the scales, bins times too large; out: [frame][bin].
  void inverse_along_scales(std::size_t first, std::size_t last, std::span<T> out) const {
    dsp::AlignedVector<Complex> block(kBlock * scales_);
    for (std::size_t r = 0; r < scales_; ++r)
      for (std::size_t m = first; m < last; ++m) block[(m - first) * scales_ + r] = row(r)[m];
    if (!symmetric()) {
      const dsp::ComplexFft<T> fft(bins_);
      for (std::size_t i = 0; i < last - first; ++i) {
        const auto frame = std::span(block).subspan(i * bins_, bins_);
        fft.inverse(frame);
        for (std::size_t k = 0; k < bins_; ++k) out[i * bins_ + k] = static_cast<T>(bins_) * std::sqrt(std::norm(frame[k]));
      }
      return;
    }
    const dsp::RealFft<T> fft(bins_);
    auto scratch = fft.scratch();
    dsp::AlignedVector<T> time(bins_);
    for (std::size_t i = 0; i < last - first; ++i) {
      fft.inverse_unscaled(std::span<const Complex>(block).subspan(i * scales_, scales_), time, scratch);
      for (std::size_t k = 0; k < bins_; ++k) out[i * bins_ + k] = std::abs(time[k]);
    }
  }

 private:
  std::size_t frames_, bins_;
  bool symmetric_;
  std::size_t scales_;
  std::size_t stride_;  ///< whole cache lines, which FFTW's fast transforms need
  dsp::ComplexFft<T> along_rates_;
  ZeroedVector<Complex> values_;
};

/// Where position i of a line of n lies when the line is mirrored at its ends with the border value repeated, as
/// scipy.ndimage does.
std::size_t mirrored(std::ptrdiff_t i, std::size_t n) {
  const auto period = static_cast<std::ptrdiff_t>(2 * n);
  const auto position = static_cast<std::size_t>((i % period + period) % period);
  return position < n ? position : 2 * n - 1 - position;
}

/// out[i] = fold of in[i − half … i + half] along a line. Folds of 2, 4, 8, … neighbours are made of one another, and
/// those that the size's binary digits name are put together: two operations per digit and value.
template <class V, class Fold>
void fold_line(std::span<const V> in, std::size_t size, std::span<V> out, std::vector<V>& padded, Fold fold) {
  const std::size_t n = in.size(), half = size / 2;
  padded.resize(n + 2 * half);
  for (std::size_t i = 0; i < half; ++i) {
    padded[i] = in[mirrored(static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(half), n)];
    padded[half + n + i] = in[mirrored(static_cast<std::ptrdiff_t>(n + i), n)];
  }
  std::ranges::copy(in, padded.begin() + static_cast<std::ptrdiff_t>(half));
  std::size_t width = 1, covered = 0;  // padded[i] folds `width` values from i on, out[i] the first `covered`
  for (std::size_t digits = size; digits > 0; digits /= 2) {
    if (digits % 2 == 1) {
      if (covered == 0) std::copy_n(padded.begin(), n, out.begin());
      else
        for (std::size_t i = 0; i < n; ++i) out[i] = fold(out[i], padded[i + covered]);
      covered += width;
    }
    if (digits > 1)
      for (std::size_t i = 0; i + width < padded.size(); ++i) padded[i] = fold(padded[i], padded[i + width]);
    width *= 2;
  }
}

/// Folds over rectangles, for a block of scales: lines are folded along the rates as they come, and along the scales
/// when they are asked for.
template <class V, class Fold>
class Rectangles {
 public:
  Rectangles(const Ft2dOptions& options, std::size_t lines, Fold fold)
      : window_scales_(options.neighbourhood_bins), window_rates_(options.neighbourhood_frames), lines_(lines), fold_(fold) {}

  void put(std::size_t line, std::span<const V> values) {
    lines_[line].resize(values.size());
    fold_line<V>(values, window_rates_, lines_[line], padded_, fold_);
  }
  /// Of the scale whose window begins with this line. Valid until the next call.
  std::span<const V> from(std::size_t line) {
    if (window_scales_ == 1) return lines_[line];
    out_ = lines_[line];
    for (std::size_t other = line + 1; other < line + window_scales_; ++other)
      for (std::size_t c = 0; c < out_.size(); ++c) out_[c] = fold_(out_[c], lines_[other][c]);
    return out_;
  }

 private:
  std::size_t window_scales_, window_rates_;
  std::vector<std::vector<V>> lines_;
  std::vector<V> out_, padded_;
  Fold fold_;
};

/// What stands at place i of n when zero stands in the middle, at n/2.
std::size_t uncentred(std::size_t i, std::size_t n) { return (i + n - n / 2) % n; }

/// |2DFT| of one scale times factor, zero rate in the middle. Scales count from 0 and lead on into the negative ones where
/// the plane is symmetric; else they count from the most negative one, and the ends are mirrored.
template <class T>
void size_of_scale(const Transform<T>& plane, std::ptrdiff_t scale, T factor, std::span<T> out) {
  const std::size_t n = plane.frames(), half = n - n / 2;
  const bool negated = plane.symmetric() && scale < 0;
  const std::size_t place = mirrored(negated ? -scale : scale, plane.scales());
  const auto in = plane.row(plane.symmetric() ? place : uncentred(place, plane.bins()));
  const auto size = [&](std::size_t rate) { return factor * std::sqrt(std::norm(in[rate])); };
  if (negated) {
    for (std::size_t rate = 0; rate < n; ++rate) out[(rate + n / 2) % n] = size((n - rate) % n);
    return;
  }
  for (std::size_t p = 0; p < n / 2; ++p) out[p] = size(half + p);
  for (std::size_t p = n / 2; p < n; ++p) out[p] = size(p - n / 2);
}

/// What the peaks are measured against.
struct Sizes {
  double top = 0, mean = 0, deviation = 0;  ///< of |2DFT|
};

template <class T>
Sizes sizes_of(const Transform<T>& plane, ThreadPool& pool) {
  std::vector<Sizes> rows(plane.scales());
  pool.parallel_for(
      rows.size(),
      [&](std::size_t r) {
        Sizes sum;
        for (const std::complex<T> value : plane.row(r)) {
          const double square = std::norm(value);
          sum.top = std::max(sum.top, square);
          sum.mean += std::sqrt(square);
          sum.deviation += square;
        }
        rows[r] = sum;
      },
      8);
  Sizes all;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    all.top = std::max(all.top, std::sqrt(rows[r].top));
    all.mean += plane.share(r) * rows[r].mean;
    all.deviation += plane.share(r) * rows[r].deviation;
  }
  const auto count = static_cast<double>(plane.bins() * plane.frames());
  all.mean /= count;
  all.deviation = std::sqrt(std::max(0.0, all.deviation / count - all.mean * all.mean));
  return all;
}

/// Raises each weight of a line, zero rate in the middle, to the mirrored one, and turns zero rate to the front.
template <class T>
void mirror_and_turn(std::span<T> weight, Ft2dOptions::Mirror mirror, std::span<T> out) {
  const auto raise = [](std::span<T> line) {
    for (std::size_t a = 0, b = line.size() - 1; a < b; ++a, --b) line[a] = line[b] = std::max(line[a], line[b]);
  };
  if (mirror == Ft2dOptions::Mirror::kNussl) raise(weight);
  std::ranges::rotate_copy(weight, weight.begin() + static_cast<std::ptrdiff_t>(weight.size() / 2), out.begin());
  if (mirror == Ft2dOptions::Mirror::kBoth && out.size() > 1) raise(out.subspan(1));
}

/// Weighs the 2DFT by how much each bin belongs to the background, 0 … 1, and transforms it back along the rates.
template <class T>
void keep_peaks(Transform<T>& plane, const Ft2dOptions& options, ThreadPool& pool) {
  const auto greatest = [](T a, T b) { return std::max(a, b); };
  const auto least = [](T a, T b) { return std::min(a, b); };
  const auto sum = [](double a, double b) { return a + b; };
  const bool by_deviation = options.peaks == Ft2dOptions::Peaks::kLocalDeviation;
  const Sizes sizes = sizes_of(plane, pool);
  const auto factor = static_cast<T>(1 / (sizes.top + kFloor));
  const double threshold = sizes.deviation * factor;
  const auto area = static_cast<double>(options.neighbourhood_bins * options.neighbourhood_frames);
  const std::size_t frames = plane.frames(), window = options.neighbourhood_bins;
  // Few lines stay in the cache; each window's lines are folded at most twice.
  const std::size_t block = std::max<std::size_t>(4, window);

  ZeroedVector<T> weights(plane.scales() * frames);
  std::vector<T> tops(plane.scales());
  pool.parallel_ranges(plane.scales(), block, [&](std::size_t first, std::size_t last) {
    const std::size_t lines = last - first + window - 1;
    std::vector<std::vector<T>> size(lines, std::vector<T>(frames));
    Rectangles<T, decltype(greatest)> maxima(options, lines, greatest);
    Rectangles<T, decltype(least)> minima(options, lines, least);
    Rectangles<double, decltype(sum)> sums(options, lines, sum), squares(options, lines, sum);
    std::vector<double> wide(frames);
    for (std::size_t i = 0; i < lines; ++i) {
      size_of_scale<T>(plane, static_cast<std::ptrdiff_t>(first + i) - static_cast<std::ptrdiff_t>(window / 2), factor, size[i]);
      maxima.put(i, size[i]);
      if (!by_deviation) {
        minima.put(i, size[i]);
        continue;
      }
      for (std::size_t c = 0; c < frames; ++c) wide[c] = size[i][c];
      sums.put(i, wide);
      for (double& v : wide) v *= v;
      squares.put(i, wide);
    }
    std::vector<T> weight(frames);
    for (std::size_t i = 0; i < last - first; ++i) {
      const std::span<const T> here = size[i + window / 2], maximum = maxima.from(i);
      if (by_deviation) {
        const std::span<const double> total = sums.from(i), square = squares.from(i);
        for (std::size_t c = 0; c < frames; ++c) {
          weight[c] = 0;
          if (here[c] != maximum[c]) continue;
          const double mean = total[c] / area;
          const double deviation = std::sqrt(std::max(0.0, square[c] / area - mean * mean)) + kFloor;
          weight[c] = static_cast<T>((maximum[c] - mean) / deviation);
        }
      } else {
        const std::span<const T> minimum = minima.from(i);
        for (std::size_t c = 0; c < frames; ++c) weight[c] = here[c] == maximum[c] && maximum[c] - minimum[c] > threshold;
      }
      tops[first + i] = std::ranges::max(weight);
      const std::size_t place = plane.symmetric() ? first + i : uncentred(first + i, plane.bins());
      mirror_and_turn<T>(weight, options.mirror, std::span(weights).subspan(place * frames, frames));
    }
  });

  const double top = by_deviation ? std::ranges::max(tops) + kFloor : 1.0;
  const auto scale = static_cast<T>(1 / (top * static_cast<double>(plane.bins())));
  pool.parallel_for(plane.scales(), [&](std::size_t r) {
    const auto values = plane.row(r);
    for (std::size_t c = 0; c < frames; ++c) values[c] *= weights[r * frames + c] * scale;
    plane.inverse_along_rates(r);
  });
}

template <class T>
void mask_of_channel(std::span<const T> mix, std::size_t frames, std::size_t bins, const Ft2dOptions& options, std::span<T> mask,
                     ThreadPool& pool) {
  // nussl's mirror breaks the symmetry of an even number of rates: its result is complex.
  Transform<T> plane(mix, frames, bins, options.mirror == Ft2dOptions::Mirror::kBoth, pool);
  keep_peaks(plane, options, pool);
  std::vector<T> tops((frames + kBlock - 1) / kBlock);
  pool.parallel_ranges(frames, kBlock, [&](std::size_t first, std::size_t last) {
    const auto out = mask.subspan(first * bins, (last - first) * bins);
    plane.inverse_along_scales(first, last, out);
    T top = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const T level = mix[first * bins + i] + static_cast<T>(kFloor);
      out[i] = std::min(out[i], level) / level;
      top = std::max(top, out[i]);
    }
    tops[first / kBlock] = top;
  });
  const T greatest = std::ranges::max(tops) + static_cast<T>(kFloor);
  pool.parallel_for(
      frames,
      [&](std::size_t m) {
        const auto out = mask.subspan(m * bins, bins);
        for (std::size_t k = 0; k < bins; ++k) out[k] = k < options.first_bin ? T{1} : out[k] / greatest;
      },
      kBlock);
}

}  // namespace

void Ft2dOptions::validate() const {
  if (neighbourhood_bins % 2 == 0) throw Error{ErrorCode::kUsage, "must be odd", "neighbourhood_bins"};
  if (neighbourhood_frames % 2 == 0) throw Error{ErrorCode::kUsage, "must be odd", "neighbourhood_frames"};
}

template <class T>
dsp::Mask<T> ft2d_mask(const dsp::Magnitudes<T>& magnitudes, const Ft2dOptions& options, ThreadPool& pool) {
  options.validate();
  dsp::Mask<T> mask(magnitudes.channels(), magnitudes.frames(), magnitudes.bins());
  if (mask.size() == 0) return mask;
  const std::size_t values = magnitudes.frames() * magnitudes.bins();
  for (std::size_t c = 0; c < magnitudes.channels(); ++c)
    mask_of_channel<T>(magnitudes.values().subspan(c * values, values), magnitudes.frames(), magnitudes.bins(), options,
                       mask.values().subspan(c * values, values), pool);
  return mask;
}

template dsp::Mask<float> ft2d_mask<float>(const dsp::Magnitudes<float>&, const Ft2dOptions&, ThreadPool&);
template dsp::Mask<double> ft2d_mask<double>(const dsp::Magnitudes<double>&, const Ft2dOptions&, ThreadPool&);

Method ft2d_method() {
  Method method{.name = "ft2d",
                .summary =
                    "repeating background (accompaniment) and varying foreground (voice), by peaks of the 2D Fourier "
                    "transform",
                .paper = "Seetharaman, Pishdadian, Pardo, Music/voice separation using the 2D Fourier transform, WASPAA 2017",
                .stems = background_stems(),
                .parameters = {window_parameter(46.0),
                               {.name = "neighbourhood_bins",
                                .help = "odd size of the neighbourhood along scale",
                                .unit = "bins",
                                .value = std::int64_t{1},
                                .minimum = 1,
                                .maximum = 1001},
                               {.name = "neighbourhood_frames",
                                .help = "odd size of the neighbourhood along rate",
                                .unit = "bins",
                                .value = std::int64_t{25},
                                .minimum = 1,
                                .maximum = 1001,
                                .source = "nussl"},
                               {.name = "peaks",
                                .help = "how peaks are weighted",
                                .value = std::string("deviation"),
                                .choices = {"deviation", "threshold"},
                                .source = "nussl; threshold: the paper"},
                               high_pass_parameter()},
                .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    stft.scaling = dsp::StftScaling::kScipySpectrum;
    const Ft2dOptions options{
        .neighbourhood_bins = static_cast<std::size_t>(values.integer("neighbourhood_bins")),
        .neighbourhood_frames = static_cast<std::size_t>(values.integer("neighbourhood_frames")),
        .peaks = values.text("peaks") == "threshold" ? Ft2dOptions::Peaks::kThreshold : Ft2dOptions::Peaks::kLocalDeviation,
        .first_bin = first_bin(values, format.sample_rate, stft)};
    options.validate();
    return make_background_separator(
        format, stft, [options](const dsp::Magnitudes<float>& v, RunContext& run) { return ft2d_mask(v, options, run.pool); });
  };
  return method;
}

}  // namespace unbraid::classic
