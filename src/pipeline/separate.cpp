#include "unbraid/pipeline/separate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "pipeline/audio_queue.hpp"
#include "pipeline/channel_groups.hpp"
#include "pipeline/stream.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/dsp/resample.hpp"
#include "unbraid/pipeline/chunk.hpp"
#include "unbraid/pipeline/consistency.hpp"
#include "unbraid/pipeline/stitch.hpp"

namespace unbraid {

namespace {

constexpr std::size_t kPieceFrames = 1 << 14;
constexpr double kLongestShiftSeconds = 0.5;

std::uint32_t whole_rate(double sample_rate) {
  if (!(sample_rate >= 1.0 && sample_rate <= 1e7) || sample_rate != std::round(sample_rate))
    throw Error{ErrorCode::kUnsupported, fmt::format("cannot work at {} samples per second", sample_rate)};
  return static_cast<std::uint32_t>(sample_rate);
}

/// The first sample that is no finite number, or channels() · frames() when there is none.
std::size_t first_not_finite(AudioView audio) {
  // By the bits, which the compiler can do for many samples at once: the exponent is all ones.
  constexpr std::uint32_t kExponent = 0x7f800000;
  const auto bad = [](float x) { return (std::bit_cast<std::uint32_t>(x) & kExponent) == kExponent; };
  for (std::size_t c = 0; c < audio.channels(); ++c) {
    const std::span<const float> row = audio.channel(c);
    std::uint32_t any = 0;
    for (const float x : row) any |= bad(x);
    if (any) return c * audio.frames() + static_cast<std::size_t>(std::ranges::find_if(row, bad) - row.begin());
  }
  return audio.channels() * audio.frames();
}

/// What is done to the recording before a run and undone afterwards.
struct Variant {
  float polarity = 1.0f;
  bool reversed = false;  ///< the order of the channels
};

/// One run of the separator over some channels, with blocks at its own places.
struct Lane {
  std::vector<std::size_t> channels;  ///< of the input; the separator gets the last one again where it wants more
  Variant variant;
  Chunker chunker;
  std::vector<Stitcher> stitchers = {};  ///< one per stem, once blocks are there

  std::size_t channel(std::size_t slot) const { return channels[std::min(slot, channels.size() - 1)]; }
};

}  // namespace

void SeparationOptions::validate() const {
  if (overlap && !(*overlap >= 0.0 && *overlap < 1.0)) throw Error{ErrorCode::kUsage, "must be at least 0 and below 1", "overlap"};
  if (shifts > 1000) throw Error{ErrorCode::kUsage, "must be at most 1000", "shifts"};
}

namespace {

/// One separator that is given blocks.
class BlockStream : public SeparationStream::Impl {
 public:
  BlockStream(Separator& used, const StreamFormat& format, const SeparationOptions& wanted, const NormalizationStats& measured)
      : separator(used),
        info(used.info()),
        input(format),
        options(wanted),
        stats(measured),
        mix(format.channels),
        inward(whole_rate(format.sample_rate), whole_rate(info.sample_rate), format.channels),
        consistency(info.stems.size(), format.sample_rate) {
    if (info.normalize == Normalization::kMsst) stats.std = stats.population_std();
    options.validate();
    if (input.channels == 0) throw Error{ErrorCode::kUnsupported, "the recording has no channels"};
    if (info.channels == 0 || info.stems.empty()) throw Error{ErrorCode::kInternal, "a separator without channels or stems"};
    for (std::size_t i = 0; i < info.stems.size(); ++i)
      outward.emplace_back(whole_rate(info.sample_rate), whole_rate(input.sample_rate), input.channels);
    make_lanes();
  }

  void push(AudioView frames, RunContext& run) override {
    mix.push(frames);
    feed(inward.process(frames), run);
  }

  void finish(RunContext& run) override {
    feed(inward.finish(), run);
    for (Lane& lane : lanes) lane.chunker.finish();
    separate_blocks(run);
    separate_pending(run);
    for (Lane& lane : lanes)
      for (Stitcher& stitcher : lane.stitchers) stitcher.finish(separated_frames);
    finished = true;
  }

