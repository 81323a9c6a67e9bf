#include "unbraid/classic/ft2d.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <span>
#include <utility>
#include <vector>

#include "classic/background.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::classic {

namespace {

constexpr double kFloor = 1e-7;

/// A plane of rows × columns values: here rows are scales (of bins) and columns rates (of frames).
template <class V>
struct Plane {
  std::size_t rows, columns;
  std::vector<V> values;
  Plane(std::size_t r, std::size_t c) : rows(r), columns(c), values(r * c) {}
  std::span<V> row(std::size_t r) { return {values.data() + r * columns, columns}; }
  std::span<const V> row(std::size_t r) const { return {values.data() + r * columns, columns}; }
};

template <class V>
Plane<V> transposed(const Plane<V>& in, ThreadPool& pool) {
  constexpr std::size_t kTile = 16;
  Plane<V> out(in.columns, in.rows);
  pool.parallel_for((in.columns + kTile - 1) / kTile, [&](std::size_t tile) {
    for (std::size_t r0 = 0; r0 < in.rows; r0 += kTile)
      for (std::size_t c = tile * kTile; c < std::min(in.columns, (tile + 1) * kTile); ++c)
        for (std::size_t r = r0; r < std::min(in.rows, r0 + kTile); ++r)
          out.values[c * in.rows + r] = in.values[r * in.columns + c];
  });
  return out;
}

/// The transform along every row.
template <class T>
void transform_rows(Plane<std::complex<T>>& plane, bool inverse, ThreadPool& pool) {
  const dsp::ComplexFft<T> fft(plane.columns);
  pool.parallel_for(plane.rows, [&](std::size_t r) {
    if (inverse)
      fft.inverse(plane.row(r));
    else
      fft.forward(plane.row(r));
  }, 4);
}

/// The 2DFT of real magnitudes, [scale][rate]: real transforms along the bins, complex ones along the frames for half of
/// the scales; the others are their mirror images, conjugated.
template <class T>
Plane<std::complex<T>> transform(std::span<const T> mix, std::size_t frames, std::size_t bins, ThreadPool& pool) {
  const dsp::RealFft<T> fft(bins);
  Plane<std::complex<T>> by_frame(frames, fft.bins());
  pool.parallel_ranges(frames, 16, [&](std::size_t first, std::size_t last) {
    auto scratch = fft.scratch();
    for (std::size_t m = first; m < last; ++m) fft.forward(mix.subspan(m * bins, bins), by_frame.row(m), scratch);
  });
  Plane<std::complex<T>> half = transposed(by_frame, pool);
  transform_rows(half, false, pool);
  Plane<std::complex<T>> plane(bins, frames);
  pool.parallel_for(bins, [&](std::size_t r) {
    const auto out = plane.row(r);
    if (r < half.rows) {
      std::ranges::copy(half.row(r), out.begin());
      return;
    }
    const auto in = std::as_const(half).row(bins - r);
    out[0] = std::conj(in[0]);
    for (std::size_t c = 1; c < frames; ++c) out[c] = std::conj(in[frames - c]);
  }, 8);
  return plane;
}

/// out[i] = fold of in[i − half … i + half] along a line, mirrored with the border value repeated as scipy.ndimage does.
/// Folds of 2, 4, 8, … neighbours are made of one another, and those that the size's binary digits name are put together:
/// two operations per digit and value.
template <class V, class Fold>
void fold_windows(std::span<const V> in, std::size_t size, std::span<V> out, std::vector<V>& padded, Fold fold) {
  const std::size_t n = in.size(), half = size / 2;
  padded.resize(n + 2 * half);
  for (std::size_t i = 0; i < padded.size(); ++i) {
    const std::size_t position = (i + 2 * n * (half / (2 * n) + 1) - half) % (2 * n);
    padded[i] = in[position < n ? position : 2 * n - 1 - position];
  }
  std::size_t width = 1, covered = 0;  // padded[i] folds `width` values from i on, out[i] the first `covered`
  for (std::size_t digits = size; digits > 0; digits /= 2) {
    if (digits % 2 == 1) {
      if (covered == 0) std::ranges::copy(std::span(padded).first(n), out.begin());
      else
        for (std::size_t i = 0; i < n; ++i) out[i] = fold(out[i], padded[i + covered]);
      covered += width;
    }
    if (digits > 1)
      for (std::size_t i = 0; i + width < padded.size(); ++i) padded[i] = fold(padded[i], padded[i + width]);
    width *= 2;
  }
}

/// The same over rectangles, first along rates, then along scales.
template <class V, class Fold>
Plane<V> fold_rectangles(const Plane<V>& in, const Ft2dOptions& options, Fold fold, ThreadPool& pool) {
  Plane<V> out(in.rows, in.columns);
  pool.parallel_ranges(in.rows, 16, [&](std::size_t first, std::size_t last) {
    std::vector<V> padded;
    for (std::size_t r = first; r < last; ++r)
      fold_windows<V>(in.row(r), options.neighbourhood_frames, out.row(r), padded, fold);
  });
  if (options.neighbourhood_bins == 1) return out;
  Plane<V> columns = transposed(out, pool);
  pool.parallel_ranges(columns.rows, 16, [&](std::size_t first, std::size_t last) {
    std::vector<V> padded;
    for (std::size_t r = first; r < last; ++r) {
      const std::vector<V> line(columns.row(r).begin(), columns.row(r).end());
      fold_windows<V>(line, options.neighbourhood_bins, columns.row(r), padded, fold);
    }
  });
  return transposed(columns, pool);
}

/// How much each bin of the centred 2DFT belongs to the background, 0 … 1. `size` is |2DFT|, centred, at most 1.
template <class T>
Plane<T> peak_weights(const Plane<T>& size, const Ft2dOptions& options, ThreadPool& pool) {
  const auto greatest = [](T a, T b) { return std::max(a, b); };
  const auto least = [](T a, T b) { return std::min(a, b); };
  const auto sum = [](double a, double b) { return a + b; };
  const Plane<T> maximum = fold_rectangles(size, options, greatest, pool);
  Plane<T> weight(size.rows, size.columns);
  const std::size_t n = size.values.size();
  if (options.peaks == Ft2dOptions::Peaks::kThreshold) {
    const Plane<T> minimum = fold_rectangles(size, options, least, pool);
    double mean = 0, square = 0;
    for (const T v : size.values) mean += v;
    mean /= static_cast<double>(n);
    for (const T v : size.values) square += (v - mean) * (v - mean);
    const double threshold = std::sqrt(square / static_cast<double>(n));
    for (std::size_t i = 0; i < n; ++i)
      weight.values[i] = size.values[i] == maximum.values[i] && maximum.values[i] - minimum.values[i] > threshold;
    return weight;
  }
  Plane<double> values(size.rows, size.columns), squares(size.rows, size.columns);
  for (std::size_t i = 0; i < n; ++i) {
    values.values[i] = size.values[i];
    squares.values[i] = values.values[i] * values.values[i];
  }
  values = fold_rectangles(values, options, sum, pool);
  squares = fold_rectangles(squares, options, sum, pool);
  const auto area = static_cast<double>(options.neighbourhood_bins * options.neighbourhood_frames);
  double top = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (size.values[i] != maximum.values[i]) continue;
    const double mean = values.values[i] / area;
    const double deviation = std::sqrt(std::max(0.0, squares.values[i] / area - mean * mean)) + kFloor;
    weight.values[i] = static_cast<T>((maximum.values[i] - mean) / deviation);
    top = std::max(top, static_cast<double>(weight.values[i]));
  }
  for (T& w : weight.values) w = static_cast<T>(w / (top + kFloor));
  return weight;
}

