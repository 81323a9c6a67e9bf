#include "unbraid/mask/griffin_lim.hpp"

#include <cmath>
#include <utility>

#include "mask/shape.hpp"
#include "unbraid/mask/apply.hpp"

namespace unbraid::mask {

void GriffinLimOptions::validate() const {
  if (!(momentum >= 0 && momentum < 1)) throw Error{ErrorCode::kUsage, "the momentum lies in [0, 1)", "momentum"};
}

template <class T>
void griffin_lim(const dsp::Magnitudes<T>& magnitudes, const dsp::Spectrogram<T>& phase, const dsp::Stft<T>& stft, PlanarView<T> out,
                 const GriffinLimOptions& options, RunContext& run) {
  options.validate();
  require_same_shape(magnitudes, phase);
  ThreadPool& pool = run.pool;
  const T momentum = static_cast<T>(options.momentum);
  dsp::Spectrogram<T> estimate = with_phase_of(magnitudes, phase, pool);
  dsp::Spectrogram<T> previous;  // c_{n−1}
  stft.inverse(estimate, out, pool);
  for (std::size_t n = 0; n < options.iterations; ++n) {
    run.cancel.check();
    dsp::Spectrogram<T> consistent = stft.forward(PlanarView<const T>(out), pool);
    require_same_shape(consistent, magnitudes);
    if (n > 0 && momentum > 0) {
      pool.parallel_ranges(consistent.size(), 1 << 14, [&](std::size_t first, std::size_t last) {
        for (std::size_t k = first; k < last; ++k) {
          const std::complex<T> c = consistent.values()[k];
          estimate.values()[k] = c + momentum * (c - previous.values()[k]);
        }
      });
      previous = std::move(consistent);
    } else {
      estimate = consistent;
      previous = std::move(consistent);
    }
    stft.inverse(with_phase_of(magnitudes, estimate, pool), out, pool);
  }
}

template <class T>
double spectral_convergence_db(const dsp::Magnitudes<T>& magnitudes, const dsp::Stft<T>& stft, PlanarView<const T> signal,
                               ThreadPool& pool) {
  const dsp::Spectrogram<T> spectrogram = stft.forward(signal, pool);
  require_same_shape(spectrogram, magnitudes);
  double difference = 0, energy = 0;
  for (std::size_t k = 0; k < magnitudes.size(); ++k) {
    const double wanted = static_cast<double>(magnitudes.values()[k]);
    const double gap = static_cast<double>(std::abs(spectrogram.values()[k])) - wanted;
    difference += gap * gap;
    energy += wanted * wanted;
  }
  return 10 * std::log10(difference / energy);
}

#define UNBRAID_INSTANTIATE(T)                                                                                         \
  template void griffin_lim(const dsp::Magnitudes<T>&, const dsp::Spectrogram<T>&, const dsp::Stft<T>&, PlanarView<T>, \
                            const GriffinLimOptions&, RunContext&);                                                    \
  template double spectral_convergence_db(const dsp::Magnitudes<T>&, const dsp::Stft<T>&, PlanarView<const T>, ThreadPool&);
UNBRAID_INSTANTIATE(float)
UNBRAID_INSTANTIATE(double)
#undef UNBRAID_INSTANTIATE

}  // namespace unbraid::mask
