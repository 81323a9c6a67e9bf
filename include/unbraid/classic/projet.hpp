#pragma once
// Sources of a stereo recording by projection on pannings and delays.
//
//   auto model = classic::projet_random_start<float>(bins, frames, options, seed);
//   classic::projet(stereo, model, options, run);
//   dsp::Spectrogram<float> first = classic::projet_source(stereo, model, 0, options, run.pool);
//
// Fitzgerald, Liutkus, Badeau, "PROJET: spatial audio separation using projections", ICASSP 2016 and "Projection-based
// demixing of spatial audio", IEEE TASLP 24(9), 2016. The mix is projected on many directions; each direction cancels
// the sources that stand across it. The projections' magnitudes to the power α are modelled as K·Q·P: K how much of a
// location a projection lets through, Q the panorama of each source (location × source), P its spectrogram; Q and P
// follow multiplicative updates for the β divergence (TASLP eq. 20, 21). Sources are Wiener-filtered in the
// projections and brought back by the pseudo-inverse (eq. 24).
//
// The model counts as no less than −200 dB of the loudest projection: in digital silence it would reach 0, and its ratio to
// the recording would be no number.
//
// Q and P follow those of nussl.separation.spatial.Projet step by step. The separation does not: nussl weighs the
// sources by K·Q/P where the model says K·Q·P.
//
// Whole-track. Time per iteration O(bins·frames·projections·sources); the projections are made anew in each iteration,
// bin by bin, so that memory stays at O(bins·frames·sources).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "unbraid/core/run_context.hpp"
#include "unbraid/dsp/time_frequency.hpp"

namespace unbraid::classic {

struct ProjetOptions {
  std::size_t sources = 2;
  std::size_t iterations = 50;
  double max_delay_samples = 0;        ///< locations and projections have delays within ± this
  std::size_t location_pannings = 30;  ///< from left to right
  std::size_t location_delays = 1;     ///< 1: no delay
  std::size_t projection_pannings = 10;
  std::size_t projection_delays = 1;
  double alpha = 1;  ///< > 0: power of the magnitudes that is taken to add up
  double beta = 1;   ///< of the divergence: 1 Kullback-Leibler

  /// kUsage when a value is out of its range.
  void validate() const;
};

template <class T>
struct ProjetModel {
  std::size_t bins = 0, frames = 0, locations = 0, sources = 0;
  std::vector<T> spectra;   ///< P, [bin][frame][source]
  std::vector<T> panorama;  ///< Q, [location][source]; location = panning · delays + delay
};

/// |normal| everywhere.
template <class T>
ProjetModel<T> projet_random_start(std::size_t bins, std::size_t frames, const ProjetOptions& options, std::uint64_t seed);

/// Runs options.iterations updates on channels 0 and 1 of the spectrogram. kUsage when shapes do not agree; kInternal when
/// the factors leave the range of T. run.progress counts iterations of "factor".
template <class T>
void projet(const dsp::Spectrogram<T>& stereo, ProjetModel<T>& model, const ProjetOptions& options, RunContext& run);

/// One source, of two channels. All sources add up to the mix.
template <class T>
dsp::Spectrogram<T> projet_source(const dsp::Spectrogram<T>& stereo, const ProjetModel<T>& model, std::size_t source,
                                  const ProjetOptions& options, ThreadPool& pool);

#define UNBRAID_PROJET(T)                                                                                               \
  extern template ProjetModel<T> projet_random_start<T>(std::size_t, std::size_t, const ProjetOptions&, std::uint64_t); \
  extern template void projet<T>(const dsp::Spectrogram<T>&, ProjetModel<T>&, const ProjetOptions&, RunContext&);       \
  extern template dsp::Spectrogram<T> projet_source<T>(const dsp::Spectrogram<T>&, const ProjetModel<T>&, std::size_t,  \
                                                       const ProjetOptions&, ThreadPool&);
UNBRAID_PROJET(float)
UNBRAID_PROJET(double)
#undef UNBRAID_PROJET

}  // namespace unbraid::classic
