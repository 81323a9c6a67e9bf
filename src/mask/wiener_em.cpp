#include "unbraid/mask/wiener_em.hpp"

// GCC 12 takes the placeholders in its own AVX-512 headers for uninitialised values where Eigen uses them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <Eigen/Dense>
#pragma GCC diagnostic pop

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <limits>

#include "mask/shape.hpp"
#include "unbraid/mask/apply.hpp"

namespace unbraid::mask {

namespace {

/// Bins side by side in one task: one cache line or more of every row, and whole vector registers.
constexpr std::size_t kLanes = 16;

using Lanes = std::array<double, kLanes>;

/// One complex number per bin.
struct ComplexLanes {
  Lanes re{}, im{};

  template <class T>
  void load(std::span<const std::complex<T>> row, std::size_t bin, std::size_t count) {
    for (std::size_t l = 0; l < count; ++l) {
      re[l] = row[bin + l].real();
      im[l] = row[bin + l].imag();
    }
  }
};

/// EM over all frames of up to kLanes bins, for one or two channels, where the matrices are inverted in
/// closed form. R_j and C are Hermitian: real diagonal (a, d) and one complex corner b above it. The determinant a·d − |b|²
/// of a source between two channels is nothing but √ε's part: in float it would be rounding, hence double for every T.
template <class T, std::size_t kChannels>
class NarrowEm {
 public:
  NarrowEm(std::vector<dsp::Spectrogram<T>>& sources, const dsp::Spectrogram<T>& mixture, double scale, double epsilon, std::size_t bin,
           std::size_t count)
      : sources_(sources), mixture_(mixture), scale_(scale), epsilon_(epsilon), bin_(bin), count_(count), covariances_(sources.size()) {}

  void iterate() {
    for (std::size_t j = 0; j < sources_.size(); ++j) covariances_[j] = spatial_covariance(j);
    for (std::size_t t = 0; t < mixture_.frames(); ++t) filter(t);
  }

 private:
  struct Hermitian {
    Lanes a{}, d{}, b_re{}, b_im{};
  };

  Lanes power(std::span<const ComplexLanes, kChannels> y) const {
    Lanes v{};
    for (const ComplexLanes& channel : y) {
      for (std::size_t l = 0; l < kLanes; ++l) v[l] += channel.re[l] * channel.re[l] + channel.im[l] * channel.im[l];
    }
    for (double& value : v) value /= static_cast<double>(kChannels);
    return v;
  }

  std::array<ComplexLanes, kChannels> load(const dsp::Spectrogram<T>& from, std::size_t t) const {
    std::array<ComplexLanes, kChannels> out;
    for (std::size_t c = 0; c < kChannels; ++c) {
      out[c].load(from.frame(c, t), bin_, count_);
      for (std::size_t l = 0; l < kLanes; ++l) {
        out[c].re[l] *= scale_;
        out[c].im[l] *= scale_;
      }
    }
    return out;
  }

  Hermitian spatial_covariance(std::size_t j) const {
    Hermitian r;
    Lanes weight;
    weight.fill(epsilon_);
    for (std::size_t t = 0; t < mixture_.frames(); ++t) {
      const auto y = load(sources_[j], t);
      const Lanes v = power(y);
      for (std::size_t l = 0; l < kLanes; ++l) {
        weight[l] += v[l];
        r.a[l] += y[0].re[l] * y[0].re[l] + y[0].im[l] * y[0].im[l];
        if constexpr (kChannels == 2) {
          r.d[l] += y[1].re[l] * y[1].re[l] + y[1].im[l] * y[1].im[l];
          r.b_re[l] += y[0].re[l] * y[1].re[l] + y[0].im[l] * y[1].im[l];
          r.b_im[l] += y[0].im[l] * y[1].re[l] - y[0].re[l] * y[1].im[l];
        }
      }
    }
    for (std::size_t l = 0; l < kLanes; ++l) {
      r.a[l] /= weight[l];
      r.d[l] /= weight[l];
      r.b_re[l] /= weight[l];
      r.b_im[l] /= weight[l];
    }
    return r;
  }

