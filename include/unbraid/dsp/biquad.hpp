#pragma once
// Second-order recursive filters: designs, Butterworth cascades, Linkwitz-Riley crossovers.
//
//   const auto sections = dsp::butterworth_high_pass({.sample_rate = 44100, .frequency_hz = 40, .order = 4});
//   dsp::BiquadCascade filter(sections, song.channels());
//   filter.process(song);                                  // in place; the state carries on to the next
//   block
//
// One section is H(z) = (b0 + b1 z⁻¹ + b2 z⁻²) / (1 + a1 z⁻¹ + a2 z⁻²). All designs are bilinear transforms
// of analogue prototypes with the frequency given pre-warped: the response at frequency_hz is that of the
// prototype exactly. Recursive filters are cheap and causal but shift phases; fir.hpp has linear-phase ones.
//
// Frequencies must lie strictly between 0 and half the sample rate (kUsage).

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"

namespace unbraid::dsp {

struct Biquad {
  double b0 = 1, b1 = 0, b2 = 0;
  double a1 = 0, a2 = 0;
};

/// A cascade's response at a frequency: the product of its sections' H(exp(2πi·f/rate)).
std::complex<double> frequency_response(std::span<const Biquad> sections, double frequency_hz, double sample_rate);

struct BiquadDesign {
  double sample_rate = 0;
  double frequency_hz = 0;         ///< corner, centre or shelf midpoint
  double q = 0.70710678118654752;  ///< > 0; 1/√2 gives a Butterworth corner
  double gain_db = 0;              ///< of shelves and peaks

  void validate() const;
};

// R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients", with his definition of Q.
Biquad low_pass(const BiquadDesign& design);  ///< −3 dB at the corner for q = 1/√2; |H| = q there in general
Biquad high_pass(const BiquadDesign& design);
Biquad band_pass(const BiquadDesign& design);  ///< 0 dB at the centre, bandwidth frequency_hz / q
Biquad notch(const BiquadDesign& design);
Biquad peak(const BiquadDesign& design);       ///< gain_db at the centre, 0 dB far from it
Biquad low_shelf(const BiquadDesign& design);  ///< gain_db below, half of it at the midpoint, 0 dB above
Biquad high_shelf(const BiquadDesign& design);

struct ButterworthDesign {
  double sample_rate = 0;
  double frequency_hz = 0;  ///< −3.01 dB point
  std::size_t order = 4;    ///< 1 to 64: 6 dB per octave each

  void validate() const;
};

/// Maximally flat: |H|² = 1 / (1 + (tan(πf/rate) / tan(πf₀/rate))^(2·order)).
std::vector<Biquad> butterworth_low_pass(const ButterworthDesign& design);
std::vector<Biquad> butterworth_high_pass(const ButterworthDesign& design);

/// Two bands whose sum has the input's level at every frequency (an all-pass), both −6 dB at the crossover
/// and in phase: S. Linkwitz and R. Riley, "Active crossover networks for noncoincident drivers", J. AES
/// 24(1), 1976.
struct Crossover {
  std::vector<Biquad> low;
  std::vector<Biquad> high;  ///< for order 2 with its polarity inverted already, so that low + high is right
};

/// order: 2, 4 or 8 (12, 24 or 48 dB per octave), each band a Butterworth of half the order twice.
Crossover linkwitz_riley(const ButterworthDesign& design);

/// Sections in series, for a stream of blocks. Samples are float, the state is double.
class BiquadCascade {
 public:
  BiquadCascade(std::vector<Biquad> sections, std::size_t channels);

  /// Filters in place; kInternal for another number of channels. Not for two threads at once.
  void process(MutableAudioView block);
  /// Back to silence.
  void reset();

 private:
  struct State {
    double s1 = 0, s2 = 0;
  };
  static double step(const Biquad& section, State& state, double x);
  static void settle(State& state);
  struct Unrolled;

  std::vector<Biquad> sections_;
  std::size_t channels_;
  std::vector<State> states_;  ///< [channel][section]
};

}  // namespace unbraid::dsp
