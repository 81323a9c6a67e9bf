#include "unbraid/metrics/scale_invariant.hpp"

#include <fmt/format.h>
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "unbraid/core/error.hpp"

namespace unbraid::metrics {

namespace {

constexpr std::size_t kMaxPermuted = 8;
constexpr std::size_t kBlock = 4096;  ///< frames turned into doubles at a time: all signals' blocks fit the cache

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// A channel of some signals, summed up, without its mean.
class Signal {
 public:
  Signal(std::vector<std::span<const float>> parts, bool remove_mean) : parts_(std::move(parts)) {
    if (!remove_mean || frames() == 0) return;
    double sum = 0;
    for (const auto part : parts_)
      sum += Eigen::Map<const Eigen::ArrayXf>(part.data(), static_cast<Eigen::Index>(part.size())).cast<double>().sum();
    mean_ = sum / static_cast<double>(frames());
  }

  std::size_t frames() const { return parts_[0].size(); }

  template <class Column>
  void load(std::size_t first, Column&& out) const {
    out.setConstant(-mean_);
    for (const auto part : parts_) out += Eigen::Map<const Eigen::VectorXf>(part.data() + first, out.size()).template cast<double>();
  }

 private:
  std::vector<std::span<const float>> parts_;
  double mean_ = 0;
};

/// Calls body(s, x) for block after block: a column per reference, and the estimate.
template <class Body>
void for_blocks(const std::vector<Signal>& references, const Signal& estimate, const Body& body) {
  const std::size_t frames = estimate.frames();
  Matrix s;
  Vector x;
  for (std::size_t first = 0; first < frames; first += kBlock) {
    const auto count = static_cast<Eigen::Index>(std::min(kBlock, frames - first));
    s.resize(count, static_cast<Eigen::Index>(references.size()));
    x.resize(count);
    for (std::size_t j = 0; j < references.size(); ++j) references[j].load(first, s.col(static_cast<Eigen::Index>(j)));
    estimate.load(first, x);
    body(s, x);
  }
}

double decibels(double above, double below) { return 10 * std::log10(above / below); }

/// The scores of one estimate against each of the references. `gram` is SᵀS, or empty when interference is not asked.
std::vector<ScaleScores> score_channel(const std::vector<Signal>& references, const std::vector<double>& energies, const Signal& estimate,
                                       const Matrix& gram) {
  const auto count = static_cast<Eigen::Index>(references.size());
  // Each pass sums what the one before made known: dot products; residuals; what the projection leaves of them.
  Vector dots = Vector::Zero(count);
  for_blocks(references, estimate, [&](const Matrix& s, const Vector& x) { dots += s.transpose() * x; });
  const Vector alpha = dots.cwiseQuotient(Eigen::Map<const Vector>(energies.data(), count));

  Vector residual = Vector::Zero(count), error = Vector::Zero(count);
  Matrix onto = Matrix::Zero(count, count);  // column j: Sᵀ·(ŝ − α_j·s_j)
  Vector e;
  for_blocks(references, estimate, [&](const Matrix& s, const Vector& x) {
    for (Eigen::Index j = 0; j < count; ++j) {
      error[j] += (x - s.col(j)).squaredNorm();
      e = x - alpha[j] * s.col(j);
      residual[j] += e.squaredNorm();
      if (gram.size() > 0) onto.col(j) += s.transpose() * e;
    }
  });

  std::vector<ScaleScores> scores(references.size());
  for (Eigen::Index j = 0; j < count; ++j) {
    const double energy = energies[static_cast<std::size_t>(j)];
    if (energy == 0) continue;
    const double target = alpha[j] * alpha[j] * energy;
    ScaleScores& score = scores[static_cast<std::size_t>(j)];
    score.snr = decibels(energy, error[j]);
    score.si_sdr = decibels(target, residual[j]);
    score.srr = -10 * std::log10(std::pow(1 - 1 / alpha[j], 2));
    score.sd_sdr = score.snr + 10 * std::log10(alpha[j] * alpha[j]);
  }
  if (gram.size() == 0) return scores;

  // Rank-revealing, so that copies and silent references leave a well-defined projection.
  const Eigen::CompleteOrthogonalDecomposition<Matrix> solver(gram);
  const Matrix b = solver.solve(onto);
  Vector artifacts = Vector::Zero(count), interference = Vector::Zero(count);
  Vector projected;
  for_blocks(references, estimate, [&](const Matrix& s, const Vector& x) {
    for (Eigen::Index j = 0; j < count; ++j) {
      projected = s * b.col(j);
      interference[j] += projected.squaredNorm();
      artifacts[j] += (x - alpha[j] * s.col(j) - projected).squaredNorm();
    }
  });
  for (Eigen::Index j = 0; j < count; ++j) {
    const double energy = energies[static_cast<std::size_t>(j)];
    if (energy == 0) continue;
    const double target = alpha[j] * alpha[j] * energy;
    scores[static_cast<std::size_t>(j)].si_sir = decibels(target, interference[j]);
    scores[static_cast<std::size_t>(j)].si_sar = decibels(target, artifacts[j]);
  }
  return scores;
}

void check_shapes(std::span<const AudioView> references, std::span<const AudioView> estimates, AudioView mixture,
                  const ScaleOptions& options) {
  if (references.empty()) throw Error{ErrorCode::kUsage, "nothing to evaluate: no references"};
  if (estimates.size() < references.size())
    throw Error{ErrorCode::kUsage, fmt::format("{} estimates for {} references", estimates.size(), references.size())};
  if (options.permute && estimates.size() > kMaxPermuted)
    throw Error{ErrorCode::kUsage,
                fmt::format("the order of {} estimates cannot be searched for: at most {}", estimates.size(), kMaxPermuted)};
  const auto check = [&](AudioView view) {
    if (view.channels() != references[0].channels() || view.frames() != references[0].frames())
      throw Error{ErrorCode::kUsage, fmt::format("{} channels × {} frames among signals of {} × {}: all must have the same shape",
                                                 view.channels(), view.frames(), references[0].channels(), references[0].frames())};
  };
  std::ranges::for_each(references, check);
  std::ranges::for_each(estimates, check);
  if (!mixture.empty()) check(mixture);
}

/// The choice of estimates, in reference order, with the best mean over sources and channels; the first of equals.
std::vector<std::size_t> best_choice(std::size_t references, std::size_t estimates, const std::vector<std::vector<double>>& means) {
  std::vector<std::size_t> all(estimates), best;
  std::iota(all.begin(), all.end(), std::size_t{0});
  double best_mean = -std::numeric_limits<double>::infinity();
  // Orders of all estimates; those that differ only behind the references come more than once and change nothing.
  do {
    double sum = 0;
    for (std::size_t j = 0; j < references; ++j)
      if (!std::isnan(means[j][all[j]])) sum += means[j][all[j]];
    if (best.empty() || sum > best_mean) {
      best_mean = sum;
      best.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(references));
    }
  } while (std::ranges::next_permutation(all).found);
  return best;
}

}  // namespace

