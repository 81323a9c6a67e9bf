#include "unbraid/classic/rpca.hpp"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "classic/background.hpp"
#include "classic/matrix.hpp"
#include "classic/symmetric_eigen.hpp"
#include "core/serial_blas.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::classic {

namespace {

constexpr std::size_t kSlices = 16;  ///< pieces of the rows that threads share; fixed, so that sums are

/// Matrices whose memory belongs to somebody else.
using View = Eigen::Map<Matrix<double>>;
using ConstView = Eigen::Map<const Matrix<double>>;
using Given = Eigen::Ref<const Matrix<double>>;

/// Calls body(first row, rows) for the slices.
template <class Body>
void for_slices(Eigen::Index rows, ThreadPool& pool, const Body& body) {
  pool.parallel_for(kSlices, [&](std::size_t s) {
    const auto slices = static_cast<Eigen::Index>(kSlices), slice = static_cast<Eigen::Index>(s);
    const Eigen::Index first = rows * slice / slices, last = rows * (slice + 1) / slices;
    if (last > first) body(s, first, last - first);
  });
}

/// out = a·b, or aᵀ·b, or a·bᵀ, for rows `first …` of out: rows × columns, inner values deep.
void product(CBLAS_TRANSPOSE turn_a, CBLAS_TRANSPOSE turn_b, Eigen::Index rows, Eigen::Index columns, Eigen::Index inner, const double* a,
             Eigen::Index a_stride, const double* b, Eigen::Index b_stride, double* out, Eigen::Index out_stride) {
  const auto whole = [](Eigen::Index i) { return static_cast<blasint>(i); };
  cblas_dgemm(CblasRowMajor, turn_a, turn_b, whole(rows), whole(columns), whole(inner), 1.0, a, whole(a_stride), b, whole(b_stride), 0.0,
              out, whole(out_stride));
}

/// mᵀ·m: the lower triangle in blocks of rows, the longest first; the rest mirrored.
Matrix<double> gram(const Given& m, ThreadPool& pool) {
  constexpr Eigen::Index kBlock = 128;
  const Eigen::Index n = m.cols(), blocks = (n + kBlock - 1) / kBlock;
  Matrix<double> result(n, n);
  pool.parallel_for(static_cast<std::size_t>(blocks), [&](std::size_t i) {
    const Eigen::Index first = (blocks - 1 - static_cast<Eigen::Index>(i)) * kBlock;
    const Eigen::Index rows = std::min(kBlock, n - first);
    product(CblasTrans, CblasNoTrans, rows, first + rows, m.rows(), m.data() + first, n, m.data(), n, result.data() + first * n, n);
  });
  result.triangularView<Eigen::StrictlyUpper>() = result.transpose();
  return result;
}

double greatest_singular_value(const Given& m, ThreadPool& pool) {
  const Eigenpairs pairs = greatest_eigenpairs(gram(m, pool), 1);
  return pairs.values.size() > 0 ? std::sqrt(std::max(0.0, pairs.values(0))) : 0.0;
}

/// out = m with its singular values lowered by tau and those below 0 left out; returns how many are left.
std::size_t threshold_singular_values(const Given& m, double tau, View out, ThreadPool& pool) {
  const Eigenpairs pairs = eigenpairs_above(gram(m, pool), tau * tau);
  const Eigen::Index rank = pairs.values.size();
  if (rank == 0) {
    out.setZero();
    return 0;
  }
  // m·V·diag((s − τ)/s)·Vᵀ
  Matrix<double> weighted = pairs.vectors;
  for (Eigen::Index r = 0; r < rank; ++r) {
    const double value = std::sqrt(pairs.values(r));
    weighted.row(r) *= (value - tau) / value;
  }
  for_slices(m.rows(), pool, [&](std::size_t, Eigen::Index first, Eigen::Index count) {
    Matrix<double> projected(count, rank);
    product(CblasNoTrans, CblasTrans, count, rank, m.cols(), m.data() + first * m.cols(), m.cols(), pairs.vectors.data(), m.cols(),
            projected.data(), rank);
    product(CblasNoTrans, CblasNoTrans, count, m.cols(), rank, projected.data(), rank, weighted.data(), m.cols(),
            out.data() + first * m.cols(), m.cols());
  });
  return static_cast<std::size_t>(rank);
}

/// The method on a matrix with at least as many rows as columns; the parts have its shape and start at 0.
struct Solver {
  const ConstView v;
  View low_rank, sparse;
  Matrix<double> multiplier, work;

