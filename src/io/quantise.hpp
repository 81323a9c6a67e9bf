#pragma once
// From planar float to the interleaved samples that encoders take.
//
//   Quantiser quantiser(16, channels, {.dither = true, .dither_seed = 7});
//   quantiser.interleave(block, integers);            // frames × channels
//
// A sample x becomes round(x · 2^(bits−1) [+ dither]), ties to even, clipped to the format's range. A sample
// whose rounded value lies outside is counted: so is +1.0 itself, which no two's complement format holds. NaN
// becomes 0 and is counted. The result stands in the upper bits of an int32, as libsndfile expects.
//
// Dither: the sum of two independent uniform variables, a triangular density of ±1 LSB, which makes the mean
// and the variance of the rounding error independent of the signal (Lipshitz, Wannamaker, Vanderkooy,
// "Quantization and dither: a theoretical survey", JAES 40, 1992). Each channel has its own random stream, so
// the result does not depend on how the audio is cut into blocks.

#include <cstdint>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/rng.hpp"

namespace unbraid::io {

struct DitherOptions {
  bool dither = false;
  std::uint64_t dither_seed = 0;
};

class Quantiser {
 public:
  Quantiser(int bits, std::size_t channels, const DitherOptions& options);

  void interleave(AudioView block, std::int32_t* target);
  std::uint64_t clipped_samples() const noexcept { return clipped_; }

 private:
  int bits_;
  std::vector<Rng> dither_;  ///< one per channel; empty without dither
  std::uint64_t clipped_ = 0;
};

/// Planar to interleaved, as it is.
void interleave(AudioView block, float* target);

/// Interleaved to planar; target.channels() × target.frames().
void deinterleave(const float* source, MutableAudioView target);

/// What lossy encoders are given: NaN as 0 and infinities as ±1, since one of them would spoil whole frames;
/// finite values beyond ±1 stay, because a decoder may return them. Returns how many samples were outside
/// [−1, 1].
std::uint64_t make_finite(const float* source, std::size_t count, std::size_t stride, float* target);

}  // namespace unbraid::io