ScaleResult scale_scores(std::span<const AudioView> references, std::span<const AudioView> estimates, const ScaleOptions& options,
                         RunContext& run, AudioView mixture) {
  check_shapes(references, estimates, mixture, options);
  const std::size_t channels = references[0].channels(), sources = references.size();

  // Per channel: the references, the energies, the Gram matrix; then every estimate and the mixture against them.
  std::vector<std::vector<Signal>> signals(channels);
  std::vector<std::vector<double>> energies(channels, std::vector<double>(sources));
  std::vector<Matrix> grams(channels);
  run.pool.parallel_for(channels, [&](std::size_t c) {
    for (const AudioView& view : references) signals[c].emplace_back(std::vector{view.channel(c)}, options.remove_mean);
    Matrix gram = Matrix::Zero(static_cast<Eigen::Index>(sources), static_cast<Eigen::Index>(sources));
    for_blocks(signals[c], signals[c][0], [&](const Matrix& s, const Vector&) { gram += s.transpose() * s; });
    for (std::size_t j = 0; j < sources; ++j) energies[c][j] = gram(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(j));
    if (options.interference) grams[c] = std::move(gram);
  });

  const std::size_t rows = estimates.size() + 1;  // the last is the mixture
  std::vector<std::vector<ScaleScores>> table(channels * rows);
  run.pool.parallel_for(channels * rows, [&](std::size_t i) {
    run.cancel.check();
    const std::size_t c = i / rows, e = i % rows;
    std::vector<std::span<const float>> parts;
    if (e < estimates.size()) parts.push_back(estimates[e].channel(c));
    else if (!mixture.empty()) parts.push_back(mixture.channel(c));
    else
      for (const AudioView& view : references) parts.push_back(view.channel(c));
    table[i] =
        score_channel(signals[c], energies[c], Signal(std::move(parts), options.remove_mean), e < estimates.size() ? grams[c] : Matrix());
  });

  std::vector<std::size_t> choice(sources);
  std::iota(choice.begin(), choice.end(), std::size_t{0});
  if (options.permute) {
    std::vector<std::vector<double>> means(sources, std::vector<double>(estimates.size()));
    for (std::size_t j = 0; j < sources; ++j)
      for (std::size_t e = 0; e < estimates.size(); ++e)
        for (std::size_t c = 0; c < channels; ++c) means[j][e] += table[c * rows + e][j].*options.permutation_key;
    choice = best_choice(sources, estimates.size(), means);
  }

  ScaleResult result{.sources = std::vector<ScaleSource>(sources)};
  for (std::size_t j = 0; j < sources; ++j) {
    ScaleSource& source = result.sources[j];
    source.estimate = choice[j];
    bool heard = false;
    for (std::size_t c = 0; c < channels; ++c) {
      source.channels.push_back(table[c * rows + choice[j]][j]);
      source.mixture.push_back(table[c * rows + rows - 1][j]);
      heard = heard || energies[c][j] != 0;
    }
    if (!heard) source.not_applicable = "the reference is silent throughout";
  }
  return result;
}

}  // namespace unbraid::metrics
