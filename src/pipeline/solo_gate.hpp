#pragma once
// What an instrument that plays alone leaves in the other stems, given back to it. As a stream, with memory that does not
// depend on the length.
//
//   SoloGate gate(4, {.sample_rate = 44100, .channels = 2}, -7);
//   gate.push(stems, pool);                                                             // [stem · channels][frames]
//   while (std::size_t n = gate.ready()) { use(gate.view(n)); gate.drop(n); }           // of the same shape
//   gate.finish(pool);
//
// A leak differs from a second, softer instrument in that it does not lead: on average over the bins where it sounds,
// most of the power belongs to others. With X_s the STFT of stem s (2048 samples, hop 1024), sums over channels and bins, both
// smoothed along time by a Hann window of two seconds, and θ the threshold as a ratio of powers:
//   P_s = Σ |X_s|²,   p_s = P_s / Σ_i P_i                          the stem's share of the power
//   c_s = Σ |X_s|² · (|X_s|² / Σ_i |X_i|²) / P_s                   its mean share where it sounds, 1: it has bins to itself
//   r = 1 − max_s p_s                                              what all but the loudest stem hold
//   g_s = 1 − (1 − σ(r / θ)) (1 − σ(c_s / 0.6)),  σ(x) = x⁸ / (1 + x⁸);  of the loudest stem 1
//   y_s = g_s·x_s, and the loudest stem gets Σ_i (1 − g_i)·x_i
// Between columns gains run straight, and so does what goes from one loudest stem to the next. The sum of the stems stays
// what it was. At r = θ half of a leak stays, 2 dB above it 97 %.

#include <cstddef>
#include <span>
#include <vector>

#include "pipeline/block_stream.hpp"
#include "unbraid/dsp/stft.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

class SoloGate final : public BlockStream {
 public:
  /// threshold_db: θ, below 0.
  SoloGate(std::size_t stems, const StreamFormat& format, double threshold_db);

 private:
  struct Sums {
    double power = 0;
    double led = 0;  ///< powers, each times the stem's share of its bin
  };
  struct Column {
    std::size_t loudest = 0;
    std::vector<float> gains;  ///< by stem
  };
  AudioBuffer process(AudioBuffer block, ThreadPool& pool) override;
  std::vector<Sums> sums(AudioView block, ThreadPool& pool) const;
  std::vector<Column> columns(std::span<const Sums> sums) const;
  void apply(std::span<const Column> columns, MutableAudioView block, ThreadPool& pool) const;

  std::size_t stems_, channels_;
  double threshold_;            ///< ratio of powers
  std::vector<double> window_;  ///< one half of it, its peak first, in columns
  dsp::Stft<float> stft_;
};

}  // namespace unbraid
