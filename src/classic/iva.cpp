#include "unbraid/classic/iva.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <memory>
#include <utility>

#include "classic/masking_separator.hpp"
#include "classic/matrix.hpp"
#include "classic/unnamed_sources.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/dsp/stft.hpp"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace unbraid::classic {

namespace {

using Complex = std::complex<double>;
using Square = Eigen::MatrixXcd;
constexpr int kMostChannels = 16;
using Vector = Eigen::Matrix<Complex, Eigen::Dynamic, 1, 0, kMostChannels, 1>;  ///< on the stack: there is one per bin and frame
constexpr std::size_t kFrames = 128;                                            ///< frames that go to a thread at a time

/// (W Wᴴ)^(−1/2) W
Square orthogonalised(const Square& w) {
  const Eigen::SelfAdjointEigenSolver<Square> pairs(w * w.adjoint());
  const Eigen::VectorXd roots = pairs.eigenvalues().cwiseMax(1e-300).cwiseSqrt().cwiseInverse();
  return pairs.eigenvectors() * roots.asDiagonal() * pairs.eigenvectors().adjoint() * w;
}

/// One bin: rows of `unmixing` are wᴴ, on the whitened mixture.
struct Bin {
  bool separable = false;  ///< its channels are linearly independent
  Square whitening, unmixing;
  Square whole() const { return unmixing * whitening; }
};

class FastIva {
 public:
  FastIva(const dsp::Spectrogram<float>& mix, RunContext& run)
      : mix_(mix), sources_(static_cast<Eigen::Index>(mix.channels())), bins_(mix.bins()), run_(run) {
    run_.pool.parallel_for(mix.bins(), [&](std::size_t k) { whiten(k); });
    powers_.resize(mix.channels() * mix.frames());
  }

  /// How far the vector that turned most is from where it was, as 1 − |cos|.
  double iterate() {
    measure_powers();
    std::vector<double> change(bins_.size());
    run_.pool.parallel_for(bins_.size(), [&](std::size_t k) {
      if (bins_[k].separable) change[k] = step(k);
    });
    return *std::ranges::max_element(change);
  }

  std::vector<dsp::Spectrogram<float>> images() const {
    std::vector<dsp::Spectrogram<float>> result(mix_.channels(), dsp::Spectrogram<float>(mix_.channels(), mix_.frames(), mix_.bins()));
    run_.pool.parallel_for(mix_.bins(), [&](std::size_t k) {
      const Bin& bin = bins_[k];
      if (!bin.separable) {
        for (std::size_t c = 0; c < mix_.channels(); ++c)
          for (std::size_t m = 0; m < mix_.frames(); ++m) result[0].at(c, m, k) = mix_.at(c, m, k);
        return;
      }
      const Square unmixing = bin.whole(), mixing = unmixing.inverse();
      for (std::size_t m = 0; m < mix_.frames(); ++m) {
        const Vector y = unmixing.lazyProduct(frame(m, k));
        for (std::size_t j = 0; j < result.size(); ++j)
          for (std::size_t c = 0; c < mix_.channels(); ++c)
            result[j].at(c, m, k) = std::complex<float>(mixing(index(c), index(j)) * y(index(j)));
      }
    });
    return result;
  }

 private:
  static Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

  Vector frame(std::size_t m, std::size_t k) const {
    Vector x(sources_);
    for (Eigen::Index c = 0; c < sources_; ++c) x(c) = mix_.at(static_cast<std::size_t>(c), m, k);
    return x;
  }

  void whiten(std::size_t k) {
    Square covariance = Square::Zero(sources_, sources_);
    for (std::size_t m = 0; m < mix_.frames(); ++m) {
      const Vector x = frame(m, k);
      covariance += x.lazyProduct(x.adjoint());
    }
    covariance /= static_cast<double>(mix_.frames());
    const Eigen::SelfAdjointEigenSolver<Square> pairs(covariance);  // ascending
    const double least = pairs.eigenvalues()(0), greatest = pairs.eigenvalues()(sources_ - 1);
    bins_[k].separable = greatest > 0 && least > 1e-10 * greatest;
    if (!bins_[k].separable) return;
    bins_[k].whitening = pairs.eigenvalues().cwiseSqrt().cwiseInverse().asDiagonal() * pairs.eigenvectors().adjoint();
    bins_[k].unmixing = Square::Identity(sources_, sources_);
  }

  /// Σ over the bins of |y|², for every source and frame.
  void measure_powers() {
    std::vector<Square> whole(bins_.size());
    for (std::size_t k = 0; k < bins_.size(); ++k)
      if (bins_[k].separable) whole[k] = bins_[k].whole();
    const std::size_t frames = mix_.frames();
    run_.pool.parallel_ranges(frames, kFrames, [&](std::size_t first, std::size_t last) {
      for (std::size_t m = first; m < last; ++m) {
        Eigen::VectorXd power = Eigen::VectorXd::Zero(sources_);
        for (std::size_t k = 0; k < bins_.size(); ++k)
          if (bins_[k].separable) power += whole[k].lazyProduct(frame(m, k)).cwiseAbs2();
        for (Eigen::Index j = 0; j < sources_; ++j) powers_[static_cast<std::size_t>(j) * frames + m] = power(j);
      }
    });
    double total = 0;
    for (const double p : powers_) total += p;
    floor_ = std::max(1e-9 * total / static_cast<double>(powers_.size()), 1e-300);
  }