  bool ready() const override { return separated() > 0 || (finished && mix.size() > 0); }

  SeparatedBlock take(RunContext& run) override {
    const std::size_t frames = separated();
    std::vector<AudioBuffer> pieces(info.stems.size());
    run.pool.parallel_for(info.stems.size(), [&](std::size_t i) {
      pieces[i] = frames > 0 ? outward[i].process(gather(i, frames)) : AudioBuffer(input.channels, 0);
    });
    const bool last = finished && separated() == 0;
    const std::size_t ahead = static_cast<std::size_t>(mix.end() - mix.first());
    const std::size_t count = last ? ahead : std::min(ahead, pieces.front().frames());

    SeparatedBlock block{AudioBuffer(std::as_const(mix).view(mix.first(), count)), Stems(info.stems, input.channels, count)};
    mix.drop_before(mix.first() + count);
    run.pool.parallel_for(info.stems.size(), [&](std::size_t i) {
      AudioBuffer& target = block.stems[i].audio;
      std::size_t filled = 0;
      const auto fill = [&](AudioView piece) {
        const std::size_t fits = std::min(piece.frames(), count - filled);
        copy(piece.slice(0, fits), target.view().slice(filled, fits));
        filled += fits;
      };
      fill(pieces[i]);
      if (last) fill(outward[i].finish());  // what is still missing then is at most a few frames: silence
    });
    if (options.consistent) consistency.apply(block.mix, block.stems);
    return block;
  }

 private:
  struct Block {
    Lane* lane;
    BlockSpan span;
    AudioBuffer audio;
  };

  void make_lanes() {
    const Chunked* const chunked = std::get_if<Chunked>(&info.blocks);
    if (chunked) {
      blocks = *chunked;
      if (options.overlap) blocks.overlap = *options.overlap;
      if (options.batch > 0) blocks.batch = options.batch;
    }
    Rng rng(options.seed);
    std::vector<Variant> variants{{}};
    if (options.augment) {
      variants.push_back({.polarity = -1.0f});
      if (info.channels > 1) variants.push_back({.reversed = true});
    }
    const std::size_t places = std::max<std::size_t>(1, options.shifts);
    runs = places * variants.size();
    const bool by_time = !chunked || blocks.policy == BlockPolicy::kDemucs;
    for (std::size_t run = 0; run < places; ++run) {
      const std::size_t range =
          by_time ? 1 + static_cast<std::size_t>(kLongestShiftSeconds * info.sample_rate) : ChunkLayout::of(blocks).hop;
      const std::size_t offset = options.shifts > 0 ? rng.index(range) : 0;
      const ChunkLayout layout = chunked ? ChunkLayout::of(blocks, offset) : ChunkLayout::whole(offset);
      for (const auto& group : channel_groups(input.channels, info.channels))
        for (const Variant& variant : variants)
          lanes.push_back({.channels = group, .variant = variant, .chunker = Chunker(layout, info.channels)});
    }
  }

  /// Where the separator's channel comes from, and goes to.
  std::size_t source_slot(const Lane& lane, std::size_t slot) const { return lane.variant.reversed ? info.channels - 1 - slot : slot; }

  void feed(AudioBuffer frames, RunContext& run) {
    separated_frames += frames.frames();
    if (info.normalize != Normalization::kNone) normalize_audio(frames, stats);
    for (Lane& lane : lanes) {
      const bool unchanged = lane.variant.polarity == 1.0f && !lane.variant.reversed;
      if (unchanged && lane.channels.size() == input.channels && input.channels == info.channels) {
        lane.chunker.push(frames);
        continue;
      }
      AudioBuffer chosen(info.channels, frames.frames());
      for (std::size_t slot = 0; slot < info.channels; ++slot)
        std::ranges::transform(frames.channel(lane.channel(source_slot(lane, slot))), chosen.channel(slot).begin(),
                               [&](float x) { return lane.variant.polarity * x; });
      lane.chunker.push(chosen);
    }
    separate_blocks(run);
  }

