#pragma once
// What training minimises.
//
//   const LossTerm term = LossTerm::of(config);                   // {name: l1, domain: magnitude, weight: 1}
//   torch::Tensor loss = total_loss(terms, {mix, reference, stems}, model);
//
// The functions compare an estimate e with a reference r of the same shape [batch, stems, …] and give one number per
// example and stem, [batch, stems]; sums and means run over the axes behind. All are differentiable everywhere,
// silence included.
//   l1        mean |e − r|
//   mse       mean (e − r)²
//   snr       −10 log₁₀ ((Σ r² + ε) / (Σ (r − e)² + ε))
//   si_sdr    −10 log₁₀ ((Σ (αr)² + ε) / (Σ (αr − e)² + ε)), α = Σ er / (Σ r² + ε)
//             (Le Roux, Wisdom, Erdogan, Hershey, "SDR: half-baked or well done?", ICASSP 2019, eq. 3)
//   thresholded_snr  10 log₁₀ ((Σ (r − e)² + τ Σ x² + ε) / (Σ x² + ε)) with τ = 10⁻³ and x the mixture: at best −30 dB, with silent
//             references too (after Wisdom et al., "What's all the FUSS about free universal sound separation data?", ICASSP 2021,
//             where τ Σ x² is for silent references alone, and τ Σ r² for the others)
//   cosine    1 − Σ er / (‖e‖‖r‖ + ε)
// with ε = 1e-8. A batch of silent references has no direction: snr and si_sdr then push the estimate's energy down to ε.
//   mrstft    mean over n_fft of ‖|R| − |E|‖ / max(‖R‖, √τ ‖X‖, 0.01 √N) + mean |log(|R| + 1e-5) − log(|E| + 1e-5)|, hop n_fft/4
//             (Yamamoto, Song, Kim, "Parallel WaveGAN", ICASSP 2020, eqs. 4-6), per stem over all channels. The paper divides by
//             ‖R‖; a stem that is 30 dB below the mixture x, or one whose N magnitudes have a root mean square below 0.01 (noise
//             at −65 dB), would outweigh all others
//   complex_stft  mean over n_fft of mean |R − E|, hop n_fft/4, STFTs divided by √n_fft, |z| = |Re z| + |Im z|
// The first six may compare waveforms (domain: time), magnitudes (domain: magnitude), or the real and imaginary parts of
// complex spectra (domain: spectrum), those of the model where it has its own, else of an STFT with the term's n_fft and hop.
//
// deepconvsep, on magnitudes, summed over everything but the batch (Chandna, Miron, Janer, Gómez, "Monoaural audio source
// separation using deep convolutional neural networks", LVA/ICA 2017, section 3.2, with the seed's weights):
//   Σ_{j ∈ b,d,v} ‖ŷⱼ − yⱼ‖² − α Σ_{pairs j<k} ‖ŷⱼ − ŷₖ‖² − β (‖ŷ_b − y_o‖² + ‖ŷ_d − y_o‖²) − γ ‖ŷ_v − y_o‖²
// It has no lower bound; `absolute` takes its absolute value, as the authors' program does.

#include <torch/torch.h>

#include <functional>
#include <string>
#include <vector>

#include "models/config.hpp"
#include "models/model.hpp"

namespace unbraid::train {

torch::Tensor l1(const torch::Tensor& estimate, const torch::Tensor& reference);
torch::Tensor mse(const torch::Tensor& estimate, const torch::Tensor& reference);
torch::Tensor negative_snr(const torch::Tensor& estimate, const torch::Tensor& reference);
/// mixture: as one stem, [batch, 1, …].
torch::Tensor negative_thresholded_snr(const torch::Tensor& estimate, const torch::Tensor& reference, const torch::Tensor& mixture);
torch::Tensor negative_si_sdr(const torch::Tensor& estimate, const torch::Tensor& reference);
torch::Tensor cosine(const torch::Tensor& estimate, const torch::Tensor& reference);
/// [batch, stems, channels, frames]; the mixture [batch, 1, channels, frames].
torch::Tensor multi_resolution_stft(const torch::Tensor& estimate, const torch::Tensor& reference, const torch::Tensor& mixture,
                                    const std::vector<std::int64_t>& n_ffts);
torch::Tensor complex_stft(const torch::Tensor& estimate, const torch::Tensor& reference, const std::vector<std::int64_t>& n_ffts);

struct DeepConvSepWeights {
  double alpha = 0.001, beta = 0.01, gamma = 0.03;
  bool absolute = true;
};
/// [batch, stems, …] → [batch]. stems must name bass, drums, vocals and other, and all be there (kUsage).
torch::Tensor deepconvsep(const torch::Tensor& estimate, const torch::Tensor& reference, const std::vector<std::string>& stems,
                          const DeepConvSepWeights& weights);

struct LossTerm {
  std::string name = "l1";
  double weight = 1;
  std::string domain = "time";  ///< time, magnitude or spectrum
  std::int64_t n_fft = 2048, hop = 512;
  std::vector<std::int64_t> n_ffts = {4096, 2048, 1024, 512};  ///< mrstft, complex_stft
  bool permutation_invariant = false;                          ///< the best assignment of estimates to references, example by example
  DeepConvSepWeights deepconvsep;

  /// One term, or kUsage.
  static LossTerm of(const models::Config& config);
  bool on_magnitudes() const { return domain == "magnitude"; }
  bool on_spectra() const { return domain == "spectrum"; }
};

struct Separated {
  torch::Tensor mix;        ///< [batch, channels, frames]
  torch::Tensor reference;  ///< [batch, stems, channels, frames]
  std::vector<std::string> stems;
};

/// Runs the model on the mixture and weighs the terms; a scalar, mean over the batch. kUsage when the model's stems are not those
/// of the reference.
torch::Tensor total_loss(const std::vector<LossTerm>& terms, const Separated& data, models::Model& model);

/// Of an estimate and a reference, [batch, stems].
using Comparison = std::function<torch::Tensor(const torch::Tensor&, const torch::Tensor&)>;

/// The mean over the stems of a loss, for the best order of the estimates: [batch]. At most six stems.
torch::Tensor best_permutation(const Comparison& loss, const torch::Tensor& estimate, const torch::Tensor& reference);

}  // namespace unbraid::train
