#include "unbraid/classic/median.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

constexpr std::size_t kLanes = 32;  ///< columns that are worked on together: two 512-bit or four 256-bit registers

/// kLanes values of neighbouring columns, as integers: their minimum and maximum are one instruction each, where
/// those of floating-point numbers need extra ones for NaN and signed zeros.
struct Lanes {
  std::int32_t value[kLanes];
};
constexpr std::int32_t kAboveAll = std::numeric_limits<std::int32_t>::max();

void load(const float* source, std::size_t width, Lanes& lanes) {
  std::memcpy(lanes.value, source, width == kLanes ? sizeof lanes : width * sizeof(float));
}

void store(const Lanes& lanes, std::size_t width, float* target) {
  std::memcpy(target, lanes.value, width == kLanes ? sizeof lanes : width * sizeof(float));
}

/// index of the signal mirrored at its ends: … 1 0 | 0 1 … n−1 | n−1 n−2 …
std::size_t mirrored(std::ptrdiff_t index, std::size_t size) {
  const auto n = static_cast<std::ptrdiff_t>(size);
  if (index >= 0 && index < n) return static_cast<std::size_t>(index);
  const std::ptrdiff_t period = 2 * n;
  index %= period;
  if (index < 0) index += period;
  return static_cast<std::size_t>(index < n ? index : period - 1 - index);
}

/// Replaces in the sorted columns `window` (kernel of them, and one of kAboveAll behind) a value `leaving` by
/// `entering`. Removing shifts what is not below the leaving value down by one, D[i]; inserting into a sorted list
/// gives min(max(D[i−1], entering), D[i]).
void replace(Lanes* window, std::size_t kernel, const Lanes& leaving, const Lanes& entering) {
  Lanes below = entering;  // max(D[i−1], entering); there is nothing below D[0]
  for (std::size_t i = 0; i < kernel; ++i) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::int32_t here = window[i].value[lane];
      const std::int32_t next = window[i + 1].value[lane];
      const std::int32_t kept = here < leaving.value[lane] ? here : next;
      window[i].value[lane] = std::min(below.value[lane], kept);
      below.value[lane] = std::max(kept, entering.value[lane]);
    }
  }
}

/// The sliding median of `width` ≤ kLanes columns of `count` rows. `window` is scratch of kernel + 1.
void slide(const float* in, std::size_t in_stride, float* out, std::size_t out_stride, std::size_t count, std::size_t width,
           std::size_t kernel, std::vector<Lanes>& window) {
  Lanes leaving{}, entering{};
  std::ranges::fill(leaving.value, kAboveAll);
  std::ranges::fill(window, leaving);
  const auto first = -static_cast<std::ptrdiff_t>(kernel / 2);
  const auto row = [&](std::ptrdiff_t index) { return in + mirrored(index, count) * in_stride; };
  for (std::size_t k = 0; k < kernel; ++k) {
    load(row(first + static_cast<std::ptrdiff_t>(k)), width, entering);
    replace(window.data(), kernel, leaving, entering);
  }
  for (std::size_t i = 0;; ++i) {
    store(window[kernel / 2], width, out + i * out_stride);
    if (i + 1 == count) return;
    const std::ptrdiff_t oldest = first + static_cast<std::ptrdiff_t>(i);
    load(row(oldest), width, leaving);
    load(row(oldest + static_cast<std::ptrdiff_t>(kernel)), width, entering);
    replace(window.data(), kernel, leaving, entering);
  }
}

/// out[j][i] = in[i][j] for `rows` × `columns` values.
void transpose(const float* in, std::size_t in_stride, std::size_t rows, std::size_t columns, float* out, std::size_t out_stride) {
  constexpr std::size_t kTile = 16;
  for (std::size_t i0 = 0; i0 < rows; i0 += kTile)
    for (std::size_t j0 = 0; j0 < columns; j0 += kTile)
      for (std::size_t j = j0; j < std::min(j0 + kTile, columns); ++j)
        for (std::size_t i = i0; i < std::min(i0 + kTile, rows); ++i) out[j * out_stride + i] = in[i * in_stride + j];
}

void check_kernel(std::size_t kernel) {
  if (kernel == 0) throw Error{ErrorCode::kUsage, "a median needs a kernel of at least one value", "kernel"};
}

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

