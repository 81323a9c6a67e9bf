#include "unbraid/classic/nmf_convolutive.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "classic/component_groups.hpp"
#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "classic/matrix.hpp"
#include "classic/unnamed_sources.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::classic {

namespace {

constexpr double kSmall = std::numeric_limits<float>::epsilon();  ///< as in nmf.cpp
constexpr std::size_t kBlock = 64;                                ///< frames that go to a thread at a time

Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

/// rows[first … first + count) of a matrix that is 0 outside itself, when shifted down by `shift` rows: the part that
/// exists, and where it stands.
struct Overlap {
  Eigen::Index source, target, count;
};
Overlap shifted(std::size_t first, std::size_t count, std::size_t shift) {
  const std::size_t skipped = shift > first ? std::min(count, shift - first) : 0;
  return {index(first + skipped - std::min(shift, first + skipped)), index(skipped), index(count - skipped)};
}

template <class T>
class Updates {
 public:
  Updates(std::span<const T> v, const ConvolutiveFactors<T>& start, RunContext& run)
      : v_(v.data(), index(start.frames), index(start.bins)),
        activations_(Eigen::Map<const Matrix<T>>(start.activations.data(), index(start.frames), index(start.components))),
        ratio_(index(start.frames), index(start.bins)),
        run_(run) {
    const std::size_t size = start.components * start.bins;
    for (std::size_t t = 0; t < start.span; ++t)
      patterns_.push_back(Eigen::Map<const Matrix<T>>(start.patterns.data() + t * size, index(start.components), index(start.bins)));
  }

  void iterate() {
    compare();
    const std::size_t frames = static_cast<std::size_t>(v_.rows());
    run_.pool.parallel_for(patterns_.size(), [&](std::size_t t) {
      if (t >= frames) return;
      const auto starts = activations_.topRows(v_.rows() - index(t));
      const Matrix<T> numerator = starts.transpose() * ratio_.bottomRows(starts.rows());
      const Eigen::Matrix<T, Eigen::Dynamic, 1> sums = starts.colwise().sum().transpose();
      for (Eigen::Index c = 0; c < numerator.rows(); ++c)
        patterns_[t].row(c).array() *= numerator.row(c).array() / std::max(sums(c), static_cast<T>(kSmall));
    });
    compare();
    for_blocks([&](std::size_t first, std::size_t count) {
      Matrix<T> numerator = Matrix<T>::Zero(index(count), activations_.cols());
      Matrix<T> denominator = numerator;
      for (std::size_t t = 0; t < patterns_.size(); ++t) {
        // What begins at frame m is heard at m + t, if that exists.
        const std::size_t there = first + t < frames ? std::min(count, frames - first - t) : 0;
        if (there == 0) break;
        numerator.topRows(index(there)).noalias() += ratio_.middleRows(index(first + t), index(there)) * patterns_[t].transpose();
        denominator.topRows(index(there)).rowwise() += patterns_[t].rowwise().sum().transpose();
      }
      activations_.middleRows(index(first), index(count)).array() *= numerator.array() / denominator.array().max(static_cast<T>(kSmall));
    });
  }

  void store(ConvolutiveFactors<T>& factors) const {
    std::copy_n(activations_.data(), activations_.size(), factors.activations.begin());
    auto out = factors.patterns.begin();
    for (const Matrix<T>& pattern : patterns_) out = std::copy_n(pattern.data(), pattern.size(), out);
  }

 private:
  template <class Body>
  void for_blocks(const Body& body) {
    const auto frames = static_cast<std::size_t>(v_.rows());
    run_.pool.parallel_for((frames + kBlock - 1) / kBlock, [&](std::size_t b) { body(b * kBlock, std::min(kBlock, frames - b * kBlock)); });
  }

