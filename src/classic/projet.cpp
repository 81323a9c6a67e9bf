#include "unbraid/classic/projet.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <utility>

#include "classic/masking_separator.hpp"
#include "classic/matrix.hpp"
#include "classic/unnamed_sources.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::classic {

namespace {

constexpr double kSmall = 1e-8;
constexpr double kFloor = 1e-10;          ///< of the loudest projection: what the model counts at least
constexpr std::size_t kBinsPerTask = 16;  ///< fixed, so that the sums over bins are

template <class T>
using Complex = Eigen::Matrix<std::complex<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

/// The i-th of n values from low to high; their middle when there is one only.
double spaced(std::size_t i, std::size_t n, double low, double high) {
  return n == 1 ? (low + high) / 2 : low + (high - low) * static_cast<double>(i) / static_cast<double>(n - 1);
}

/// (cos θ, sin θ·exp(−2πi·f·δ)) for all pannings θ and delays δ, f in cycles per sample.
template <class T>
Complex<T> directions(std::size_t pannings, std::size_t delays, double low, double high, double max_delay, double frequency) {
  Complex<T> out(index(pannings * delays), 2);
  for (std::size_t p = 0; p < pannings; ++p)
    for (std::size_t d = 0; d < delays; ++d) {
      const double angle = spaced(p, pannings, low, high);
      const double delay = spaced(d, delays, -max_delay, max_delay);
      out(index(p * delays + d), 0) = static_cast<T>(std::cos(angle));
      out(index(p * delays + d), 1) =
          static_cast<std::complex<T>>(std::sin(angle) * std::polar(1.0, -2 * std::numbers::pi * frequency * delay));
    }
  return out;
}

/// What belongs to one bin: the directions of projection and how much of every location they let through.
template <class T>
struct Bin {
  Complex<T> projections;  ///< [projection][channel]
  Matrix<T> passed;        ///< K, [projection][location]

  Bin(std::size_t bin, std::size_t bins, const ProjetOptions& o) {
    const double frequency = bins > 1 ? 0.5 * static_cast<double>(bin) / static_cast<double>(bins - 1) : 0.0;
    projections = directions<T>(o.projection_pannings, o.projection_delays, -std::numbers::pi / 2, 0, o.max_delay_samples, frequency);
    const Complex<T> locations =
        directions<T>(o.location_pannings, o.location_delays, 0, std::numbers::pi / 2, o.max_delay_samples, frequency);
    passed = raised((projections * locations.transpose()).cwiseAbs2().cwiseSqrt(), o.alpha);
  }

  static Matrix<T> raised(const Matrix<T>& values, double power) {
    if (power == 1) return values;
    return values.array().pow(static_cast<T>(power));
  }
};

/// The two channels of a bin, [channel][frame].
template <class T>
Complex<T> channels_of(const dsp::Spectrogram<T>& stereo, std::size_t bin) {
  Complex<T> out(2, index(stereo.frames()));
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t m = 0; m < stereo.frames(); ++m) out(index(c), index(m)) = stereo.at(c, m, bin);
  return out;
}

/// V·σ^(β−2) and σ^(β−1), the numerator and denominator of every update. The latter takes the place of the model σ, of which
/// no value counts as less than floor.
template <class T>
Matrix<T> weighted(const Matrix<T>& v, Matrix<T>& model, double beta, T floor) {
  model = model.cwiseMax(floor);
  if (beta == 1) {
    const Matrix<T> ratio = v.array() / model.array();
    model.setOnes();
    return ratio;
  }
  const Matrix<T> ratio = v.array() * model.array().pow(static_cast<T>(beta - 2));
  model = model.array().pow(static_cast<T>(beta - 1)).eval();
  return ratio;
}