/// The greatest of each weight and its mirrors. Both axes are centred: position n/2 is zero.
template <class T>
Plane<T> with_mirrors(const Plane<T>& weight, Ft2dOptions::Mirror mirror) {
  Plane<T> out(weight.rows, weight.columns);
  const std::size_t rows = weight.rows, columns = weight.columns;
  const auto negated = [](std::size_t i, std::size_t n) { return (n / 2 + n - (i + n - n / 2) % n) % n; };
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      const T here = weight.values[r * columns + c];
      if (mirror == Ft2dOptions::Mirror::kNussl) {
        out.values[r * columns + c] = std::max(here, weight.values[r * columns + columns - 1 - c]);
      } else {
        const T rate = weight.values[r * columns + negated(c, columns)];
        const T scale = weight.values[negated(r, rows) * columns + c];
        out.values[r * columns + c] = std::max({here, rate, scale});
      }
    }
  return out;
}

/// Where position i of n goes when zero is moved to the middle.
std::size_t centred(std::size_t i, std::size_t n) { return (i + n / 2) % n; }

template <class T>
void mask_of_channel(std::span<const T> mix, std::size_t frames, std::size_t bins, const Ft2dOptions& options,
                     std::span<T> mask, ThreadPool& pool) {
  Plane<std::complex<T>> plane = transform(mix, frames, bins, pool);

  Plane<T> size(bins, frames);
  std::vector<T> tops(bins);
  pool.parallel_for(bins, [&](std::size_t r) {
    const auto in = std::as_const(plane).row(r);
    const auto out = size.row(centred(r, bins));
    for (std::size_t c = 0; c < frames; ++c) {
      const T v = std::sqrt(std::norm(in[c]));
      out[centred(c, frames)] = v;
      tops[r] = std::max(tops[r], v);
    }
  }, 8);
  const T top = std::ranges::max(tops);
  for (T& v : size.values) v = static_cast<T>(v / (top + kFloor));
  const Plane<T> weight = with_mirrors(peak_weights(size, options, pool), options.mirror);
  pool.parallel_for(bins, [&](std::size_t r) {
    const auto factors = weight.row(centred(r, bins));
    const auto values = plane.row(r);
    for (std::size_t c = 0; c < frames; ++c) values[c] *= factors[centred(c, frames)];
  }, 8);

  transform_rows(plane, true, pool);
  Plane<std::complex<T>> by_frame = transposed(plane, pool);
  transform_rows(by_frame, true, pool);
  T greatest = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const T level = mix[i] + static_cast<T>(kFloor);
    mask[i] = std::min(std::sqrt(std::norm(by_frame.values[i])), level) / level;
    greatest = std::max(greatest, mask[i]);
  }
  for (std::size_t i = 0; i < mask.size(); ++i)
    mask[i] = i % bins < options.first_bin ? T{1} : mask[i] / (greatest + static_cast<T>(kFloor));
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
  Method method{
      .name = "ft2d",
      .summary = "repeating background (accompaniment) and varying foreground (voice), by peaks of the 2D Fourier "
                 "transform",
      .paper = "Seetharaman, Pishdadian, Pardo, Music/voice separation using the 2D Fourier transform, WASPAA 2017",
      .stems = background_stems(),
      .parameters = {
          window_parameter(46.0),
          {.name = "neighbourhood_bins", .help = "odd size of the neighbourhood along scale", .unit = "bins",
           .value = std::int64_t{1}, .minimum = 1, .maximum = 1001},
          {.name = "neighbourhood_frames", .help = "odd size of the neighbourhood along rate", .unit = "bins",
           .value = std::int64_t{25}, .minimum = 1, .maximum = 1001, .source = "nussl"},
          {.name = "peaks", .help = "how peaks are weighted", .value = std::string("deviation"),
           .choices = {"deviation", "threshold"}, .source = "nussl; threshold: the paper"},
          high_pass_parameter()},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    stft.scaling = dsp::StftScaling::kScipySpectrum;
    const Ft2dOptions options{
        .neighbourhood_bins = static_cast<std::size_t>(values.integer("neighbourhood_bins")),
        .neighbourhood_frames = static_cast<std::size_t>(values.integer("neighbourhood_frames")),
        .peaks = values.text("peaks") == "threshold" ? Ft2dOptions::Peaks::kThreshold
                                                     : Ft2dOptions::Peaks::kLocalDeviation,
        .first_bin = first_bin(values, format.sample_rate, stft)};
    options.validate();
    return make_background_separator(format, stft, [options](const dsp::Magnitudes<float>& v, RunContext& run) {
      return ft2d_mask(v, options, run.pool);
    });
  };
  return method;
}

}  // namespace unbraid::classic