  void filter(std::size_t t) {
    Hermitian c;
    c.a.fill(std::sqrt(epsilon_));
    c.d = c.a;
    std::vector<Lanes>& powers = powers_;
    powers.resize(sources_.size());
    for (std::size_t j = 0; j < sources_.size(); ++j) {
      powers[j] = power(load(sources_[j], t));
      const Hermitian& r = covariances_[j];
      for (std::size_t l = 0; l < kLanes; ++l) {
        c.a[l] += powers[j][l] * r.a[l];
        c.d[l] += powers[j][l] * r.d[l];
        c.b_re[l] += powers[j][l] * r.b_re[l];
        c.b_im[l] += powers[j][l] * r.b_im[l];
      }
    }
    // u = C⁻¹ x, once for all sources.
    const auto x = load(mixture_, t);
    std::array<ComplexLanes, kChannels> u;
    for (std::size_t l = 0; l < kLanes; ++l) {
      if constexpr (kChannels == 1) {
        u[0].re[l] = x[0].re[l] / c.a[l];
        u[0].im[l] = x[0].im[l] / c.a[l];
      } else {
        const double det = c.a[l] * c.d[l] - (c.b_re[l] * c.b_re[l] + c.b_im[l] * c.b_im[l]);
        // C⁻¹ = [d, −b; −b*, a] / det
        u[0].re[l] = (c.d[l] * x[0].re[l] - (c.b_re[l] * x[1].re[l] - c.b_im[l] * x[1].im[l])) / det;
        u[0].im[l] = (c.d[l] * x[0].im[l] - (c.b_re[l] * x[1].im[l] + c.b_im[l] * x[1].re[l])) / det;
        u[1].re[l] = (c.a[l] * x[1].re[l] - (c.b_re[l] * x[0].re[l] + c.b_im[l] * x[0].im[l])) / det;
        u[1].im[l] = (c.a[l] * x[1].im[l] - (c.b_re[l] * x[0].im[l] - c.b_im[l] * x[0].re[l])) / det;
      }
    }
    for (std::size_t j = 0; j < sources_.size(); ++j) {
      const Hermitian& r = covariances_[j];
      std::array<ComplexLanes, kChannels> y;
      for (std::size_t l = 0; l < kLanes; ++l) {
        const double gain = powers[j][l] / scale_;  // y goes back to the mixture's own level
        if constexpr (kChannels == 1) {
          y[0].re[l] = gain * r.a[l] * u[0].re[l];
          y[0].im[l] = gain * r.a[l] * u[0].im[l];
        } else {
          y[0].re[l] = gain * (r.a[l] * u[0].re[l] + r.b_re[l] * u[1].re[l] - r.b_im[l] * u[1].im[l]);
          y[0].im[l] = gain * (r.a[l] * u[0].im[l] + r.b_re[l] * u[1].im[l] + r.b_im[l] * u[1].re[l]);
          y[1].re[l] = gain * (r.d[l] * u[1].re[l] + r.b_re[l] * u[0].re[l] + r.b_im[l] * u[0].im[l]);
          y[1].im[l] = gain * (r.d[l] * u[1].im[l] + r.b_re[l] * u[0].im[l] - r.b_im[l] * u[0].re[l]);
        }
      }
      for (std::size_t channel = 0; channel < kChannels; ++channel) {
        const std::span<std::complex<T>> row = sources_[j].frame(channel, t);
        for (std::size_t l = 0; l < count_; ++l) row[bin_ + l] = {static_cast<T>(y[channel].re[l]), static_cast<T>(y[channel].im[l])};
      }
    }
  }