/// kFloor of the loudest that a projection, whose two parts are at most 1 each, can be.
template <class T>
T floor_of(const dsp::Spectrogram<T>& stereo, const ProjetOptions& options) {
  double peak = 0;
  for (std::size_t c = 0; c < 2; ++c)
    for (std::size_t m = 0; m < stereo.frames(); ++m)
      for (const std::complex<double> x : stereo.frame(c, m)) peak = std::max(peak, std::norm(x));
  if (!(peak > 0)) return 1;
  const double floor = kFloor * std::pow(2 * std::sqrt(peak), options.alpha);
  return std::max(static_cast<T>(floor), std::numeric_limits<T>::min());
}

template <class T>
void check(const dsp::Spectrogram<T>& stereo, const ProjetModel<T>& model, const ProjetOptions& options) {
  options.validate();
  if (stereo.channels() < 2) throw Error{ErrorCode::kUnsupported, "needs two channels", "projet"};
  if (model.bins != stereo.bins() || model.frames != stereo.frames() || model.sources != options.sources ||
      model.locations != options.location_pannings * options.location_delays ||
      model.spectra.size() != model.bins * model.frames * model.sources || model.panorama.size() != model.locations * model.sources)
    throw Error{ErrorCode::kUsage, "the model has another shape than the spectrogram and the options", "projet"};
}

}  // namespace

void ProjetOptions::validate() const {
  const auto require = [](bool holds, const char* message, const char* option) {
    if (!holds) throw Error{ErrorCode::kUsage, message, option};
  };
  require(sources >= 1, "must be at least 1", "sources");
  require(max_delay_samples >= 0, "must not be negative", "max_delay_samples");
  require(location_pannings >= 2 && projection_pannings >= 2, "must be at least 2", "pannings");
  require(location_delays >= 1 && projection_delays >= 1, "must be at least 1", "delays");
  require(alpha > 0, "must be above 0", "alpha");
  require(std::isfinite(beta), "must be finite", "beta");
}

template <class T>
ProjetModel<T> projet_random_start(std::size_t bins, std::size_t frames, const ProjetOptions& options, std::uint64_t seed) {
  ProjetModel<T> model{bins, frames, options.location_pannings * options.location_delays, options.sources};
  model.spectra.resize(bins * frames * model.sources);
  model.panorama.resize(model.locations * model.sources);
  Rng spectra(seed, 0), panorama(seed, 1);
  for (T& x : model.spectra) x = static_cast<T>(std::abs(spectra.normal()));
  for (T& x : model.panorama) x = static_cast<T>(std::abs(panorama.normal()));
  return model;
}

template <class T>
void projet(const dsp::Spectrogram<T>& stereo, ProjetModel<T>& model, const ProjetOptions& options, RunContext& run) {
  check(stereo, model, options);
  const std::size_t tasks = (model.bins + kBinsPerTask - 1) / kBinsPerTask;
  const Eigen::Index sources = index(model.sources), locations = index(model.locations);
  const T floor = floor_of(stereo, options);
  Matrix<T> panorama = Eigen::Map<const Matrix<T>>(model.panorama.data(), locations, sources);
  run.progress.start("factor", options.iterations, "iterations");
  for (std::size_t i = 0; i < options.iterations; ++i) {
    run.cancel.check();
    std::vector<Matrix<T>> numerators(tasks), denominators(tasks);
    run.pool.parallel_for(tasks, [&](std::size_t task) {
      numerators[task] = Matrix<T>::Zero(locations, sources);
      denominators[task] = Matrix<T>::Zero(locations, sources);
      for (std::size_t k = task * kBinsPerTask; k < std::min(model.bins, (task + 1) * kBinsPerTask); ++k) {
        const Bin<T> bin(k, model.bins, options);
        const Matrix<T> v = Bin<T>::raised((bin.projections * channels_of(stereo, k)).cwiseAbs2().cwiseSqrt(), options.alpha);
        Eigen::Map<Matrix<T>> stored(model.spectra.data() + k * model.frames * model.sources, index(model.frames), sources);
        Matrix<T> spectra = stored;
        const Matrix<T> gains = bin.passed * panorama;  // [projection][source]
        Matrix<T> sigma = gains * spectra.transpose();
        Matrix<T> ratio = weighted(v, sigma, options.beta, floor);
        spectra.array() *=
            ((ratio.transpose() * gains).array() + static_cast<T>(kSmall)) / ((sigma.transpose() * gains).array() + static_cast<T>(kSmall));
        sigma.noalias() = gains * spectra.transpose();
        ratio = weighted(v, sigma, options.beta, floor);
        const Matrix<T> above = ratio * spectra, below = sigma * spectra;
        numerators[task].noalias() += bin.passed.transpose() * above;
        denominators[task].noalias() += bin.passed.transpose() * below;
        stored = spectra;
      }
    });
    for (std::size_t task = 1; task < tasks; ++task) {
      numerators[0] += numerators[task];
      denominators[0] += denominators[task];
    }
    if (tasks > 0)
      panorama = (denominators[0].array() > 0)
                     .select(panorama.array() * numerators[0].array() / denominators[0].array(), panorama.array())
                     .matrix();
    run.progress.advance(1);
  }
  const auto finite = [](T x) { return std::isfinite(x); };
  if (!panorama.allFinite() || !std::ranges::all_of(model.spectra, finite))
    throw Error{ErrorCode::kInternal, "the factorisation ran out of the range of numbers", "projet"};
  std::copy_n(panorama.data(), panorama.size(), model.panorama.begin());
}

