#include "unbraid/mask/ideal.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "mask/shape.hpp"
#include "unbraid/core/error.hpp"

namespace unbraid::mask {

namespace {

/// Bins that are worked on at a time: their sums stay in registers and the first-level cache.
constexpr std::size_t kBlock = 128;

template <class T>
T squared(std::complex<T> z) {
  return z.real() * z.real() + z.imag() * z.imag();
}

/// The operations of one kind of mask on a block of bins [first, first + count).
template <class T>
struct Frame {
  std::span<const std::span<const std::complex<T>>> sources;
  std::span<const std::complex<T>> mixture;
  std::span<const std::span<T>> masks;

  void binary(std::size_t first, std::size_t count) const {
    std::array<T, kBlock> best;
    std::array<T, kBlock> winner;  // of T's width, so that the comparison vectorises
    best.fill(-1);
    winner.fill(0);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::complex<T>* const source = sources[i].data() + first;
      for (std::size_t k = 0; k < count; ++k) {
        const T power = squared(source[k]);
        winner[k] = power > best[k] ? static_cast<T>(i) : winner[k];
        best[k] = std::max(power, best[k]);
      }
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
      T* const mask = masks[i].data() + first;
      for (std::size_t k = 0; k < count; ++k) mask[k] = winner[k] == static_cast<T>(i) ? T{1} : T{0};
    }
  }

  void threshold(std::size_t first, std::size_t count, T threshold, T epsilon) const {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      for (std::size_t k = first; k < first + count; ++k) {
        const T source = std::sqrt(squared(sources[i][k]));
        const T bound = threshold * (std::sqrt(squared(mixture[k])) + epsilon);
        masks[i][k] = source >= bound && bound > 0 ? T{1} : T{0};
      }
    }
  }

  /// weight(S, X, power-of-S) per bin, divided by the sum over the sources.
  template <class Weight>
  void shares(std::size_t first, std::size_t count, T epsilon, Weight weight) const {
    std::array<T, kBlock> total;
    total.fill(0);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::complex<T>* const source = sources[i].data() + first;
      const std::complex<T>* const mix = mixture.data() + first;
      T* const mask = masks[i].data() + first;
      for (std::size_t k = 0; k < count; ++k) {
        mask[k] = weight(source[k], mix[k]);
        total[k] += mask[k];
      }
    }
    for (std::size_t k = 0; k < count; ++k) {
      const T sum = total[k] + epsilon;
      total[k] = sum > 0 ? sum : T{1};  // every weight is 0 there
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
      T* const mask = masks[i].data() + first;
      for (std::size_t k = 0; k < count; ++k) mask[k] /= total[k];
    }
  }

  /// shares() of |S|^power for any power, of magnitudes that are first divided by the bin's largest: powers of what is far
  /// from 1 leave T's range.
  void power_shares(std::size_t first, std::size_t count, T epsilon, T power) const {
    const auto inverse = [](T x) { return x >= std::numeric_limits<T>::min() ? 1 / x : T{0}; };
    std::array<T, kBlock> scale, largest, total;  // 1 over the largest part of a bin, and over its largest |S|² when so scaled
    scale.fill(0);
    largest.fill(0);
    total.fill(0);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::complex<T>* const source = sources[i].data() + first;
      for (std::size_t k = 0; k < count; ++k)
        scale[k] = std::max(scale[k], std::max(std::abs(source[k].real()), std::abs(source[k].imag())));
    }
    for (std::size_t k = 0; k < count; ++k) scale[k] = inverse(scale[k]);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::complex<T>* const source = sources[i].data() + first;
      T* const mask = masks[i].data() + first;
      for (std::size_t k = 0; k < count; ++k) {
        mask[k] = squared(source[k] * scale[k]);
        largest[k] = std::max(largest[k], mask[k]);
      }
    }
    for (std::size_t k = 0; k < count; ++k) largest[k] = inverse(largest[k]);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      T* const mask = masks[i].data() + first;
      for (std::size_t k = 0; k < count; ++k) {
        mask[k] = std::pow(mask[k] * largest[k], power / 2);
        total[k] += mask[k];
      }
    }
    for (std::size_t k = 0; k < count; ++k) {
      if (total[k] == 0) total[k] = 1;  // every weight is 0 there
      else if (epsilon > 0) total[k] += epsilon * std::pow(scale[k] * std::sqrt(largest[k]), power);
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
      T* const mask = masks[i].data() + first;
      for (std::size_t k = 0; k < count; ++k) mask[k] /= total[k];
    }
  }

  void phase_sensitive(std::size_t first, std::size_t count, bool clip) const {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::complex<T>* const source = sources[i].data() + first;
      const std::complex<T>* const mix = mixture.data() + first;
      T* const mask = masks[i].data() + first;
      for (std::size_t k = 0; k < count; ++k) {
        const T power = squared(mix[k]);
        const T aligned = source[k].real() * mix[k].real() + source[k].imag() * mix[k].imag();
        const T gain = power > 0 ? aligned / power : T{0};
        mask[k] = clip ? std::clamp(gain, T{0}, T{1}) : gain;
      }
    }
  }
};

