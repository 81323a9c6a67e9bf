#pragma once
// What inspect() measures of one stem, block by block.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/dsp/aligned_vector.hpp"
#include "unbraid/dsp/fft.hpp"

namespace unbraid::evaluate {

class StemMeter {
 public:
  explicit StemMeter(std::size_t channels);

  void add(AudioView block);

  std::uint64_t not_finite() const noexcept { return not_finite_; }
  std::uint64_t clipped() const noexcept { return clipped_; }
  /// Of the finite samples.
  double mean_square() const;
  /// The channel whose mean is largest in magnitude.
  double offset() const;
  /// The highest bin within 80 dB of the loudest, as a share of the Nyquist frequency; 0 for silence.
  double bandwidth() const;

  struct Seams {
    std::size_t count = 0;       ///< jumps on the grid
    std::uint64_t distance = 0;  ///< frames between its lines; 0: there is no grid
  };
  Seams seams() const;

 private:
  void add_spectrum(std::span<const float> channel);
  void find_jumps(std::span<const float> channel, std::uint64_t first);

  std::uint64_t frames_ = 0;
  std::uint64_t not_finite_ = 0;
  std::uint64_t clipped_ = 0;
  double square_sum_ = 0;
  std::vector<double> sums_;           ///< per channel
  std::vector<std::size_t> full_run_;  ///< per channel: samples at full scale so far
  dsp::RealFft<double> fft_;
  std::vector<double> window_;
  std::vector<double> power_;
  std::vector<std::uint64_t> jumps_;  ///< frames, of all channels
};

}  // namespace unbraid::evaluate