  std::vector<dsp::Spectrogram<T>>& sources_;
  const dsp::Spectrogram<T>& mixture_;
  double scale_, epsilon_;
  std::size_t bin_, count_;
  std::vector<Hermitian> covariances_;
  std::vector<Lanes> powers_;  ///< of one frame; kept to save allocations
};

/// EM of one bin for any number of channels.
template <class T>
void iterate_wide(std::vector<dsp::Spectrogram<T>>& sources, const dsp::Spectrogram<T>& mixture, double scale, double epsilon,
                  std::size_t bin) {
  using Matrix = Eigen::MatrixXcd;
  using Vector = Eigen::VectorXcd;
  const auto channels = static_cast<Eigen::Index>(mixture.channels());
  const auto load = [&](const dsp::Spectrogram<T>& from, std::size_t t) {
    Vector v(channels);
    for (Eigen::Index c = 0; c < channels; ++c) v[c] = scale * std::complex<double>(from.at(static_cast<std::size_t>(c), t, bin));
    return v;
  };
  std::vector<Matrix> covariances;
  for (const dsp::Spectrogram<T>& source : sources) {
    Matrix r = Matrix::Zero(channels, channels);
    double weight = epsilon;
    for (std::size_t t = 0; t < mixture.frames(); ++t) {
      const Vector y = load(source, t);
      r += y * y.adjoint();
      weight += y.squaredNorm() / static_cast<double>(channels);
    }
    covariances.push_back(r / weight);
  }
  std::vector<double> powers(sources.size());
  for (std::size_t t = 0; t < mixture.frames(); ++t) {
    Matrix c = Matrix::Identity(channels, channels) * std::sqrt(epsilon);
    for (std::size_t j = 0; j < sources.size(); ++j) {
      powers[j] = load(sources[j], t).squaredNorm() / static_cast<double>(channels);
      c += powers[j] * covariances[j];
    }
    const Vector u = c.llt().solve(load(mixture, t));
    for (std::size_t j = 0; j < sources.size(); ++j) {
      const Vector y = (powers[j] / scale) * (covariances[j] * u);
      for (Eigen::Index ch = 0; ch < channels; ++ch) sources[j].at(static_cast<std::size_t>(ch), t, bin) = std::complex<T>(y[ch]);
    }
  }
}

template <class T>
std::vector<dsp::Spectrogram<T>> first_estimates(std::span<const dsp::Magnitudes<T>> magnitudes, const dsp::Spectrogram<T>& mixture,
                                                 const WienerEmOptions& options, ThreadPool& pool) {
  std::vector<dsp::Spectrogram<T>> estimates;
  if (!options.softmask) {
    for (const dsp::Magnitudes<T>& v : magnitudes) estimates.push_back(with_phase_of(v, mixture, pool));
  } else {
    const T epsilon = static_cast<T>(options.epsilon);
    dsp::Magnitudes<T> total(magnitudes[0].channels(), mixture.frames(), mixture.bins());
    for (const dsp::Magnitudes<T>& v : magnitudes) {
      require_same_shape(v, magnitudes[0]);
      for (std::size_t k = 0; k < total.size(); ++k) total.values()[k] += v.values()[k];
    }
    for (const dsp::Magnitudes<T>& v : magnitudes) {
      dsp::Mask<T> share = v;
      for (std::size_t k = 0; k < total.size(); ++k) share.values()[k] /= epsilon + total.values()[k];
      estimates.push_back(apply(share, mixture, pool));
    }
  }
  if (options.residual) {
    dsp::Spectrogram<T> rest = mixture;
    for (const dsp::Spectrogram<T>& estimate : estimates) {
      for (std::size_t k = 0; k < rest.size(); ++k) rest.values()[k] -= estimate.values()[k];
    }
    estimates.push_back(std::move(rest));
  }
  return estimates;
}

}  // namespace

void WienerEmOptions::validate() const {
  if (!(epsilon > 0)) throw Error{ErrorCode::kUsage, "epsilon is positive", "epsilon"};
  if (!(scale > 0)) throw Error{ErrorCode::kUsage, "the scale is positive", "scale"};
}

template <class T>
std::vector<dsp::Spectrogram<T>> wiener_em(std::span<const dsp::Magnitudes<T>> magnitudes, const dsp::Spectrogram<T>& mixture,
                                           const WienerEmOptions& options, RunContext& run) {
  options.validate();
  require_source(magnitudes.size());
  for (const dsp::Magnitudes<T>& v : magnitudes) require_broadcastable(v, mixture);
  std::vector<dsp::Spectrogram<T>> sources = first_estimates(magnitudes, mixture, options, run.pool);
  expectation_maximisation(sources, mixture, options, run);
  return sources;
}

template <class T>
void expectation_maximisation(std::vector<dsp::Spectrogram<T>>& sources, const dsp::Spectrogram<T>& mixture, const WienerEmOptions& options,
                              RunContext& run) {
  options.validate();
  require_source(sources.size());
  for (const dsp::Spectrogram<T>& source : sources) require_same_shape(source, mixture);
  if (options.iterations == 0) return;
  double peak = 0;
  for (const std::complex<T> x : mixture.values()) peak = std::max(peak, static_cast<double>(std::abs(x)));
  const double scale = 1 / std::max(1.0, peak / options.scale), epsilon = options.epsilon;
  if (mixture.channels() > 2) {
    run.pool.parallel_for(mixture.bins(), [&](std::size_t bin) {
      for (std::size_t i = 0; i < options.iterations; ++i) {
        run.cancel.check();
        iterate_wide(sources, mixture, scale, epsilon, bin);
      }
    });
    return;
  }
  run.pool.parallel_for((mixture.bins() + kLanes - 1) / kLanes, [&](std::size_t block) {
    const std::size_t bin = block * kLanes, count = std::min(kLanes, mixture.bins() - bin);
    const auto refine = [&](auto em) {
      for (std::size_t i = 0; i < options.iterations; ++i) {
        run.cancel.check();
        em.iterate();
      }
    };
    if (mixture.channels() == 1) refine(NarrowEm<T, 1>(sources, mixture, scale, epsilon, bin, count));
    else refine(NarrowEm<T, 2>(sources, mixture, scale, epsilon, bin, count));
  });
}

template <class T>
dsp::Magnitudes<T> residual_magnitudes(std::span<dsp::Magnitudes<T>> magnitudes, const dsp::Spectrogram<T>& mixture, double alpha,
                                       bool autoscale, ThreadPool& pool) {
  require_source(magnitudes.size());
  for (const dsp::Magnitudes<T>& v : magnitudes) require_same_shape(v, mixture);
  constexpr T kEpsilon = std::numeric_limits<T>::epsilon();
  dsp::Magnitudes<T> rest = unbraid::mask::magnitudes(mixture, alpha, pool);
  for (T& value : rest.values()) value = std::max(value, kEpsilon);

  const auto model = [&](std::size_t k) {
    T sum = 0;
    for (const dsp::Magnitudes<T>& v : magnitudes) sum += v.values()[k];
    return sum;
  };
  if (autoscale) {
    pool.parallel_for(mixture.channels() * mixture.bins(), [&](std::size_t item) {
      const std::size_t channel = item / mixture.bins(), bin = item % mixture.bins();
      T gain = 0, weight = kEpsilon;
      const auto at = [&](std::size_t t) { return (channel * mixture.frames() + t) * mixture.bins() + bin; };
      for (std::size_t t = 0; t < mixture.frames(); ++t) {
        const T sum = model(at(t));
        gain += rest.values()[at(t)] * sum;
        weight += sum * sum;
      }
      for (dsp::Magnitudes<T>& v : magnitudes) {
        for (std::size_t t = 0; t < mixture.frames(); ++t) v.values()[at(t)] *= gain / weight;
      }
    });
  }
  for (std::size_t k = 0; k < rest.size(); ++k) rest.values()[k] = std::max(T{0}, rest.values()[k] - model(k));
  return rest;
}

#define UNBRAID_INSTANTIATE(T)                                                                                                  \
  template std::vector<dsp::Spectrogram<T>> wiener_em(std::span<const dsp::Magnitudes<T>>, const dsp::Spectrogram<T>&,          \
                                                      const WienerEmOptions&, RunContext&);                                     \
  template void expectation_maximisation(std::vector<dsp::Spectrogram<T>>&, const dsp::Spectrogram<T>&, const WienerEmOptions&, \
                                         RunContext&);                                                                          \
  template dsp::Magnitudes<T> residual_magnitudes(std::span<dsp::Magnitudes<T>>, const dsp::Spectrogram<T>&, double, bool, ThreadPool&);
UNBRAID_INSTANTIATE(float)
UNBRAID_INSTANTIATE(double)
#undef UNBRAID_INSTANTIATE

}  // namespace unbraid::mask