template <class T>
void block(const IdealMask& mask, const Frame<T>& frame, std::size_t first, std::size_t count) {
  const T epsilon = static_cast<T>(mask.epsilon);
  using Bin = std::complex<T>;
  switch (mask.kind) {
    case IdealKind::kBinary: return frame.binary(first, count);
    case IdealKind::kBinaryThreshold: return frame.threshold(first, count, static_cast<T>(mask.threshold), epsilon);
    case IdealKind::kRatio:
      if (mask.power == 1) return frame.shares(first, count, epsilon, [](Bin s, Bin) { return std::sqrt(squared(s)); });
      if (mask.power == 2) return frame.shares(first, count, epsilon, [](Bin s, Bin) { return squared(s); });
      return frame.power_shares(first, count, epsilon, static_cast<T>(mask.power));
    case IdealKind::kRatioRoot:
      frame.shares(first, count, epsilon, [](Bin s, Bin) { return squared(s); });
      for (const std::span<T> m : frame.masks) {
        for (std::size_t k = first; k < first + count; ++k) m[k] = std::sqrt(m[k]);
      }
      return;
    case IdealKind::kPhaseSensitive: return frame.phase_sensitive(first, count, mask.clip);
    case IdealKind::kPhaseSensitiveRatio:
      return frame.shares(first, count, epsilon, [](Bin s, Bin x) {
        const T magnitude = std::sqrt(squared(x));
        const T aligned = s.real() * x.real() + s.imag() * x.imag();
        return magnitude > 0 ? std::clamp(aligned / magnitude, T{0}, magnitude) : T{0};
      });
  }
}

}  // namespace

void IdealMask::validate() const {
  if (!(power > 0 && std::isfinite(power))) throw Error{ErrorCode::kUsage, "the power of a ratio mask is positive", "power"};
  if (!(epsilon >= 0)) throw Error{ErrorCode::kUsage, "epsilon is not negative", "epsilon"};
  if (!(threshold > 0)) throw Error{ErrorCode::kUsage, "the threshold of a binary mask is positive", "threshold"};
}

IdealMask ideal_mask(std::string_view name) {
  if (name == "ibm") return {.kind = IdealKind::kBinary};
  if (name == "ibm_threshold") return {.kind = IdealKind::kBinaryThreshold};
  if (name == "irm") return {.kind = IdealKind::kRatio};
  if (name == "irm_root") return {.kind = IdealKind::kRatioRoot};
  if (name == "psm") return {.kind = IdealKind::kPhaseSensitive};
  if (name == "psm_unclipped") return {.kind = IdealKind::kPhaseSensitive, .clip = false};
  if (name == "psa") return {.kind = IdealKind::kPhaseSensitiveRatio};
  constexpr std::string_view kWiener = "wiener";
  if (name.starts_with(kWiener)) {
    IdealMask mask{.kind = IdealKind::kRatio};
    const std::string_view power = name.substr(kWiener.size());
    const auto [end, error] = std::from_chars(power.data(), power.data() + power.size(), mask.power);
    if (error == std::errc{} && end == power.data() + power.size()) {
      mask.validate();
      return mask;
    }
  }
  throw Error{ErrorCode::kUsage,
              "no such mask; there are ibm, ibm_threshold, irm, irm_root, wiener<p>, psm, "
              "psm_unclipped, psa",
              std::string(name)};
}

