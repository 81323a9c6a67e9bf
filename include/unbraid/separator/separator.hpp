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
#include <optional>
#include <span>
#include <string>
#include <utility>
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

/// How blocks are laid over a signal and joined. The policies besides kUniform do what the programs do that the models
/// were published with, so that a model gives here what it gives there.
enum class BlockPolicy {
  kUniform,  ///< every frame lies in equally many blocks, from before the start to after the end
  /// demix() of ZFTurbo's Music-Source-Separation-Training: hop ⌊length·(1 − overlap)⌋; the signal is padded by
  /// length − hop at both ends if it is longer than twice that; the last blocks are completed by mirroring their own end
  /// (zeros when they hold less than half a block); the very first block has no fade-in when it was a batch by itself,
  /// and no block of the batch that reaches the end has a fade-out. Where all weights are 0 the result is 0.
  kMsst,
  kMsstDemucs,  ///< the same program's way with Demucs: plain means over blocks that zeros complete, no padding
  /// apply_model() of demucs (Défossez et al. 2019): hop ⌊(1 − overlap)·length⌋; the last block is completed with what
  /// lies to its left and right, zeros beyond the signal, and its middle is kept. Shifts put up to half a second of
  /// zeros before the signal.
  kDemucs
};

/// The separator sees the track as one block; memory grows with the track.
struct WholeTrack {};

/// The separator sees blocks of a fixed length; memory does not depend on the track.
struct Chunked {
  std::size_t length = 0;  ///< frames per block, > 0
  double overlap = 0.5;    ///< share of a block (what `context` leaves of it) that the next one repeats, 0 ≤ overlap < 1
  BlockWindow window = BlockWindow::kHann;
  double fade = 0.1;        ///< of the length, for kLinearFade; 0 < fade ≤ 0.5
  std::size_t context = 0;  ///< frames at each end of a block whose output is thrown away; 2·context < length.
                            ///< They give a method with finite memory what it needs: then blocks join exactly.
  PaddingMode padding = PaddingMode::kReflect;
  std::size_t batch = 1;                       ///< blocks per call of process_batch
  BlockPolicy policy = BlockPolicy::kUniform;  ///< the others have no context
  std::size_t reference_batch = 1;             ///< kMsst: blocks per batch of the reference, on which its fades depend
  double transition_power = 1;                 ///< exponent of kTriangular, ≥ 1
  bool shorten_last = false;                   ///< kDemucs: the last block is shorter instead of being completed
};

/// What a separator wants done to the level of the whole recording, by the mean and the deviation of its mono mix.
enum class Normalization {
  kNone,
  kShared,  ///< deviation with N − 1; each stem gets back its share of the mean, so that the stems' sum has it once
  kMsst,    ///< deviation with N; each stem gets back the whole mean
  kDemucs   ///< deviation with N − 1; each stem gets back the whole mean
};

class Separator;

/// Several separators on the same recording; the estimates of each stem are made one.
struct Ensemble {
  enum class Combine {
    kMean,    ///< weighted
    kMedian,  ///< sample by sample; of two, their mean
    kMin,     ///< in each bin of an STFT (2048 samples, hop 1024) the value of the smallest magnitude
    kMax,     ///< … of the largest
    /// The mixture's bins (of the same STFT), shared out by the weighted geometric means of the members' magnitudes: what
    /// one member rules out is quiet. The stems add up to the mixture.
    kGeometric,
    kBlend  ///< half of kMean, and what that leaves of the mixture shared as by kGeometric: adds up, too
  };
  struct Member {
    std::shared_ptr<Separator> separator;
    std::vector<double> weights;  ///< by stem of the ensemble; 0: this member is not asked
  };
  std::vector<Member> members;
  Combine combine = Combine::kMean;
  /// kGeometric, kBlend: to what power the geometric means are taken before they share a bin, > 0 and at most
  /// kMostSharpness. Above 1 the loudest stem of a bin gets more of it.
  double sharpness = 1;
  /// In dB, below 0: where all stems but the loudest together hold less than this of the power of the two seconds around a
  /// moment, that one is taken to play alone and gets what the others have, unless they lead in bins of their own. The
  /// sum stays what it was.
  std::optional<double> solo_db = std::nullopt;
};
constexpr double kMostSharpness = 16;
constexpr double kLowestSoloDb = -100;

/// One separator after another, each on a sum of the mixture and of stems that earlier ones gave.
struct Chain {
  struct Step {
    std::shared_ptr<Separator> separator;
    std::vector<std::pair<double, std::string>> input;  ///< gain and name; "mix" is the mixture
    std::vector<std::string> gives;                     ///< which of its stems
  };
  std::vector<Step> steps;
};

struct SeparatorInfo {
  std::vector<std::string> stems;  ///< in output order
  double sample_rate = 0;          ///< Hz that process() works at; the pipeline resamples to and from it
  std::size_t channels = 0;        ///< channels that process() takes and gives; the pipeline converts
  Normalization normalize = Normalization::kNone;
  /// How the pipeline runs it. Members of ensembles and chains are run by themselves, and process() of the whole is
  /// never called.
  std::variant<WholeTrack, Chunked, Ensemble, Chain> blocks = WholeTrack{};
  /// Bytes that process() needs at its peak for one block of so many frames, without its input and output.
  std::function<std::size_t(std::size_t frames)> working_bytes = [](std::size_t) { return std::size_t{0}; };
};

class Separator {
 public:
  virtual ~Separator() = default;
  virtual const SeparatorInfo& info() const = 0;

  /// One block [channel][frame] to stems of the same shape, in the order of info().stems. Must be a pure function
  /// of the block: same block, same stems, whatever came before and however many threads there are.
  virtual Stems process(AudioView block, RunContext& run) = 0;

  /// Restricts the separator to these of its stems, where that saves work: true, and info().stems is then those, in
  /// their old order. False: it goes on giving all.
  virtual bool keep_only(std::span<const std::string> stems) {
    static_cast<void>(stems);
    return false;
  }

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
  std::vector<std::string> stems;     ///< in output order; empty when a file that it is given says
  std::vector<Parameter> parameters;  ///< in the order of help
  bool whole_track = false;           ///< memory grows with the track
  std::string fingerprint = {};       ///< hashes of the weights, for manifests; empty for a method that has none
  /// Makes a separator for a stream. kUnsupported when the method cannot work on it ("duet needs two channels").
  std::function<std::unique_ptr<Separator>(const StreamFormat&, const ParameterValues&, std::uint64_t seed)> make;
};

}  // namespace unbraid
