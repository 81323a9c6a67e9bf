#pragma once
// A recording to stems: normalise, cut, separate, stitch, and back, in memory or as a stream.
//
//   Stems stems = separate(song, 44100, *separator, {.consistent = true}, run);
//
//   SeparationStream stream(*separator, {.sample_rate = 48000, .channels = 2}, {});
//   while (std::size_t n = reader->read(block)) {
//     stream.push(block.view().slice(0, n), run);
//     while (stream.ready()) write(stream.take(run));        // a piece of the mixture and of every stem
//   }
//   stream.finish(run);
//   while (stream.ready()) write(stream.take(run));
//
// The stream converts to the separator's sample rate and channels and back. What comes out has the rate, the
// channels and exactly the length of what went in. A separator of fewer channels than the input runs on
// groups of channels (mono separators on each, stereo ones on the pairs of the surround layout); one of more
// gets channels twice, and its outputs for them are averaged. Memory does not grow with the length, except
// for whole-track separators.
//
// Both functions are one implementation, and results do not depend on the sizes of the pushed blocks, on the
// batch or on the number of threads. One thread at a time may use a stream.
//
// A push() that refuses its frames leaves the stream as it was, and others may follow. Any other error, one of
// the separator's or a stop while it works, ends the stream: it gives nothing more, and every later call but
// ready() throws the same error again.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/core/stems.hpp"
#include "unbraid/pipeline/normalize.hpp"
#include "unbraid/separator/separator.hpp"

namespace unbraid {

struct SeparationOptions {
  std::optional<double> overlap = {};  ///< of blocks, instead of the separator's own; 0 ≤ overlap < 1
  /// Blocks per call of process_batch, in ensembles and chains at most each member's own; 0: the separator's own.
  std::size_t batch = 0;
  /// Average this many runs whose blocks start at random places (whole tracks: behind up to half a second of
  /// padding), as in Défossez et al., "Music source separation in the waveform domain" (2019, section 4.4).
  /// 0: one run, not shifted.
  std::size_t shifts = 0;
  std::uint64_t seed = 0;  ///< of the shifts
  /// Test-time augmentation: average with the runs on the inverted recording and, where there are two channels or more,
  /// on the recording with its channels in reverse order (inverted and put back afterwards).
  bool augment = false;
  bool consistent = false;  ///< make the stems add up to the mixture, see consistency.hpp

  /// kUsage for values out of range.
  void validate() const;
};

/// Consecutive frames of a recording with its stems, all of one shape; perhaps no frames.
struct SeparatedBlock {
  AudioBuffer mix;
  Stems stems;
};

class SeparationStream {
 public:
  /// stats: of the whole recording, from measure_stream(), for separators that want it normalised; others
  /// ignore it.
  SeparationStream(Separator& separator, const StreamFormat& input, const SeparationOptions& options, const NormalizationStats& stats = {});
  ~SeparationStream();

  /// Takes frames of the recording and runs the separator on every block that is complete. Refuses frames of
  /// another number of channels (kInternal), samples that are not finite numbers (kFormat), and all when it was
  /// stopped before (kCancelled). kInternal when the separator gives anything but finite stems of its block's
  /// shape.
  void push(AudioView frames, RunContext& run);
  /// The recording ends here.
  void finish(RunContext& run);
  /// Whether take() has something to give; never after an error that ended the stream.
  bool ready() const;
  /// kInternal when a stem is not finite.
  SeparatedBlock take(RunContext& run);

  struct Impl;

 private:
  std::size_t channels_;      ///< of the recording
  std::uint64_t pushed_ = 0;  ///< frames
  std::unique_ptr<Impl> impl_;
  std::exception_ptr failure_;  ///< what ended the stream
};

/// Fills a block with frames, says how many; 0 at the end.
using ReadBlock = std::function<std::size_t(MutableAudioView)>;

/// First pass over a recording for a separator that wants it normalised: the statistics at the separator's
/// sample rate. Other separators: nothing is read.
NormalizationStats measure_stream(const ReadBlock& read, const StreamFormat& input, const SeparatorInfo& separator,
                                  const CancelToken& cancel = {});

/// A recording in memory. run.progress counts its frames: "separate".
Stems separate(AudioView mix, double sample_rate, Separator& separator, const SeparationOptions& options, RunContext& run);

}  // namespace unbraid