  double step(std::size_t k) {
    Bin& bin = bins_[k];
    Square next = Square::Zero(sources_, sources_);  // rows wᴴ
    Eigen::VectorXd slope = Eigen::VectorXd::Zero(sources_);
    const auto frames = static_cast<double>(mix_.frames());
    for (std::size_t m = 0; m < mix_.frames(); ++m) {
      const Vector z = bin.whitening.lazyProduct(frame(m, k)), y = bin.unmixing.lazyProduct(z);
      for (Eigen::Index j = 0; j < sources_; ++j) {
        const double r = std::max(powers_[static_cast<std::size_t>(j) * mix_.frames() + m], floor_);
        const double first = 0.5 / std::sqrt(r), second = -0.5 * first / r;  // G′ and G″ of √r
        slope(j) += first + std::norm(y(j)) * second;
        next.row(j) -= (first / frames) * y(j) * z.adjoint();
      }
    }
    for (Eigen::Index j = 0; j < sources_; ++j) next.row(j) += (slope(j) / frames) * bin.unmixing.row(j);
    next = orthogonalised(next);
    double change = 0;
    for (Eigen::Index j = 0; j < sources_; ++j) change = std::max(change, 1 - std::abs(next.row(j).dot(bin.unmixing.row(j))));
    bin.unmixing = next;
    return change;
  }

  const dsp::Spectrogram<float>& mix_;
  Eigen::Index sources_;
  std::vector<Bin> bins_;
  std::vector<double> powers_;  ///< [source][frame]
  double floor_ = 0;
  RunContext& run_;
};

}  // namespace

void IvaOptions::validate() const {
  if (iterations == 0) throw Error{ErrorCode::kUsage, "must be at least 1", "iterations"};
  if (!(tolerance >= 0)) throw Error{ErrorCode::kUsage, "must not be negative", "tolerance"};
}

std::vector<dsp::Spectrogram<float>> fast_iva(const dsp::Spectrogram<float>& mix, const IvaOptions& options, RunContext& run) {
  options.validate();
  if (mix.channels() < 2) throw Error{ErrorCode::kUnsupported, "needs two channels: it finds as many sources as channels", "iva"};
  if (mix.channels() > kMostChannels) throw Error{ErrorCode::kUnsupported, "takes at most 16 channels", "iva"};
  if (mix.size() == 0) return std::vector<dsp::Spectrogram<float>>(mix.channels(), mix);
  FastIva iva(mix, run);
  run.progress.start("unmix", options.iterations, "iterations");
  for (std::size_t i = 0; i < options.iterations; ++i) {
    run.cancel.check();
    const double change = iva.iterate();
    run.progress.advance(1);
    if (change < options.tolerance) break;
  }
  return iva.images();
}

namespace {

class IvaSeparator final : public Separator {
 public:
  IvaSeparator(const StreamFormat& format, const IvaOptions& options, double window_ms)
      : options_(options), stft_(stft_options(format.sample_rate, window_ms)) {
    info_ = info_of_sources(format, format.channels);
    info_.working_bytes = [channels = format.channels](std::size_t frames) {
      return frames * channels * 4 * (channels + 1) * sizeof(std::complex<float>);
    };
  }

  const SeparatorInfo& info() const override { return info_; }

  Stems process(AudioView block, RunContext& run) override {
    Stems stems(info_.stems, block.channels(), block.frames());
    AudioBuffer& rest = stems[stems.size() - 1].audio;
    copy(block, rest);
    if (block.empty()) return stems;
    const auto images = fast_iva(stft_.forward(block, run.pool), options_, run);
    for (std::size_t j = 0; j + 1 < stems.size(); ++j) {
      stft_.inverse(images[j], stems[j].audio, run.pool);
      add_scaled(stems[j].audio, -1.0f, rest);
    }
    return stems;
  }

 private:
  SeparatorInfo info_;
  IvaOptions options_;
  dsp::Stft<float> stft_;
};

}  // namespace

Method iva_method() {
  Method method{
      .name = "iva",
      .summary = "independent sources, as many as channels, from microphones in a room",
      .paper =
          "Lee, Kim, Lee, Fast fixed-point independent vector analysis algorithms for convolutive blind source "
          "separation, Signal Processing 87(8), 2007",
      .stems = source_names(2),
      .parameters = {{.name = "window_ms",
                      .help = "length of the analysis window, rounded to a power of two samples; "
                              "longer than the echo",
                      .unit = "ms",
                      .value = 93.0,
                      .minimum = 1,
                      .maximum = 2000},
                     {.name = "iterations", .help = "most iterations", .value = std::int64_t{60}, .minimum = 1, .maximum = 100000},
                     {.name = "tolerance", .help = "change at which to stop", .value = 1e-6, .minimum = 0, .maximum = 1}},
      .whole_track = true};
  method.make = [](const StreamFormat& format, const ParameterValues& values, std::uint64_t) -> std::unique_ptr<Separator> {
    if (format.channels < 2) throw Error{ErrorCode::kUnsupported, "needs two channels: it finds as many sources as channels", "iva"};
    const IvaOptions options{.iterations = static_cast<std::size_t>(values.integer("iterations")), .tolerance = values.number("tolerance")};
    return std::make_unique<IvaSeparator>(format, options, values.number("window_ms"));
  };
  return method;
}

}  // namespace unbraid::classic
