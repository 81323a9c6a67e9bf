#pragma once
// A noise gate across stems: one that is hardly there falls silent, and the others get what it had. As a stream, with
// memory that does not depend on the length.
//
//   StemGate gate(4, {.sample_rate = 44100, .channels = 2}, -17);
//   gate.push(stems, pool);                                                             // [stem · channels][frames]
//   while (std::size_t n = gate.ready()) { use(gate.view(n)); gate.drop(n); }           // of the same shape
//   gate.finish(pool);
//
// With p_s[t] the share of stem s in the power of all stems, both smoothed by a Hann window of four seconds, and θ the
// threshold as a ratio of powers:
//   g_s = p_s² / (p_s² + θ²),   y_s = g_s·x_s + (g_s·p_s / Σ_i g_i·p_i) · Σ_i (1 − g_i)·x_i
// A stem at the threshold is 6 dB softer, one 10 dB below it 40 dB. The sum of the stems stays what it was.

#include <cstddef>
#include <span>
#include <vector>

#include "pipeline/block_stream.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

class StemGate final : public BlockStream {
 public:
  StemGate(std::size_t stems, const StreamFormat& format, double threshold_db);

 private:
  AudioBuffer process(AudioBuffer block, ThreadPool& pool) override;
  std::vector<double> shares(AudioView block, ThreadPool& pool) const;
  void apply(std::span<const double> shares, MutableAudioView block, ThreadPool& pool) const;

  std::size_t stems_, channels_;
  double threshold_;            ///< ratio of powers
  std::vector<double> window_;  ///< one half of it, its peak first, in hops
};

}  // namespace unbraid