  void separate_blocks(RunContext& run) {
    for (Lane& lane : lanes)
      while (lane.chunker.ready()) {
        const BlockSpan span = lane.chunker.span();
        if (!pending.empty() && pending.back().span.length != span.length) separate_pending(run);
        pending.push_back({&lane, span, AudioBuffer(info.channels, span.length)});
        lane.chunker.next(pending.back().audio);
        if (pending.size() == blocks.batch) separate_pending(run);
      }
  }

  void separate_pending(RunContext& run) {
    run.cancel.check();
    if (pending.empty()) return;
    std::vector<AudioView> views;
    for (const Block& block : pending) views.push_back(block.audio);
    std::vector<Stems> results = separator.process_batch(views, run);
    if (results.size() != pending.size()) throw Error{ErrorCode::kInternal, "the separator lost a block"};
    for (std::size_t b = 0; b < pending.size(); ++b) {
      Lane& lane = *pending[b].lane;
      const ChunkLayout& layout = lane.chunker.layout();
      pending[b].audio = {};
      if (results[b].names() != info.stems) throw Error{ErrorCode::kInternal, "the separator gave other stems than it said"};
      if (lane.stitchers.empty()) {
        const std::vector<float> weights = block_weights(blocks, layout);
        for (std::size_t i = 0; i < info.stems.size(); ++i) lane.stitchers.emplace_back(layout, weights, info.channels);
      }
      for (std::size_t i = 0; i < info.stems.size(); ++i) {
        lane.stitchers[i].add(results[b][i].audio, pending[b].span);
        results[b][i].audio = {};
      }
    }
    pending.clear();
  }

  /// Frames, at the separator's rate, that all runs have finished.
  std::size_t separated() const {
    std::size_t frames = kPieceFrames;
    for (const Lane& lane : lanes) {
      if (lane.stitchers.empty()) return 0;
      for (const Stitcher& stitcher : lane.stitchers) frames = std::min(frames, stitcher.ready());
    }
    return frames;
  }

  /// One stem of the next frames: the mean over all runs, with the input's channels and level.
  AudioBuffer gather(std::size_t stem, std::size_t frames) {
    AudioBuffer sum(input.channels, frames);
    for (Lane& lane : lanes) {
      Stitcher& stitcher = lane.stitchers[stem];
      const AudioView estimate = stitcher.view(frames);
      for (std::size_t slot = 0; slot < info.channels; ++slot) {
        const std::size_t c = lane.channel(source_slot(lane, slot));
        const bool repeated = c == lane.channels.back();
        const std::size_t times = repeated ? info.channels - lane.channels.size() + 1 : 1;
        const float gain = lane.variant.polarity / static_cast<float>(times * runs);
        for (std::size_t t = 0; t < frames; ++t) sum.channel(c)[t] += gain * estimate.channel(slot)[t];
      }
      stitcher.drop(frames);
    }
    if (info.normalize != Normalization::kNone)
      denormalize_audio(sum, stats, info.normalize == Normalization::kShared ? 1.0 / static_cast<double>(info.stems.size()) : 1.0);
    return sum;
  }

