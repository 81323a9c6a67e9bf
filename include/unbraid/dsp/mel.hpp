#pragma once
// Mel filter banks, decibels and cepstra, equal to librosa's.
//
//   const dsp::MelFilterBank bank({.sample_rate = 44100, .n_fft = 2048, .bands = 128});
//   std::vector<float> mel(bank.bands());
//   bank.apply<float>(power_spectrum, mel);                     // 1025 bins → 128 bands
//   dsp::power_to_db<float>(mel, {.reference = 1.0});
//
// Band b is a triangle over the frequencies f[b], f[b+1], f[b+2], equally spaced in mel between low_hz and
// high_hz:
//   weight(f) = max(0, min((f − f[b]) / (f[b+1] − f[b]), (f[b+2] − f) / (f[b+2] − f[b+1])))
// at the bins f = k·rate/n_fft, with Slaney's norm times 2 / (f[b+2] − f[b]), which gives all bands the same
// area.
//
// Slaney's scale (M. Slaney, "Auditory Toolbox", 1998) is linear below 1 kHz, 3 mel per 200 Hz, and
// logarithmic above, 27 mel per factor 6.4. HTK's is 2595·log₁₀(1 + f/700). Objects are immutable.

#include <cstddef>
#include <span>
#include <vector>

namespace unbraid::dsp {

enum class MelScale { kSlaney, kHtk };
enum class MelNorm { kSlaney, kNone };

double hz_to_mel(double hz, MelScale scale);
double mel_to_hz(double mel, MelScale scale);

struct MelOptions {
  double sample_rate = 0;
  std::size_t n_fft = 0;
  std::size_t bands = 128;
  double low_hz = 0;
  double high_hz = 0;  ///< 0: half the sample rate
  MelScale scale = MelScale::kSlaney;
  MelNorm norm = MelNorm::kSlaney;

  /// kUsage unless 0 ≤ low < high ≤ rate/2 and there is at least one band and one bin.
  void validate() const;
};

class MelFilterBank {
 public:
  explicit MelFilterBank(const MelOptions& options);

  std::size_t bands() const noexcept { return bands_.size(); }
  std::size_t bins() const noexcept { return bins_; }

  /// The weights of a band that are not zero: those of the bins [first, first + weights.size()). A band that
  /// is narrower than the bins' distance may have none.
  struct Band {
    std::size_t first = 0;
    std::vector<double> weights;
  };
  const Band& band(std::size_t index) const { return bands_[index]; }

  /// mel[b] = Σ_k weight[b][k] · spectrum[k]; summed in double. kInternal for spans of another length.
  template <class T>
  void apply(std::span<const T> spectrum, std::span<T> mel) const;

 private:
  std::size_t bins_;
  std::vector<Band> bands_;
};

struct DecibelOptions {
  double reference = 1;  ///< the power that becomes 0 dB
  double floor = 1e-10;  ///< smaller powers count as this one; > 0
  double range_db = 80;  ///< nothing lies further below the loudest value; infinity for no limit
};

/// In place: 10·log₁₀(max(p, floor) / max(reference, floor)), then raised to the maximum − range_db. For
/// amplitudes, pass their squares.
template <class T>
void power_to_db(std::span<T> power, const DecibelOptions& options = {});

/// The orthonormal DCT-II: X[k] = √(2/N) · c_k · Σ_n x[n] cos(π·k·(2n + 1) / 2N), c₀ = √½, else 1; the first
/// coefficients.size() of them, at most x.size() (kInternal). MFCCs are this over a mel spectrum in decibels.
template <class T>
void dct2(std::span<const T> x, std::span<T> coefficients);

extern template void MelFilterBank::apply<float>(std::span<const float>, std::span<float>) const;
extern template void MelFilterBank::apply<double>(std::span<const double>, std::span<double>) const;
extern template void power_to_db<float>(std::span<float>, const DecibelOptions&);
extern template void power_to_db<double>(std::span<double>, const DecibelOptions&);
extern template void dct2<float>(std::span<const float>, std::span<float>);
extern template void dct2<double>(std::span<const double>, std::span<double>);

}  // namespace unbraid::dsp
