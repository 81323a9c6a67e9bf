#include "unbraid/classic/repet_sim.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "classic/background.hpp"
#include "classic/matrix.hpp"
#include "unbraid/classic/median.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

constexpr std::size_t kStrip = 64;  ///< rows of the similarity matrix that are made at a time

/// The mean of the channels, every frame scaled to length 1 (silent ones stay 0): products are cosines.
template <class T>
Matrix<T> unit_frames(const dsp::Magnitudes<T>& magnitudes, ThreadPool& pool) {
  Matrix<T> out(magnitudes.frames(), magnitudes.bins());
  pool.parallel_for(
      magnitudes.frames(),
      [&](std::size_t m) {
        auto row = out.row(static_cast<Eigen::Index>(m));
        row.setZero();
        for (std::size_t c = 0; c < magnitudes.channels(); ++c)
          row += Eigen::Map<const Eigen::Matrix<T, 1, Eigen::Dynamic>>(magnitudes.frame(c, m).data(), row.size());
        const T length = row.norm();
        if (length > 0) row /= length;
      },
      16);
  return out;
}

/// The largest values of a row, greatest first, each further than a distance from all before it. Kept in blocks with
/// their maxima, so that a pick costs O(√n) and not O(n).
template <class T>
class PeakPicker {
 public:
  explicit PeakPicker(std::span<T> values) : values_(values), maxima_((values.size() + kBlock - 1) / kBlock) {
    for (std::size_t b = 0; b < maxima_.size(); ++b) update(b);
  }

  /// The first of the greatest values, or size() when none is above 0.
  std::size_t greatest() const {
    const std::size_t b = static_cast<std::size_t>(std::ranges::max_element(maxima_) - maxima_.begin());
    if (!(maxima_[b] > 0)) return values_.size();
    return static_cast<std::size_t>(std::ranges::max_element(block(b)) - values_.begin());
  }

  void clear(std::size_t first, std::size_t last) {
    std::ranges::fill(values_.subspan(first, last - first), T{0});
    for (std::size_t b = first / kBlock; b * kBlock < last; ++b) update(b);
  }

 private:
  static constexpr std::size_t kBlock = 128;
  std::span<T> block(std::size_t b) const { return values_.subspan(b * kBlock, std::min(kBlock, values_.size() - b * kBlock)); }
  void update(std::size_t b) { maxima_[b] = std::ranges::max(block(b)); }

  std::span<T> values_;
  std::vector<T> maxima_;
};

/// The frames similar to frame `self`, from its row of the similarity matrix, which is used up.
template <class T>
std::vector<std::size_t> pick(std::span<T> similarities, std::size_t self, const RepetSimOptions& options) {
  const std::size_t n = similarities.size();
  const auto [low, high] = std::ranges::minmax(similarities);
  if (!(high > low)) return {};
  for (T& s : similarities) {
    s = (s - low) / (high - low);
    if (s < static_cast<T>(options.similarity_threshold)) s = 0;
  }
  PeakPicker<T> peaks(similarities);
  const double distance = options.min_distance_frames;
  const auto clear_around = [&](std::size_t index) {
    const double center = static_cast<double>(index);
    const auto first = static_cast<std::size_t>(std::max(0.0, std::trunc(center - distance)));
    const auto last = static_cast<std::size_t>(std::min(static_cast<double>(n), std::trunc(center + distance + 1)));
    peaks.clear(first, last);
  };
  std::vector<std::size_t> chosen;
  clear_around(self);
  // The frame itself counts as one of the frames looked for, as in nussl.
  while (chosen.size() + 1 < options.max_repeating_frames) {
    const std::size_t next = peaks.greatest();
    if (next == n) break;
    chosen.push_back(next);
    clear_around(next);
  }
  return chosen;
}

}  // namespace

void RepetSimOptions::validate() const {
  if (!(similarity_threshold >= 0 && similarity_threshold <= 1))
    throw Error{ErrorCode::kUsage, "must lie between 0 and 1", "similarity_threshold"};
  if (!(min_distance_frames >= 0)) throw Error{ErrorCode::kUsage, "must not be negative", "min_distance_frames"};
  if (max_repeating_frames < 1) throw Error{ErrorCode::kUsage, "must be at least 1", "max_repeating_frames"};
}

