#pragma once
// Medians of many columns at once.
//
//   dsp::Magnitudes<float> smooth = classic::median_across_frames(magnitudes, 31, pool);
//
// A sliding median keeps the sorted window of 32 neighbouring columns in registers and first-level cache and replaces
// the value that leaves by the one that enters: about 4·kernel vector instructions for 32 outputs, no branch, no sort
// per output. Values must be ≥ 0 and not −0 (magnitudes are): they are compared by their bit patterns, which order
// like the numbers, and a NaN sorts above infinity.

#include <cstddef>
#include <span>

#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

/// For each bin the median over the frames m − ⌊kernel/2⌋ … m + ⌈kernel/2⌉ − 1; kernel ≥ 1 (kUsage otherwise). Beyond
/// the borders the signal is mirrored with the border value repeated (d c b a | a b c d | d c b a), back and forth
/// when the kernel is longer than the signal. Even kernels give the upper median (rank kernel/2). All as
/// scipy.ndimage.median_filter does by default.
dsp::Magnitudes<float> median_across_frames(const dsp::Magnitudes<float>& values, std::size_t kernel, ThreadPool& pool);
/// The same along the bins of each frame.
dsp::Magnitudes<float> median_across_bins(const dsp::Magnitudes<float>& values, std::size_t kernel, ThreadPool& pool);

/// Column medians of a few rows: out[i] = median of rows[0][i], rows[1][i], …; for an even number of rows the mean of
/// the two middle values. At least one row; every row has out.size() values. T is float or double.
template <class T>
void median_of_rows(std::span<const T* const> rows, std::span<T> out);

extern template void median_of_rows<float>(std::span<const float* const>, std::span<float>);
extern template void median_of_rows<double>(std::span<const double* const>, std::span<double>);

}  // namespace unbraid::classic
