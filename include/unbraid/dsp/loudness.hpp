#pragma once
// Loudness and peak level.
//
//   dsp::LoudnessMeter meter({.sample_rate = 44100, .channels = 2});
//   while (std::size_t n = reader.read(block)) meter.add(block.view().slice(0, n));
//   double lufs = meter.integrated_lufs();
//   double dbtp = meter.true_peak_db();
//
// LoudnessMeter measures as ITU-R BS.1770-4 and EBU R 128 say, over libebur128: K-weighting, blocks of 400 ms
// every 100 ms, gates at −70 LUFS and 10 LU below the mean of what passes the first. Memory does not grow
// with the signal by more than about 1 kB a second. Levels of silence, and of signals too short for one
// block, are −infinity.
//
// block_loudness_lufs() is the arithmetic of the Python package pyloudnorm, by which Slakh was mixed and
// Scaper mixes. It differs from the standard in the filters' parameters (up to some 0.05 LU) and in the last
// block: kept so that data sets made by those rules can be reproduced to 1e-6 LU.
//
// Errors: kUsage for a sample rate or channel count that is out of range.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid::dsp {

struct LoudnessOptions {
  std::uint32_t sample_rate = 0;  ///< 3364 to 2 822 400 Hz; below, the K-weighting's shelf at 1682 Hz has no place
  /// 1 to 64, in the order left, right, centre, LFE (not counted), left surround, right surround; with 4
  /// channels left, right, left surround, right surround; with 5 no LFE. Surrounds count 1.41-fold, channels
  /// beyond these not at all.
  std::size_t channels = 0;
  bool true_peak = true;  ///< without, only true_peak_db() is missing and the work is a third
};

class LoudnessMeter {
 public:
  explicit LoudnessMeter(const LoudnessOptions& options);
  ~LoudnessMeter();
  LoudnessMeter(LoudnessMeter&&) noexcept;
  LoudnessMeter& operator=(LoudnessMeter&&) noexcept;

  /// The next block of the stream. NaN samples make the results meaningless, but harm nothing else.
  void add(AudioView block);

  double integrated_lufs() const;
  double range_lu() const;        ///< EBU Tech 3342
  double sample_peak_db() const;  ///< of the loudest channel, dB relative to full scale
  /// The same of the signal oversampled fourfold below 96 kHz and twofold below 192 kHz (BS.1770-4, annex 2); kUsage
  /// when not asked for.
  double true_peak_db() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// pyloudnorm's Meter(rate).integrated_loudness: K-weighting by a +4 dB shelf at 1500 Hz (Q = 1/√2) and a
/// high-pass at 38 Hz (Q = 1/2) of the cookbook's formulae; blocks of 400 ms at 100 ms, their number rounded
/// so that the last one may reach beyond the end (and count zeros there); channels weighed 1, 1, 1, 1.41,
/// 1.41. −infinity for silence. kUsage for more than five channels, for a rate of 3000 Hz or less and for
/// less than 400 ms.
double block_loudness_lufs(AudioView signal, double sample_rate);

}  // namespace unbraid::dsp
