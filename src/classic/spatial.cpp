// Sources of a stereo recording by where they stand: clusters of the bins' directions.
//
// Up to level and phase, the two channels of a bin are a point on a sphere: with θ = 2·atan2(|R|, |L|) − π/2 the level
// difference and φ = ∠(R/L) the phase difference,
//   (sin θ, w·cos θ·cos φ, w·cos θ·sin φ)
// where w weighs phase against level. k-means over the louder bins finds the directions; a bin belongs to a direction
// by d^(−2q)/Σ d^(−2q) of its distances d, the memberships of fuzzy c-means (Bezdek 1981) with fuzzifier 1 + 1/q.
// After nussl.separation.spatial.SpatialClustering, which clusters IPD modulo π (so that −0 becomes π) beside ILD in dB;
// on the sphere both are continuous and of one scale.
//
// With clusters=gmm a mixture of Gaussians takes the place of k-means (gmm.hpp), and a bin belongs to a direction with the
// probability that the mixture gives it: directions may then be narrow or wide, loud or quiet.
//
// Whole-track. Time O(frames·bins·sources).

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <numeric>
#include <span>
#include <utility>

#include "classic/gmm.hpp"
#include "classic/kmeans.hpp"
#include "classic/masking_separator.hpp"
#include "classic/masks.hpp"
#include "classic/unnamed_sources.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

constexpr std::size_t kDimensions = 3;

struct SpatialOptions {
  std::size_t sources;
  double phase_weight;
  double loudest_share;  ///< of the bins, for finding the directions
  double sharpness;
  bool gaussian;
  std::uint64_t seed;
};

/// The directions from left to right, and for Gaussian clusters how they spread.
struct Places {
  std::vector<double> centres;
  Mixture mixture = {};
};

std::array<double, kDimensions> direction(std::complex<float> left, std::complex<float> right, double phase_weight) {
  const double l = std::abs(left), r = std::abs(right);
  const double power = l * l + r * r;
  if (!(power > 0)) return {0, phase_weight, 0};
  // sin θ = (r² − l²)/(r² + l²), and cos θ·exp(iφ) = 2·R·conj(L)/(r² + l²).
  const std::complex<double> cross = std::complex<double>(right) * std::conj(std::complex<double>(left));
  return {(r * r - l * l) / power, phase_weight * 2 * cross.real() / power, phase_weight * 2 * cross.imag() / power};
}

/// The centres, from left to right.
Places directions(const dsp::Spectrogram<float>& mix, const SpatialOptions& options, RunContext& run) {
  const dsp::Magnitudes<float> level = joint_magnitudes(mix, run.pool);
  std::vector<float> sorted(level.values().begin(), level.values().end());
  const auto rank = static_cast<std::size_t>((1 - options.loudest_share) * static_cast<double>(sorted.size() - 1));
  std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(rank));
  const float cutoff = sorted[rank];
  std::vector<double> points, weights;
  for (std::size_t m = 0; m < mix.frames(); ++m)
    for (std::size_t k = 0; k < mix.bins(); ++k) {
      if (level.at(0, m, k) < cutoff || !(level.at(0, m, k) > 0)) continue;
      const auto point = direction(mix.at(0, m, k), mix.at(1, m, k), options.phase_weight);
      points.insert(points.end(), point.begin(), point.end());
      weights.push_back(level.at(0, m, k));
    }
  if (options.gaussian) {
    const Mixture found = fit_gmm(points, kDimensions, weights, {.clusters = options.sources, .seed = options.seed}, run);
    std::vector<std::size_t> order(options.sources);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t j) { return found.means[kDimensions * j]; });
    Mixture ordered{.dimensions = kDimensions};
    for (const std::size_t j : order) {
      const auto row = [&](const std::vector<double>& values) { return std::span(values).subspan(kDimensions * j, kDimensions); };
      ordered.shares.push_back(found.shares[j]);
      ordered.means.insert(ordered.means.end(), row(found.means).begin(), row(found.means).end());
      ordered.variances.insert(ordered.variances.end(), row(found.variances).begin(), row(found.variances).end());
    }
    return {.centres = ordered.means, .mixture = ordered};
  }
  const std::vector<double> centres =
      kmeans(points, kDimensions, weights, {.clusters = options.sources, .seed = options.seed}, run).centres;
  std::vector<std::array<double, kDimensions>> rows(options.sources);
  for (std::size_t j = 0; j < rows.size(); ++j) std::copy_n(centres.begin() + 3 * static_cast<std::ptrdiff_t>(j), 3, rows[j].begin());
  std::ranges::sort(rows);
  std::vector<double> ordered;
  for (const auto& row : rows) ordered.insert(ordered.end(), row.begin(), row.end());
  return {.centres = ordered};
}

