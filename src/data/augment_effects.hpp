#pragma once
// The effects behind augment.hpp that take more than a line.

#include <cstdint>
#include <filesystem>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/dsp/biquad.hpp"
#include "unbraid/io/audio_format.hpp"

namespace unbraid::data {

struct Room {
  double rt60_s = 0.5;  ///< time in which the tail decays by 60 dB
  double pre_delay_s = 0;
  double wet_db = -10;                          ///< energy of the tail's impulse response against the direct sound's
  std::uint64_t seed = 0;                       ///< of the tail's noise, one stream per channel
  std::filesystem::path impulse_response = {};  ///< a file instead of the noise: its highest peak is moved to time 0
                                                ///< and its energy scaled to 1; rt60, pre-delay and wet do not count
};
/// audio ← audio ∗ impulse response, cut to the same length.
void add_reverb(AudioBuffer& audio, double sample_rate, const Room& room);

struct Compression {
  double threshold_db = 0;  ///< against the RMS level of the whole signal
  double ratio = 4;
  double attack_s = 0.005, release_s = 0.1;  ///< time constants: 1 − 1/e of a step
};
/// Feed-forward, hard knee, gain computed in dB and smoothed by a branching one-pole filter; channels share
/// the gain. D. Giannoulis, M. Massberg, J. Reiss, "Digital dynamic range compressor design", J. AES 60(6),
/// 2012, eqs. 4 and 16.
void compress(AudioBuffer& audio, double sample_rate, const Compression& compression);

/// y = p/d · tanh(d·x/p) with p the peak and d the drive: small signals pass unchanged.
void saturate(AudioBuffer& audio, double drive_db);

/// Through a temporary file. kUnsupported where the codec lacks the sample rate.
void encode_and_decode(AudioBuffer& audio, double sample_rate, io::Container container, int bitrate_kbps);

}  // namespace unbraid::data