  Solver(ConstView matrix, LowRankSparse& result)
      : v(matrix),
        low_rank(result.low_rank.data(), v.rows(), v.cols()),
        sparse(result.sparse.data(), v.rows(), v.cols()),
        multiplier(v.rows(), v.cols()),
        work(v.rows(), v.cols()) {}

  void solve(const RpcaOptions& options, RunContext& run, LowRankSparse& result) {
    const SerialBlas serial;
    const double norm = v.norm();
    if (norm == 0) return;
    const double lambda = 1 / std::sqrt(static_cast<double>(v.rows()));
    run.progress.start("factor", options.iterations, "iterations");
    const double two_norm = greatest_singular_value(v, run.pool);
    multiplier = v / std::max(two_norm, v.cwiseAbs().maxCoeff() / lambda);
    double mu = 1.25 / two_norm;
    const double mu_most = mu * 1e7;
    constexpr double kRho = 1.5;
    result.error = 1;
    while (result.iterations < options.iterations && result.error >= options.tolerance) {
      run.cancel.check();
      ++result.iterations;
      for_slices(v.rows(), run.pool, [&](std::size_t, Eigen::Index first, Eigen::Index n) {
        work.middleRows(first, n) = v.middleRows(first, n) - sparse.middleRows(first, n) + multiplier.middleRows(first, n) / mu;
      });
      result.rank = threshold_singular_values(work, 1 / mu, low_rank, run.pool);
      std::vector<double> squares(kSlices);
      for_slices(v.rows(), run.pool,
                 [&](std::size_t s, Eigen::Index first, Eigen::Index n) { squares[s] = shrink_and_multiply(first, n, mu, lambda / mu); });
      double square = 0;
      for (const double part : squares) square += part;
      result.error = std::sqrt(square) / norm;
      mu = std::min(mu * kRho, mu_most);
      run.progress.advance(1);
    }
  }

  /// The sparse part and the multiplier of some rows; returns the squared residual.
  double shrink_and_multiply(Eigen::Index first, Eigen::Index rows, double mu, double tau) {
    const Eigen::Index columns = v.cols();
    const double* x = v.data() + first * columns;
    const double* l = low_rank.data() + first * columns;
    double* s = sparse.data() + first * columns;
    double* y = multiplier.data() + first * columns;
    double square = 0;
    for (Eigen::Index i = 0; i < rows * columns; ++i) {
      const double rest = x[i] - l[i];
      const double wanted = rest + y[i] / mu;
      s[i] = std::copysign(std::max(std::abs(wanted) - tau, 0.0), wanted);
      const double residual = rest - s[i];
      y[i] += mu * residual;
      square += residual * residual;
    }
    return square;
  }
};

/// Of rpca() with its argument and its result.
std::size_t working_bytes(std::size_t frames, std::size_t bins) {
  const std::size_t matrices = frames < bins ? 6 : 5, smaller = std::min(frames, bins);
  return (matrices * frames * bins + 4 * smaller * smaller) * sizeof(double);  // a Gram matrix, its eigenvectors, their workspace
}

}  // namespace

void RpcaOptions::validate() const {
  if (iterations < 1) throw Error{ErrorCode::kUsage, "must be at least 1", "iterations"};
  if (!(tolerance > 0)) throw Error{ErrorCode::kUsage, "must be above 0", "tolerance"};
  if (!(gain > 0)) throw Error{ErrorCode::kUsage, "must be above 0", "gain"};
}

