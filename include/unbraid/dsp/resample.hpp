#pragma once
// Changing the sample rate, over libsoxr's very high quality (28 bits, linear phase, passband to 91 % of
// Nyquist).
//
//   AudioBuffer at_44100 = dsp::resample(song, 48000, 44100, pool);      // all at once
//
//   dsp::Resampler resampler(48000, 44100, 2);                           // block by block
//   while (std::size_t n = reader.read(block)) writer.write(resampler.process(block.view().slice(0, n)));
//   writer.write(resampler.finish());
//
// The filter's delay is compensated: input frame i lands at output time i·out_rate/in_rate exactly, and N
// input frames give resampled_frames(N) output frames in all, no matter how they were cut into blocks. Equal
// rates copy the samples. What resample() returns is, bit for bit, what a Resampler returns in pieces.
//
// Errors: kUsage for rates outside [1, 10 000 000] Hz and for rates one of which is more than 100 000 times the
// other, where libsoxr would not come to an end. A Resampler is used by one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/thread_pool.hpp"

namespace unbraid::dsp {

/// frames · out_rate / in_rate, rounded to the nearest whole number (halves up); exact for any length below
/// 10¹² frames.
std::uint64_t resampled_frames(std::uint64_t frames, std::uint32_t in_rate, std::uint32_t out_rate);

class Resampler {
 public:
  Resampler(std::uint32_t in_rate, std::uint32_t out_rate, std::size_t channels);
  ~Resampler();
  Resampler(Resampler&&) noexcept;
  Resampler& operator=(Resampler&&) noexcept;

  /// Takes the next block (any length, also 0) and returns what is ready, perhaps nothing. kInternal when the
  /// block has another number of channels or the stream was finished.
  AudioBuffer process(AudioView block);
  /// Returns the rest. Afterwards the object is spent.
  AudioBuffer finish();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

/// A whole signal; threads share the channels.
AudioBuffer resample(AudioView signal, std::uint32_t in_rate, std::uint32_t out_rate, ThreadPool& pool);

}  // namespace unbraid::dsp