template <class T>
void ideal_masks_of_frame(const IdealMask& mask, std::span<const std::span<const std::complex<T>>> sources,
                          std::span<const std::complex<T>> mixture, std::span<const std::span<T>> masks) {
  const Frame<T> frame{sources, mixture, masks};
  for (std::size_t first = 0; first < mixture.size(); first += kBlock) {
    block(mask, frame, first, std::min(kBlock, mixture.size() - first));
  }
}

template <class T>
std::vector<dsp::Mask<T>> ideal_masks(const IdealMask& mask, std::span<const dsp::Spectrogram<T>> sources,
                                      const dsp::Spectrogram<T>& mixture, ThreadPool& pool) {
  mask.validate();
  require_source(sources.size());
  for (const dsp::Spectrogram<T>& source : sources) require_same_shape(source, mixture);
  std::vector<dsp::Mask<T>> masks(sources.size(), dsp::Mask<T>(mixture.channels(), mixture.frames(), mixture.bins()));
  pool.parallel_ranges(mixture.channels() * mixture.frames(), 16, [&](std::size_t first, std::size_t last) {
    std::vector<std::span<const std::complex<T>>> source_rows(sources.size());
    std::vector<std::span<T>> mask_rows(sources.size());
    for (std::size_t row = first; row < last; ++row) {
      const std::size_t channel = row / mixture.frames(), frame = row % mixture.frames();
      for (std::size_t i = 0; i < sources.size(); ++i) {
        source_rows[i] = sources[i].frame(channel, frame);
        mask_rows[i] = masks[i].frame(channel, frame);
      }
      ideal_masks_of_frame<T>(mask, source_rows, mixture.frame(channel, frame), mask_rows);
    }
  });
  return masks;
}

template <class T>
std::vector<dsp::Spectrogram<T>> complex_ratio_masks(std::span<const dsp::Spectrogram<T>> sources, const dsp::Spectrogram<T>& mixture,
                                                     double max_magnitude, ThreadPool& pool) {
  require_source(sources.size());
  if (!(max_magnitude > 0)) throw Error{ErrorCode::kUsage, "the largest magnitude of a mask is positive", "max_magnitude"};
  const double most = max_magnitude * max_magnitude;
  std::vector<dsp::Spectrogram<T>> masks;
  for (const dsp::Spectrogram<T>& source : sources) {
    require_same_shape(source, mixture);
    dsp::Spectrogram<T>& mask = masks.emplace_back(mixture.channels(), mixture.frames(), mixture.bins());
    pool.parallel_ranges(mixture.size(), 1 << 14, [&](std::size_t first, std::size_t last) {
      for (std::size_t k = first; k < last; ++k) {
        const std::complex<double> x(mixture.values()[k]), s(source.values()[k]);  // double: |X|² of float stays in range
        const double above = squared(s), below = squared(x);
        if (!(below > 0)) continue;
        const double limit = above > most * below ? std::sqrt(most * below / above) : 1.0;
        const double scale = limit / below;
        mask.values()[k] = {static_cast<T>(scale * (s.real() * x.real() + s.imag() * x.imag())),
                            static_cast<T>(scale * (s.imag() * x.real() - s.real() * x.imag()))};
      }
    });
  }
  return masks;
}

#define UNBRAID_INSTANTIATE(T)                                                                                                            \
  template std::vector<dsp::Mask<T>> ideal_masks(const IdealMask&, std::span<const dsp::Spectrogram<T>>, const dsp::Spectrogram<T>&,      \
                                                 ThreadPool&);                                                                            \
  template void ideal_masks_of_frame(const IdealMask&, std::span<const std::span<const std::complex<T>>>,                                 \
                                     std::span<const std::complex<T>>, std::span<const std::span<T>>);                                    \
  template std::vector<dsp::Spectrogram<T>> complex_ratio_masks(std::span<const dsp::Spectrogram<T>>, const dsp::Spectrogram<T>&, double, \
                                                                ThreadPool&);
UNBRAID_INSTANTIATE(float)
UNBRAID_INSTANTIATE(double)
#undef UNBRAID_INSTANTIATE

}  // namespace unbraid::mask
