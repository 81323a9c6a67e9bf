#include "unbraid/classic/ica.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "classic/matrix.hpp"
#include "classic/symmetric_eigen.hpp"
#include "classic/tanh.hpp"
#include "classic/unnamed_sources.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

constexpr std::size_t kSlice = 1 << 16;  ///< frames whose sums one task makes; fixed, so that the totals are

/// Σ over the slices of body(first, count), in their order.
template <class Body>
Matrix<double> sum_slices(std::size_t frames, Eigen::Index rows, Eigen::Index columns, ThreadPool& pool, const Body& body) {
  const std::size_t slices = (frames + kSlice - 1) / kSlice;
  std::vector<Matrix<double>> parts(slices);
  pool.parallel_for(slices, [&](std::size_t s) { parts[s] = body(s * kSlice, std::min(kSlice, frames - s * kSlice)); });
  Matrix<double> total = Matrix<double>::Zero(rows, columns);
  for (const Matrix<double>& part : parts) total += part;
  return total;
}

/// Frames [first, first + count) as a matrix [channel][frame] in double.
Matrix<double> slice(AudioView signal, std::size_t first, std::size_t count) {
  Matrix<double> out(signal.channels(), count);
  for (std::size_t c = 0; c < signal.channels(); ++c)
    for (std::size_t i = 0; i < count; ++i) out(static_cast<Eigen::Index>(c), static_cast<Eigen::Index>(i)) = signal.channel(c)[first + i];
  return out;
}

/// (W Wᵀ)^(−1/2) W
Matrix<double> orthogonalised(const Matrix<double>& w) {
  const Eigenpairs pairs = greatest_eigenpairs(w * w.transpose(), static_cast<std::size_t>(w.rows()));
  const Eigen::VectorXd inverse_roots = pairs.values.array().max(1e-300).rsqrt();
  return pairs.vectors.transpose() * inverse_roots.asDiagonal() * pairs.vectors * w;
}

/// g(y) in place; returns the mean of g'(y) of each row times the columns.
Eigen::VectorXd contrast(Matrix<double>& y, IcaOptions::Contrast kind) {
  const auto a = y.array();
  switch (kind) {
    case IcaOptions::Contrast::kLogCosh: {
      y = tanh_of(y);
      return (1 - y.array().square()).rowwise().sum();
    }
    case IcaOptions::Contrast::kExp: {
      const Matrix<double> bell = (-a.square() / 2).exp();
      const Eigen::VectorXd slopes = ((1 - a.square()) * bell.array()).rowwise().sum();
      y = (a * bell.array()).eval();
      return slopes;
    }
    case IcaOptions::Contrast::kCube: break;
  }
  const Eigen::VectorXd slopes = (3 * a.square()).rowwise().sum();
  y = a.cube().eval();
  return slopes;
}

}  // namespace

void IcaOptions::validate() const {
  if (iterations < 1) throw Error{ErrorCode::kUsage, "must be at least 1", "iterations"};
  if (!(tolerance > 0)) throw Error{ErrorCode::kUsage, "must be above 0", "tolerance"};
}