std::vector<dsp::Mask<float>> memberships(const dsp::Spectrogram<float>& mix, const Places& places, const SpatialOptions& options,
                                          ThreadPool& pool) {
  std::vector<dsp::Mask<float>> masks(options.sources, dsp::Mask<float>(1, mix.frames(), mix.bins()));
  pool.parallel_for(
      mix.frames(),
      [&](std::size_t m) {
        std::vector<double> weights(options.sources);
        for (std::size_t k = 0; k < mix.bins(); ++k) {
          const auto point = direction(mix.at(0, m, k), mix.at(1, m, k), options.phase_weight);
          double total = 0;
          if (options.gaussian) {
            places.mixture.responsibilities(point, weights);
            total = 1;
          }
          for (std::size_t j = 0; !options.gaussian && j < options.sources; ++j) {
            const double d = squared_distance(point, std::span(places.centres).subspan(kDimensions * j, kDimensions));
            weights[j] = std::pow(std::max(d, 1e-12), -options.sharpness);
            total += weights[j];
          }
          for (std::size_t j = 0; j < options.sources; ++j) masks[j].at(0, m, k) = static_cast<float>(weights[j] / total);
        }
      },
      8);
  return masks;
}

}  // namespace

Method spatial_method() {
  Method method{.name = "spatial",
                .summary = "sources of a stereo recording by where they stand, from left to right",
                .paper =
                    "Bezdek, Pattern recognition with fuzzy objective function algorithms, Plenum 1981; after nussl's "
                    "spatial clustering",
                .stems = source_names(2),
                .parameters = {sources_parameter(2),
                               window_parameter(93.0),
                               {.name = "phase_weight",
                                .help = "weight of phase differences against level differences; 0 for a mix that "
                                        "was panned by levels",
                                .value = 0.3,
                                .minimum = 0,
                                .maximum = 1},
                               {.name = "loudest_share",
                                .help = "share of the bins, the loudest, from which directions are learnt",
                                .value = 0.1,
                                .minimum = 0.001,
                                .maximum = 1,
                                .source = "nussl"},
                               {.name = "clusters",
                                .help = "k-means, or a mixture of Gaussians whose spreads are learnt as well",
                                .value = std::string("kmeans"),
                                .choices = {"kmeans", "gmm"}},
                               {.name = "sharpness",
                                .help = "how clearly a bin belongs to the nearest direction of k-means",
                                .value = 2.0,
                                .minimum = 0.1,
                                .maximum = 50}},
                .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t seed) {
    if (format.channels < 2)
      throw Error{ErrorCode::kUnsupported, "needs two channels: it tells sources apart by where they stand", "spatial"};
    const SpatialOptions options{.sources = number_of_sources(values),
                                 .phase_weight = values.number("phase_weight"),
                                 .loudest_share = values.number("loudest_share"),
                                 .sharpness = values.number("sharpness"),
                                 .gaussian = values.text("clusters") == "gmm",
                                 .seed = seed};
    return make_masking_separator(info_of_sources(format, options.sources), stft_options(format.sample_rate, values.number("window_ms")),
                                  [options](const dsp::Spectrogram<float>& mix, RunContext& run) {
                                    return memberships(mix, directions(mix, options, run), options, run.pool);
                                  });
  };
  return method;
}

}  // namespace unbraid::classic