/// Sorts `count` rows of `Width` columns, each column for itself, by Batcher's odd-even merge sort (AFIPS 1968): a
/// fixed sequence of minima and maxima.
template <class Integer, std::size_t Width>
void sort_columns(std::vector<std::array<Integer, Width>>& rows, std::size_t count) {
  const auto order = [&](std::size_t a, std::size_t b) {
    for (std::size_t lane = 0; lane < Width; ++lane) {
      const Integer low = std::min(rows[a][lane], rows[b][lane]);
      rows[b][lane] = std::max(rows[a][lane], rows[b][lane]);
      rows[a][lane] = low;
    }
  };
  for (std::size_t p = 1; p < count; p *= 2)
    for (std::size_t k = p; k >= 1; k /= 2)
      for (std::size_t j = k % p; j + k < count; j += 2 * k)
        for (std::size_t i = 0; i < std::min(k, count - j - k); ++i)
          if ((i + j) / (2 * p) == (i + j + k) / (2 * p)) order(i + j, i + j + k);
}

}  // namespace

dsp::Magnitudes<float> median_across_frames(const dsp::Magnitudes<float>& values, std::size_t kernel, ThreadPool& pool) {
  check_kernel(kernel);
  dsp::Magnitudes<float> out(values.channels(), values.frames(), values.bins());
  if (out.size() == 0) return out;
  const std::size_t bins = values.bins();
  const std::size_t strips = (bins + kLanes - 1) / kLanes;
  pool.parallel_ranges(values.channels() * strips, 1, [&](std::size_t begin, std::size_t end) {
    std::vector<Lanes> window(kernel + 1);
    for (std::size_t task = begin; task < end; ++task) {
      const std::size_t channel = task / strips;
      const std::size_t bin = task % strips * kLanes;
      slide(values.frame(channel, 0).data() + bin, bins, out.frame(channel, 0).data() + bin, bins, values.frames(),
            std::min(kLanes, bins - bin), kernel, window);
    }
  });
  return out;
}

dsp::Magnitudes<float> median_across_bins(const dsp::Magnitudes<float>& values, std::size_t kernel, ThreadPool& pool) {
  check_kernel(kernel);
  dsp::Magnitudes<float> out(values.channels(), values.frames(), values.bins());
  if (out.size() == 0) return out;
  const std::size_t bins = values.bins();
  const std::size_t rows = values.channels() * values.frames();  // the frames of all channels lie one after another
  const std::size_t strips = (rows + kLanes - 1) / kLanes;
  const std::size_t grain = std::max<std::size_t>(1, strips / (8 * pool.threads()));
  pool.parallel_ranges(strips, grain, [&](std::size_t begin, std::size_t end) {
    std::vector<Lanes> window(kernel + 1);
    std::vector<float> columns(bins * kLanes), medians(bins * kLanes);
    for (std::size_t strip = begin; strip < end; ++strip) {
      const std::size_t first = strip * kLanes;
      const std::size_t width = std::min(kLanes, rows - first);
      transpose(values.values().data() + first * bins, bins, width, bins, columns.data(), kLanes);
      slide(columns.data(), kLanes, medians.data(), kLanes, bins, kLanes, kernel, window);
      transpose(medians.data(), kLanes, bins, width, out.values().data() + first * bins, bins);
    }
  });
  return out;
}

template <class T>
void median_of_rows(std::span<const T* const> rows, std::span<T> out) {
  using Integer = Bits<T>;
  constexpr std::size_t kWidth = 128 / sizeof(T);
  if (rows.empty()) throw Error{ErrorCode::kUsage, "a median needs at least one value", "rows"};
  const std::size_t count = rows.size();
  std::vector<std::array<Integer, kWidth>> sorted(count);
  for (std::size_t first = 0; first < out.size(); first += kWidth) {
    const std::size_t width = std::min(kWidth, out.size() - first);
    for (std::size_t r = 0; r < count; ++r) std::memcpy(sorted[r].data(), rows[r] + first, width * sizeof(T));
    sort_columns(sorted, count);
    for (std::size_t i = 0; i < width; ++i) {
      const T upper = std::bit_cast<T>(sorted[count / 2][i]);
      out[first + i] = count % 2 ? upper : (std::bit_cast<T>(sorted[count / 2 - 1][i]) + upper) / 2;
    }
  }
}

template void median_of_rows<float>(std::span<const float* const>, std::span<float>);
template void median_of_rows<double>(std::span<const double* const>, std::span<double>);

}  // namespace unbraid::classic