template <class T>
std::vector<std::vector<std::size_t>> similar_frames(const dsp::Magnitudes<T>& magnitudes, const RepetSimOptions& options,
                                                     RunContext& run) {
  options.validate();
  const std::size_t frames = magnitudes.frames();
  std::vector<std::vector<std::size_t>> similar(frames);
  const Matrix<T> unit = unit_frames(magnitudes, run.pool);
  run.pool.parallel_ranges(frames, kStrip, [&](std::size_t first, std::size_t last) {
    run.cancel.check();
    const auto rows = unit.middleRows(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(last - first));
    Matrix<T> strip = rows * unit.transpose();
    for (std::size_t m = first; m < last; ++m)
      similar[m] = pick(std::span<T>(strip.row(static_cast<Eigen::Index>(m - first)).data(), frames), m, options);
  });
  return similar;
}

template <class T>
dsp::Mask<T> repet_sim_mask(const dsp::Magnitudes<T>& magnitudes, const RepetSimOptions& options, RunContext& run) {
  const std::vector<std::vector<std::size_t>> similar = similar_frames(magnitudes, options, run);
  dsp::Mask<T> mask(magnitudes.channels(), magnitudes.frames(), magnitudes.bins());
  run.pool.parallel_for(
      magnitudes.channels() * magnitudes.frames(),
      [&](std::size_t task) {
        const std::size_t channel = task / magnitudes.frames(), m = task % magnitudes.frames();
        const std::span<T> out = mask.frame(channel, m);
        if (similar[m].empty()) {
          std::ranges::fill(out, T{1});
          return;
        }
        std::vector<const T*> rows;
        for (const std::size_t other : similar[m]) rows.push_back(magnitudes.frame(channel, other).data());
        median_of_rows<T>(rows, out);
        const std::span<const T> mix = magnitudes.frame(channel, m);
        for (std::size_t k = 0; k < out.size(); ++k)
          out[k] = k < options.first_bin || !(mix[k] > 0) ? T{1} : std::min(out[k], mix[k]) / mix[k];
      },
      16);
  return mask;
}

template std::vector<std::vector<std::size_t>> similar_frames<float>(const dsp::Magnitudes<float>&, const RepetSimOptions&, RunContext&);
template std::vector<std::vector<std::size_t>> similar_frames<double>(const dsp::Magnitudes<double>&, const RepetSimOptions&, RunContext&);
template dsp::Mask<float> repet_sim_mask<float>(const dsp::Magnitudes<float>&, const RepetSimOptions&, RunContext&);
template dsp::Mask<double> repet_sim_mask<double>(const dsp::Magnitudes<double>&, const RepetSimOptions&, RunContext&);

Method repet_sim_method() {
  Method method{.name = "repet_sim",
                .summary = "repeating background (accompaniment) and varying foreground (voice), by the similarity of frames",
                .paper = "Rafii, Pardo, Music/voice separation using the similarity matrix, ISMIR 2012",
                .stems = background_stems(),
                .parameters = {window_parameter(46.0),
                               {.name = "similarity_threshold",
                                .help = "least similarity, on a scale from 0 to 1 for each frame",
                                .value = 0.0,
                                .minimum = 0,
                                .maximum = 1,
                                .source = "Rafii, Pardo 2012, section 3"},
                               {.name = "min_distance_s",
                                .help = "least time between frames that are taken for repetitions",
                                .unit = "s",
                                .value = 1.0,
                                .minimum = 0,
                                .maximum = 60,
                                .source = "Rafii, Pardo 2012, section 3"},
                               {.name = "max_repeating_frames",
                                .help = "how many frames are looked for",
                                .value = std::int64_t{100},
                                .minimum = 2,
                                .maximum = 10000,
                                .source = "Rafii, Pardo 2012, section 3"},
                               high_pass_parameter("Rafii, Pardo 2012, section 3")},
                .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    const dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    const RepetSimOptions options{
        .similarity_threshold = values.number("similarity_threshold"),
        .min_distance_frames = values.number("min_distance_s") * format.sample_rate / static_cast<double>(stft.hop),
        .max_repeating_frames = static_cast<std::size_t>(values.integer("max_repeating_frames")),
        .first_bin = first_bin(values, format.sample_rate, stft)};
    options.validate();
    return make_background_separator(
        format, stft, [options](const dsp::Magnitudes<float>& v, RunContext& run) { return repet_sim_mask(v, options, run); });
  };
  return method;
}

}  // namespace unbraid::classic
