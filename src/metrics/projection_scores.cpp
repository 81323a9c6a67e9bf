#include "unbraid/metrics/projection_scores.hpp"

#include <fmt/format.h>
#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "unbraid/core/error.hpp"

namespace unbraid::metrics {

namespace {

constexpr std::size_t kBlock = 4096;  ///< frames turned into doubles at a time

using Matrix = Eigen::MatrixXd;

void load(std::span<const AudioView> views, std::size_t channel, std::size_t first, std::size_t count, Matrix& out) {
  out.resize(static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(views.size()));
  for (std::size_t j = 0; j < views.size(); ++j)
    out.col(static_cast<Eigen::Index>(j)) =
        Eigen::Map<const Eigen::VectorXf>(views[j].channel(channel).data() + first, static_cast<Eigen::Index>(count)).cast<double>();
}

double decibels(double above, double below) { return 10 * std::log10(above / below); }

}  // namespace

std::vector<ProjectionScores> projection_scores(std::span<const AudioView> references, std::span<const AudioView> estimates) {
  if (references.empty() || references.size() != estimates.size())
    throw Error{ErrorCode::kUsage, fmt::format("{} references and {} estimates", references.size(), estimates.size())};
  const std::size_t channels = references[0].channels(), frames = estimates[0].frames();
  for (const auto views : {references, estimates})
    for (const AudioView& view : views)
      if (view.channels() != channels || view.frames() < frames)
        throw Error{ErrorCode::kUsage,
                    "references and estimates must have the same channels, and no reference may be "
                    "shorter than the estimates"};

  const auto count = static_cast<Eigen::Index>(references.size());
  std::vector<ProjectionScores> scores(references.size());
  Matrix s, x;
  const auto for_blocks = [&](std::size_t channel, const auto& body) {
    for (std::size_t first = 0; first < frames; first += kBlock) {
      const std::size_t length = std::min(kBlock, frames - first);
      load(references, channel, first, length, s);
      load(estimates, channel, first, length, x);
      body();
    }
  };
  for (std::size_t c = 0; c < channels; ++c) {
    Matrix gram = Matrix::Zero(count, count), dots = Matrix::Zero(count, count);
    for_blocks(c, [&] {
      gram += s.transpose() * s;
      dots += s.transpose() * x;
    });
    const Matrix gains = Eigen::CompleteOrthogonalDecomposition<Matrix>(gram).solve(dots);

    Eigen::ArrayXd target(count), distortion = Eigen::ArrayXd::Zero(count), interference = distortion, artifacts = distortion,
                                  projected = distortion;
    const Eigen::ArrayXd alpha = dots.diagonal().array() / gram.diagonal().array();
    target = alpha.square() * gram.diagonal().array();
    for_blocks(c, [&] {
      const Matrix p = s * gains;
      for (Eigen::Index j = 0; j < count; ++j) {
        const auto scaled = alpha[j] * s.col(j);
        distortion[j] += (x.col(j) - scaled).squaredNorm();
        interference[j] += count == 1 ? 0.0 : (p.col(j) - scaled).squaredNorm();
        projected[j] += p.col(j).squaredNorm();
        artifacts[j] += (x.col(j) - p.col(j)).squaredNorm();
      }
    });
    for (Eigen::Index j = 0; j < count; ++j) {
      ProjectionScores& score = scores[static_cast<std::size_t>(j)];
      score.sdr.push_back(decibels(target[j], distortion[j]));
      score.sir.push_back(decibels(target[j], interference[j]));
      score.sar.push_back(std::isnan(target[j]) ? target[j] : decibels(projected[j], artifacts[j]));
    }
  }
  return scores;
}

}  // namespace unbraid::metrics