IcaResult fast_ica(AudioView recording, const IcaOptions& options, RunContext& run) {
  options.validate();
  const std::size_t frames = recording.frames();
  const auto channels = static_cast<Eigen::Index>(recording.channels());
  IcaResult result{.channels = recording.channels(), .means = std::vector<double>(recording.channels())};
  if (recording.empty()) return result;
  const auto n = static_cast<double>(frames);

  const Matrix<double> mean =
      sum_slices(frames, channels, 1, run.pool,
                 [&](std::size_t first, std::size_t count) { return Matrix<double>(slice(recording, first, count).rowwise().sum()); }) /
      n;
  Eigen::Map<Eigen::VectorXd>(result.means.data(), channels) = mean.col(0);
  const auto centred = [&](std::size_t first, std::size_t count) {
    return Matrix<double>(slice(recording, first, count).colwise() - mean.col(0));
  };
  const Matrix<double> covariance = sum_slices(frames, channels, channels, run.pool,
                                               [&](std::size_t first, std::size_t count) {
                                                 const Matrix<double> x = centred(first, count);
                                                 return Matrix<double>(x * x.transpose());
                                               }) /
                                    n;

  const Eigenpairs pairs = greatest_eigenpairs(covariance, recording.channels());
  Eigen::Index rank = 0;
  while (rank < channels && pairs.values(rank) > 1e-10 * pairs.values(0) && pairs.values(rank) > 0) ++rank;
  if (rank == 0) return result;
  const Eigen::VectorXd deviations = pairs.values.head(rank).array().sqrt();
  const Matrix<double> whitening = deviations.cwiseInverse().asDiagonal() * pairs.vectors.topRows(rank);

  // Any start but one along an axis of symmetry: a rotation by 1 radian between neighbours.
  Matrix<double> unmixing = Matrix<double>::Identity(rank, rank);
  for (Eigen::Index i = 0; i + 1 < rank; ++i) unmixing(i, i + 1) = -(unmixing(i + 1, i) = std::tan(0.5));
  unmixing = orthogonalised(unmixing);
  run.progress.start("unmix", options.iterations, "iterations");
  for (std::size_t iteration = 0; iteration < options.iterations; ++iteration) {
    run.cancel.check();
    // E[g(Wz) zᵀ] − diag(E[g'(Wz)]) W; the slopes ride in one more column.
    const Matrix<double> sums = sum_slices(frames, rank, rank + 1, run.pool,
                                           [&](std::size_t first, std::size_t count) {
                                             const Matrix<double> z = whitening * centred(first, count);
                                             Matrix<double> y = unmixing * z;
                                             Matrix<double> part(rank, rank + 1);
                                             part.col(rank) = contrast(y, options.contrast);
                                             part.leftCols(rank).noalias() = y * z.transpose();
                                             return part;
                                           }) /
                                n;
    const Eigen::VectorXd slopes = sums.col(rank);
    const Matrix<double> next = orthogonalised(sums.leftCols(rank) - slopes.asDiagonal() * unmixing);
    const double change = ((next * unmixing.transpose()).diagonal().cwiseAbs().array() - 1).abs().maxCoeff();
    unmixing = next;
    run.progress.advance(1);
    if (change < options.tolerance) break;
  }

  const Matrix<double> to_sources = unmixing * whitening;
  Matrix<double> mixing = pairs.vectors.topRows(rank).transpose() * deviations.asDiagonal() * unmixing.transpose();
  // Order by energy in the recording, sign by the greatest coefficient.
  std::vector<Eigen::Index> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](Eigen::Index j) { return mixing.col(j).squaredNorm(); });
  result.sources = order.size();
  result.mixing.resize(recording.channels() * result.sources);
  result.activations = AudioBuffer(result.sources, frames);
  Matrix<double> sorted(rank, channels);
  for (std::size_t j = 0; j < order.size(); ++j) {
    const auto column = mixing.col(order[j]);
    Eigen::Index greatest = 0;
    column.cwiseAbs().maxCoeff(&greatest);
    const double sign = column(greatest) < 0 ? -1 : 1;
    sorted.row(static_cast<Eigen::Index>(j)) = sign * to_sources.row(order[j]);
    for (std::size_t c = 0; c < recording.channels(); ++c)
      result.mixing[c * result.sources + j] = sign * column(static_cast<Eigen::Index>(c));
  }
  run.pool.parallel_ranges(frames, kSlice, [&](std::size_t first, std::size_t last) {
    const Matrix<double> s = sorted * centred(first, last - first);
    for (std::size_t j = 0; j < result.sources; ++j)
      for (std::size_t i = first; i < last; ++i)
        result.activations.channel(j)[i] = static_cast<float>(s(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(i - first)));
  });
  return result;
}

namespace {

/// Each source as it sounds in the recording: its column of the mixing matrix times its activation. What is left (the
/// mean, rounding) belongs to the last.
class IcaSeparator final : public Separator {
 public:
  IcaSeparator(const StreamFormat& format, const IcaOptions& options) : options_(options) {
    info_ = info_of_sources(format, format.channels);
    info_.working_bytes = [channels = format.channels](std::size_t frames) {
      return frames * channels * sizeof(float) + 4 * kSlice * channels * sizeof(double);
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems(info_.stems, block.channels(), block.frames());
    const IcaResult ica = fast_ica(block, options_, run);
    AudioBuffer& rest = stems[stems.size() - 1].audio;
    copy(block, rest);
    for (std::size_t j = 0; j + 1 < stems.size() && j < ica.sources; ++j) {
      for (std::size_t c = 0; c < block.channels(); ++c) {
        const auto gain = static_cast<float>(ica.mixing[c * ica.sources + j]);
        std::ranges::transform(ica.activations.channel(j), stems[j].audio.channel(c).begin(), [gain](float s) { return gain * s; });
      }
      add_scaled(stems[j].audio, -1.0f, rest);
    }
    return stems;
  }

 private:
  SeparatorInfo info_;
  IcaOptions options_;
};

}  // namespace

Method ica_method() {
  Method method{
      .name = "ica",
      .summary = "independent sources, as many as channels, from microphones or a mix without echo or delay",
      .paper =
          "Hyvärinen, Oja, Independent component analysis: algorithms and applications, Neural Networks 13(4-5), "
          "2000",
      .stems = source_names(2),
      .parameters =
          {{.name = "contrast", .help = "measure of independence", .value = std::string("logcosh"), .choices = {"logcosh", "exp", "cube"}},
           {.name = "iterations", .help = "most iterations", .value = std::int64_t{200}, .minimum = 1, .maximum = 100000},
           {.name = "tolerance", .help = "change at which to stop", .value = 1e-6, .minimum = 1e-12, .maximum = 1}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
    if (format.channels < 2) throw Error{ErrorCode::kUnsupported, "needs two channels: it finds as many sources as channels", "ica"};
    const std::string& contrast = values.text("contrast");
    const IcaOptions options{.contrast = contrast == "exp"    ? IcaOptions::Contrast::kExp
                                         : contrast == "cube" ? IcaOptions::Contrast::kCube
                                                              : IcaOptions::Contrast::kLogCosh,
                             .iterations = static_cast<std::size_t>(values.integer("iterations")),
                             .tolerance = values.number("tolerance")};
    options.validate();
    return std::make_unique<IcaSeparator>(format, options);
  };
  return method;
}

}  // namespace unbraid::classic