  /// ratio_ = v / model.
  void compare() {
    for_blocks([&](std::size_t first, std::size_t count) {
      Matrix<T> model = Matrix<T>::Zero(index(count), v_.cols());
      for (std::size_t t = 0; t < patterns_.size(); ++t)
        if (const Overlap o = shifted(first, count, t); o.count > 0)
          model.middleRows(o.target, o.count).noalias() += activations_.middleRows(o.source, o.count) * patterns_[t];
      ratio_.middleRows(index(first), index(count)) =
          v_.middleRows(index(first), index(count)).array() / model.array().max(static_cast<T>(kSmall));
    });
  }

  Eigen::Map<const Matrix<T>> v_;
  Matrix<T> activations_, ratio_;
  std::vector<Matrix<T>> patterns_;
  RunContext& run_;
};

}  // namespace

void ConvolutiveOptions::validate() const {
  if (components == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "components"};
  if (span_frames == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "span_frames"};
  if (iterations == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "iterations"};
}

template <class T>
ConvolutiveFactors<T> convolutive_start(std::span<const T> v, std::size_t frames, std::size_t bins, const ConvolutiveOptions& options,
                                        std::uint64_t seed) {
  options.validate();
  ConvolutiveFactors<T> factors{frames,
                                bins,
                                options.components,
                                options.span_frames,
                                std::vector<T>(frames * options.components),
                                std::vector<T>(options.span_frames * options.components * bins)};
  double sum = 0;
  for (const T x : v) sum += x;
  const double parts = static_cast<double>(options.components * options.span_frames);
  const double scale = v.empty() ? 0 : std::sqrt(sum / static_cast<double>(v.size()) / parts);
  Rng activations(seed, 0), patterns(seed, 1);
  for (T& x : factors.activations) x = static_cast<T>(scale * std::abs(activations.normal()));
  for (T& x : factors.patterns) x = static_cast<T>(scale * std::abs(patterns.normal()));
  return factors;
}

template <class T>
void nmf_convolutive(std::span<const T> v, ConvolutiveFactors<T>& factors, const ConvolutiveOptions& options, RunContext& run) {
  options.validate();
  if (v.size() != factors.frames * factors.bins || factors.activations.size() != factors.frames * factors.components ||
      factors.patterns.size() != factors.span * factors.components * factors.bins)
    throw Error{ErrorCode::kUsage, "the spectrogram and its factors have different shapes", "nmf_convolutive"};
  if (v.empty()) return;
  Updates<T> updates(v, factors, run);
  run.progress.start("factor", options.iterations, "iterations");
  for (std::size_t i = 0; i < options.iterations; ++i) {
    run.cancel.check();
    updates.iterate();
    run.progress.advance(1);
  }
  updates.store(factors);
}

template <class T>
void convolutive_model(const ConvolutiveFactors<T>& factors, std::span<const bool> chosen, std::span<T> out, ThreadPool& pool) {
  pool.parallel_for(
      factors.frames,
      [&](std::size_t m) {
        const auto row = out.subspan(m * factors.bins, factors.bins);
        std::ranges::fill(row, T{0});
        for (std::size_t t = 0; t < std::min(factors.span, m + 1); ++t)
          for (std::size_t c = 0; c < factors.components; ++c) {
            const T activation = factors.activations[(m - t) * factors.components + c];
            if (!chosen[c] || activation == 0) continue;
            const T* pattern = factors.patterns.data() + (t * factors.components + c) * factors.bins;
            for (std::size_t k = 0; k < factors.bins; ++k) row[k] += activation * pattern[k];
          }
      },
      8);
}

#define UNBRAID_CONVOLUTIVE(T)                                                                                                 \
  template ConvolutiveFactors<T> convolutive_start<T>(std::span<const T>, std::size_t, std::size_t, const ConvolutiveOptions&, \
                                                      std::uint64_t);                                                          \
  template void nmf_convolutive<T>(std::span<const T>, ConvolutiveFactors<T>&, const ConvolutiveOptions&, RunContext&);        \
  template void convolutive_model<T>(const ConvolutiveFactors<T>&, std::span<const bool>, std::span<T>, ThreadPool&);