  Separator& separator;
  SeparatorInfo info;
  StreamFormat input;
  SeparationOptions options;
  NormalizationStats stats;
  Chunked blocks = {.window = BlockWindow::kBox};  ///< for whole tracks: one block, all of it
  std::size_t runs = 1;
  AudioQueue mix;  ///< frames of the recording whose stems were not yet taken
  dsp::Resampler inward;
  std::vector<dsp::Resampler> outward;  ///< one per stem
  std::vector<Lane> lanes;              ///< [run][group of channels]
  std::vector<Block> pending;           ///< blocks of the next batch
  std::uint64_t separated_frames = 0;   ///< of the recording at the separator's rate
  bool finished = false;
  MixConsistency consistency;
};

/// Does a step of a stream. What it throws becomes the stream's failure, and is thrown instead of any later step.
template <class Step>
auto guarded(std::exception_ptr& failure, const Step& step) {
  if (failure) std::rethrow_exception(failure);
  try {
    return step();
  } catch (...) {
    failure = std::current_exception();
    throw;
  }
}

}  // namespace

SeparationStream::SeparationStream(Separator& separator, const StreamFormat& input, const SeparationOptions& options,
                                   const NormalizationStats& stats)
    : channels_(input.channels) {
  const SeparatorInfo& info = separator.info();
  if (std::holds_alternative<Ensemble>(info.blocks) || std::holds_alternative<Chain>(info.blocks))
    impl_ = make_composite_stream(info, input, options, stats);
  else impl_ = std::make_unique<BlockStream>(separator, input, options, stats);
}
SeparationStream::~SeparationStream() = default;

void SeparationStream::push(AudioView frames, RunContext& run) {
  if (failure_) std::rethrow_exception(failure_);
  run.cancel.check();
  if (frames.channels() != channels_)
    throw Error{ErrorCode::kInternal, fmt::format("frames of {} channels, where the stream has {}", frames.channels(), channels_)};
  if (const std::size_t at = first_not_finite(frames); at < frames.channels() * frames.frames())
    throw Error{ErrorCode::kFormat,
                fmt::format("sample {} of channel {} is not a finite number", pushed_ + at % frames.frames(), at / frames.frames() + 1)};
  pushed_ += frames.frames();
  guarded(failure_, [&] { impl_->push(frames, run); });
}

void SeparationStream::finish(RunContext& run) {
  guarded(failure_, [&] { impl_->finish(run); });
}

bool SeparationStream::ready() const { return !failure_ && impl_->ready(); }

SeparatedBlock SeparationStream::take(RunContext& run) {
  return guarded(failure_, [&] {
    SeparatedBlock block = impl_->take(run);
    for (const Stem& stem : block.stems)
      if (first_not_finite(stem.audio) < stem.audio.channels() * stem.audio.frames())
        throw Error{ErrorCode::kInternal, "the separator gave a value that is not a number", stem.name};
    return block;
  });
}

NormalizationStats measure_stream(const ReadBlock& read, const StreamFormat& input, const SeparatorInfo& separator,
                                  const CancelToken& cancel) {
  NormalizationMeter meter;
  if (separator.normalize == Normalization::kNone) return meter.stats();
  dsp::Resampler resampler(whole_rate(input.sample_rate), whole_rate(separator.sample_rate), input.channels);
  AudioBuffer block(input.channels, kPieceFrames);
  while (const std::size_t got = read(block)) {
    cancel.check();
    meter.add(resampler.process(block.view().slice(0, got)));
  }
  meter.add(resampler.finish());
  return meter.stats();
}

Stems separate(AudioView mix, double sample_rate, Separator& separator, const SeparationOptions& options, RunContext& run) {
  const StreamFormat format{.sample_rate = sample_rate, .channels = mix.channels()};
  std::size_t at = 0;
  const ReadBlock read = [&](MutableAudioView block) {
    const std::size_t count = std::min(block.frames(), mix.frames() - at);
    copy(mix.slice(at, count), block.slice(0, count));
    at += count;
    return count;
  };
  SeparationStream stream(separator, format, options, measure_stream(read, format, separator.info(), run.cancel));
  RunContext inner{.pool = run.pool, .cancel = run.cancel};  // what a separator says of its block is not said of the recording

  Stems stems(separator.info().stems, mix.channels(), mix.frames());
  std::size_t done = 0;
  const auto drain = [&] {
    while (stream.ready()) {
      const SeparatedBlock block = stream.take(inner);
      for (std::size_t i = 0; i < stems.size(); ++i) copy(block.stems[i].audio, stems[i].audio.view().slice(done, block.mix.frames()));
      done += block.mix.frames();
      run.progress.advance(block.mix.frames());
    }
  };
  run.progress.start("separate", mix.frames(), "frames");
  for (std::size_t first = 0; first < mix.frames(); first += kPieceFrames) {
    stream.push(mix.slice(first, std::min(kPieceFrames, mix.frames() - first)), inner);
    drain();
  }
  stream.finish(inner);
  drain();
  return stems;
}

}  // namespace unbraid