template <class T>
dsp::Spectrogram<T> projet_source(const dsp::Spectrogram<T>& stereo, const ProjetModel<T>& model, std::size_t source,
                                  const ProjetOptions& options, ThreadPool& pool) {
  check(stereo, model, options);
  dsp::Spectrogram<T> out(2, stereo.frames(), stereo.bins());
  const Eigen::Map<const Matrix<T>> panorama(model.panorama.data(), index(model.locations), index(model.sources));
  pool.parallel_for(
      model.bins,
      [&](std::size_t k) {
        const Bin<T> bin(k, model.bins, options);
        const Eigen::Map<const Matrix<T>> spectra(model.spectra.data() + k * model.frames * model.sources, index(model.frames),
                                                  index(model.sources));
        const Matrix<T> gains = bin.passed * panorama;
        const Matrix<T> total = gains * spectra.transpose();
        const Matrix<T> part = gains.col(index(source)) * spectra.col(index(source)).transpose();
        const auto even = static_cast<T>(1) / static_cast<T>(model.sources);
        const Matrix<T> share = (total.array() > 0).select(part.array() / total.array(), even);
        const Complex<T> projected = (bin.projections * channels_of(stereo, k)).array() * share.array().template cast<std::complex<T>>();
        // The pseudo-inverse (AᴴA)⁻¹Aᴴ of the projections, whose two columns are independent.
        const Eigen::Matrix<std::complex<T>, 2, 2> gram = bin.projections.adjoint() * bin.projections;
        const std::complex<T> determinant = gram(0, 0) * gram(1, 1) - gram(0, 1) * gram(1, 0);
        Eigen::Matrix<std::complex<T>, 2, 2> inverse;
        inverse << gram(1, 1), -gram(0, 1), -gram(1, 0), gram(0, 0);
        const Complex<T> back = (inverse / determinant) * (bin.projections.adjoint() * projected);
        for (std::size_t c = 0; c < 2; ++c)
          for (std::size_t m = 0; m < stereo.frames(); ++m) out.at(c, m, k) = back(index(c), index(m));
      },
      8);
  return out;
}

#define UNBRAID_PROJET(T)                                                                                                             \
  template ProjetModel<T> projet_random_start<T>(std::size_t, std::size_t, const ProjetOptions&, std::uint64_t);                      \
  template void projet<T>(const dsp::Spectrogram<T>&, ProjetModel<T>&, const ProjetOptions&, RunContext&);                            \
  template dsp::Spectrogram<T> projet_source<T>(const dsp::Spectrogram<T>&, const ProjetModel<T>&, std::size_t, const ProjetOptions&, \
                                                ThreadPool&);