LowRankSparse rpca(std::span<const double> v, std::size_t frames, std::size_t bins, const RpcaOptions& options, RunContext& run) {
  options.validate();
  if (v.size() != frames * bins) throw Error{ErrorCode::kUsage, "the matrix has another shape", "rpca"};
  LowRankSparse result{std::vector<double>(v.size()), std::vector<double>(v.size())};
  if (v.empty()) return result;
  const auto rows = static_cast<Eigen::Index>(frames), columns = static_cast<Eigen::Index>(bins);
  const ConstView given(v.data(), rows, columns);
  if (frames >= bins) {
    Solver(given, result).solve(options, run, result);
    return result;
  }
  const Matrix<double> tall = given.transpose();
  Solver solver({tall.data(), columns, rows}, result);
  solver.solve(options, run, result);
  for (std::vector<double>* part : {&result.low_rank, &result.sparse}) {
    solver.work = View(part->data(), columns, rows);
    View(part->data(), rows, columns) = solver.work.transpose();
  }
  return result;
}

template <class T>
dsp::Mask<T> rpca_mask(const dsp::Magnitudes<T>& magnitudes, const RpcaOptions& options, RunContext& run) {
  dsp::Mask<T> mask(magnitudes.channels(), magnitudes.frames(), magnitudes.bins());
  const std::size_t values = magnitudes.frames() * magnitudes.bins();
  for (std::size_t c = 0; c < magnitudes.channels(); ++c) {
    const auto channel = magnitudes.values().subspan(c * values, values);
    const std::vector<double> v(channel.begin(), channel.end());
    const LowRankSparse parts = rpca(v, magnitudes.frames(), magnitudes.bins(), options, run);
    const std::span<T> out = mask.values().subspan(c * values, values);
    for (std::size_t i = 0; i < values; ++i) {
      const double background = std::abs(parts.low_rank[i]), foreground = options.gain * std::abs(parts.sparse[i]);
      const double soft = background + foreground > 0 ? background / (background + foreground) : 1.0;
      const double weight = options.hard ? (foreground <= background ? 1.0 : 0.0) : soft;
      out[i] = static_cast<T>(i % magnitudes.bins() < options.first_bin ? 1.0 : weight);
    }
  }
  return mask;
}

template dsp::Mask<float> rpca_mask<float>(const dsp::Magnitudes<float>&, const RpcaOptions&, RunContext&);
template dsp::Mask<double> rpca_mask<double>(const dsp::Magnitudes<double>&, const RpcaOptions&, RunContext&);

Method rpca_method() {
  Method method{
      .name = "rpca",
      .summary = "repetitive background (accompaniment) and sparse foreground (voice), as low-rank and sparse parts",
      .paper =
          "Huang, Chen, Smaragdis, Hasegawa-Johnson, Singing-voice separation from monaural recordings using "
          "robust principal component analysis, ICASSP 2012; Lin, Chen, Ma, arXiv:1009.5055",
      .stems = background_stems(),
      .parameters = {window_parameter(46.0),
                     {.name = "iterations", .help = "most iterations", .value = std::int64_t{100}, .minimum = 1, .maximum = 10000},
                     {.name = "tolerance",
                      .help = "relative residual at which to stop",
                      .value = 1e-7,
                      .minimum = 1e-12,
                      .maximum = 1,
                      .source = "Lin, Chen, Ma"},
                     {.name = "gain",
                      .help = "weight of the sparse part in the mask",
                      .value = 1.0,
                      .minimum = 0.01,
                      .maximum = 100,
                      .source = "Huang et al. 2012, eq. 6"},
                     {.name = "mask",
                      .help = "soft masks share each bin, hard ones give it to the louder part",
                      .value = std::string("soft"),
                      .choices = {"soft", "hard"}},
                     high_pass_parameter()},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) {
    const dsp::StftOptions stft = stft_options(format.sample_rate, values.number("window_ms"));
    const RpcaOptions options{.iterations = static_cast<std::size_t>(values.integer("iterations")),
                              .tolerance = values.number("tolerance"),
                              .gain = values.number("gain"),
                              .hard = values.text("mask") == "hard",
                              .first_bin = first_bin(values, format.sample_rate, stft)};
    options.validate();
    return make_background_separator(
        format, stft, [options](const dsp::Magnitudes<float>& v, RunContext& run) { return rpca_mask(v, options, run); },
        [hop = stft.hop, bins = stft.window.length / 2 + 1](std::size_t frames) { return working_bytes(frames / hop + 2, bins); });
  };
  return method;
}

}  // namespace unbraid::classic
