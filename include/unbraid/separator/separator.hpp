#pragma once
// The contract between a separation method and the pipeline.
//
// A Separator maps one block of audio to stems and says what it needs; it owns no loop, reads no file and knows
// nothing of chunk borders. The pipeline resamples, mixes channels, normalises, cuts, calls process() and stitches.
//
//   const Method& method = …;                                            // a row of the catalog
//   auto separator = method.make({.sample_rate = 44100, .channels = 2}, values, seed);
//   Stems stems = separator->process(block, run);                        // one AudioBuffer per info().stems
//
// How to add one: src/classic/<name>.cpp with a `Method <name>_method()` and a line in src/catalog/methods.cpp.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/parameter.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/core/stems.hpp"

namespace unbraid {

/// How the missing frames before the start and after the end of the signal are made.
enum class PaddingMode {
  kReflect,   ///< mirrored at the border sample, which is not repeated; continues by mirroring back and forth
  kConstant,  ///< zeros
  kReplicate  ///< the border sample, repeated
};

/// The weight of a block's frames when overlapping blocks are added.
enum class BlockWindow {
  kHann,        ///< periodic Hann
  kTriangular,  ///< linear up and down
  kLinearFade,  ///< flat, with linear fades over `fade` of the length at both ends
  kBox          ///< all one
};

/// The separator sees the track as one block; memory grows with the track.
struct WholeTrack {};

/// The separator sees blocks of a fixed length; memory does not depend on the track.
struct Chunked {
  std::size_t length = 0;  ///< frames per block, > 0
  double overlap = 0.5;    ///< share of a block (what `context` leaves of it) that the next one repeats, 0 ≤ overlap < 1
  BlockWindow window = BlockWindow::kHann;
  double fade = 0.1;         ///< of the length, for kLinearFade; 0 < fade ≤ 0.5
  std::size_t context = 0;   ///< frames at each end of a block whose output is thrown away; 2·context < length.
                             ///< They give a method with finite memory what it needs: then blocks join exactly.
  PaddingMode padding = PaddingMode::kReflect;
  std::size_t batch = 1;     ///< blocks per call of process_batch
};

struct SeparatorInfo {
  std::vector<std::string> stems;  ///< in output order
  double sample_rate = 0;          ///< Hz that process() works at; the pipeline resamples to and from it
  std::size_t channels = 0;        ///< channels that process() takes and gives; the pipeline converts
  bool normalize = false;          ///< wants mean 0, standard deviation 1 over the mean of the channels
  std::variant<WholeTrack, Chunked> blocks = WholeTrack{};
  /// Bytes that process() needs at its peak for one block of so many frames, without its input and output.
  std::function<std::size_t(std::size_t frames)> working_bytes = [](std::size_t) { return std::size_t{0}; };
  /// Floating-point operations per frame of input, roughly; 0 when unknown. For --plan.
  double flops_per_frame = 0;
};

class Separator {
 public:
  virtual ~Separator() = default;
  virtual const SeparatorInfo& info() const = 0;

  /// One block [channel][frame] to stems of the same shape, in the order of info().stems. Must be a pure function
  /// of the block: same block, same stems, whatever came before and however many threads there are.
  virtual Stems process(AudioView block, RunContext& run) = 0;

  /// Several blocks at once, for methods that gain from it. Default: one after the other.
  virtual std::vector<Stems> process_batch(std::span<const AudioView> blocks, RunContext& run);
};

/// What a separator will be fed.
struct StreamFormat {
  double sample_rate = 44100;  ///< Hz
  std::size_t channels = 2;
};

/// A named way to make separators: what `unbraid models ls` lists.
struct Method {
  std::string name;                   ///< "hpss"
  std::string summary;                ///< one line: what it is good for
  std::string paper = {};             ///< authors, title, venue, year
  std::vector<std::string> stems;     ///< in output order
  std::vector<Parameter> parameters;  ///< in the order of help
  bool whole_track = false;           ///< memory grows with the track
  std::string fingerprint = {};       ///< hashes of the weights, for manifests; empty for a method that has none
  /// Makes a separator for a stream. kUnsupported when the method cannot work on it ("duet needs two channels").
  std::function<std::unique_ptr<Separator>(const StreamFormat&, const ParameterValues&, std::uint64_t seed)> make;
};

}  // namespace unbraid