UNBRAID_PROJET(float)
UNBRAID_PROJET(double)
#undef UNBRAID_PROJET

namespace {

/// Channels beyond the first two belong to the last source, as does what rounding leaves.
class ProjetSeparator final : public Separator {
 public:
  ProjetSeparator(const StreamFormat& format, const dsp::StftOptions& stft, const ProjetOptions& options, std::uint64_t seed)
      : options_(options), stft_(stft), seed_(seed) {
    info_ = info_of_sources(format, options.sources);
    info_.working_bytes = [bins = stft_.bins(), hop = stft_.hop(), sources = options.sources](std::size_t frames) {
      return (frames / hop + 2) * bins * (2 * 2 * sizeof(std::complex<float>) + sources * sizeof(float));
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems(info_.stems, block.channels(), block.frames());
    AudioBuffer& rest = stems[stems.size() - 1].audio;
    copy(block, rest);
    if (block.frames() == 0) return stems;
    const auto mix = stft_.forward(AudioView(block.data(), 2, block.frames(), block.stride()), run.pool);
    if (std::ranges::all_of(mix.values(), [](std::complex<float> x) { return x == 0.0f; })) return stems;
    auto model = projet_random_start<float>(mix.bins(), mix.frames(), options_, seed_);
    projet(mix, model, options_, run);
    for (std::size_t j = 0; j + 1 < stems.size(); ++j) {
      const auto part = projet_source(mix, model, j, options_, run.pool);
      MutableAudioView target = stems[j].audio;
      stft_.inverse(part, {target.data(), 2, target.frames(), target.stride()}, run.pool);
      add_scaled(stems[j].audio, -1.0f, rest);
    }
    return stems;
  }

 private:
  SeparatorInfo info_;
  ProjetOptions options_;
  dsp::Stft<float> stft_;
  std::uint64_t seed_;
};

}  // namespace

Method projet_method() {
  Method method{
      .name = "projet",
      .summary = "sources of a stereo recording by projections that cancel them one by one",
      .paper = "Fitzgerald, Liutkus, Badeau, Projection-based demixing of spatial audio, IEEE TASLP 24(9), 2016",
      .stems = source_names(2),
      .parameters = {sources_parameter(2),
                     window_parameter(46.0),
                     {.name = "iterations",
                      .help = "number of updates",
                      .value = std::int64_t{50},
                      .minimum = 1,
                      .maximum = 10000,
                      .source = "nussl"},
                     {.name = "pannings",
                      .help = "positions from left to right",
                      .value = std::int64_t{30},
                      .minimum = 2,
                      .maximum = 500,
                      .source = "nussl"},
                     {.name = "delays", .help = "delays at each position; 1: none", .value = std::int64_t{1}, .minimum = 1, .maximum = 100},
                     {.name = "max_delay_samples",
                      .help = "greatest delay, when there are delays",
                      .unit = "samples",
                      .value = 20.0,
                      .minimum = 0,
                      .maximum = 1000,
                      .source = "nussl"}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) -> std::unique_ptr<Separator> {
    if (format.channels < 2)
      throw Error{ErrorCode::kUnsupported, "needs two channels: it tells sources apart by where they stand", "projet"};
    const auto delays = static_cast<std::size_t>(values.integer("delays"));
    const ProjetOptions options{.sources = number_of_sources(values),
                                .iterations = static_cast<std::size_t>(values.integer("iterations")),
                                .max_delay_samples = values.number("max_delay_samples"),
                                .location_pannings = static_cast<std::size_t>(values.integer("pannings")),
                                .location_delays = delays,
                                .projection_delays = delays == 1 ? 1 : (delays + 1) / 2};  // nussl: 17 locations, 9 projections
    options.validate();
    return std::make_unique<ProjetSeparator>(format, stft_options(format.sample_rate, values.number("window_ms")), options, seed);
  };
  return method;
}

}  // namespace unbraid::classic