UNBRAID_CONVOLUTIVE(float)
UNBRAID_CONVOLUTIVE(double)
#undef UNBRAID_CONVOLUTIVE

namespace {

std::vector<dsp::Mask<float>> masks_of(const dsp::Spectrogram<float>& mix, double sample_rate, std::size_t sources,
                                       const ConvolutiveOptions& options, std::uint64_t seed, RunContext& run) {
  dsp::Magnitudes<float> level = joint_magnitudes(mix, run.pool);
  const float peak = std::ranges::max(level.values());
  std::vector<dsp::Mask<float>> masks(sources, dsp::Mask<float>(1, mix.frames(), mix.bins()));
  if (!(peak > 0)) return masks;
  for (float& v : level.values()) v /= peak;
  auto factors = convolutive_start<float>(level.values(), mix.frames(), mix.bins(), options, seed);
  nmf_convolutive<float>(level.values(), factors, options, run);

  // A pattern's colour is the sum of its frames.
  std::vector<float> spectra(factors.components * factors.bins);
  for (std::size_t t = 0; t < factors.span; ++t)
    for (std::size_t i = 0; i < spectra.size(); ++i) spectra[i] += factors.patterns[t * spectra.size() + i];
  const NmfFactors<float> summed{factors.frames, factors.bins, factors.components, factors.activations, spectra};
  const auto group = group_by_timbre(spectra, factors.bins, component_levels(summed), sample_rate, {.groups = sources, .seed = seed}, run);
  const auto chosen = std::make_unique<bool[]>(factors.components);
  for (std::size_t s = 0; s < sources; ++s) {
    for (std::size_t c = 0; c < factors.components; ++c) chosen[c] = group[c] == s;
    convolutive_model<float>(factors, {chosen.get(), factors.components}, masks[s].values(), run.pool);
  }
  run.pool.parallel_for(
      mix.frames(),
      [&](std::size_t m) {
        for (std::size_t k = 0; k < mix.bins(); ++k) {
          float total = 0;
          for (const auto& mask : masks) total += mask.at(0, m, k);
          for (auto& mask : masks) mask.at(0, m, k) = total > 0 ? mask.at(0, m, k) / total : 1 / static_cast<float>(sources);
        }
      },
      8);
  return masks;
}

}  // namespace

Method nmf_convolutive_method() {
  Method method{
      .name = "nmf_convolutive",
      .summary = "sources of different colour, by components that are short patterns in time",
      .paper =
          "Smaragdis, Non-negative matrix factor deconvolution; extraction of multiple sound sources from "
          "monophonic inputs, ICA 2004",
      .stems = source_names(4),
      .parameters =
          {sources_parameter(4),
           window_parameter(46.0),
           {.name = "components", .help = "patterns", .value = std::int64_t{12}, .minimum = 2, .maximum = 1000},
           {.name = "span_frames", .help = "length of a pattern", .unit = "frames", .value = std::int64_t{8}, .minimum = 1, .maximum = 200},
           {.name = "iterations", .help = "iterations", .value = std::int64_t{40}, .minimum = 1, .maximum = 100000}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) {
    const auto sources = number_of_sources(values);
    const ConvolutiveOptions options{.components = static_cast<std::size_t>(values.integer("components")),
                                     .span_frames = static_cast<std::size_t>(values.integer("span_frames")),
                                     .iterations = static_cast<std::size_t>(values.integer("iterations"))};
    options.validate();
    return make_masking_separator(info_of_sources(format, sources), stft_options(format.sample_rate, values.number("window_ms")),
                                  [=, rate = format.sample_rate](const dsp::Spectrogram<float>& mix, RunContext& run) {
                                    return masks_of(mix, rate, sources, options, seed, run);
                                  });
  };
  return method;
}

}  // namespace unbraid::classic
