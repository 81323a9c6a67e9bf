#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "pipeline/audio_queue.hpp"
#include "pipeline/solo_gate.hpp"
#include "pipeline/spectral_combiner.hpp"
#include "pipeline/stream.hpp"
#include "unbraid/core/error.hpp"
#include "unbraid/pipeline/consistency.hpp"

namespace unbraid {

namespace {

constexpr std::size_t kPieceFrames = 1 << 14;

/// One separator's stream with what it has given and nobody has used yet.
struct Part {
  Part(Separator& separator, const StreamFormat& input, SeparationOptions options, std::size_t index, const NormalizationStats& stats)
      : names(separator.info().stems),
        stream(separator, input, own(std::move(options), index, separator.info()), stats),
        stems(names.size(), AudioQueue(input.channels)) {}

  /// Each part has shifts of its own; only the whole is made consistent.
  static SeparationOptions own(SeparationOptions options, std::size_t index, const SeparatorInfo& info) {
    options.consistent = false;
    options.seed += index;
    options.batch = batch_of_member(info, options.batch);
    return options;
  }

  void push(AudioView frames, RunContext& run) {
    stream.push(frames, run);
    collect(run);
  }
  void finish(RunContext& run) {
    stream.finish(run);
    collect(run);
  }
  void collect(RunContext& run) {
    while (stream.ready()) {
      const SeparatedBlock block = stream.take(run);
      for (std::size_t i = 0; i < stems.size(); ++i) stems[i].push(block.stems[i].audio);
    }
  }
  AudioQueue* find(const std::string& name) {
    const auto found = std::ranges::find(names, name);
    return found == names.end() ? nullptr : &stems[static_cast<std::size_t>(found - names.begin())];
  }
  std::uint64_t end() const { return stems.front().end(); }

  std::vector<std::string> names;
  SeparationStream stream;
  std::vector<AudioQueue> stems;
};

/// What both composites do alike: the mixture waits for its stems.
class CompositeStream : public SeparationStream::Impl {
 public:
  CompositeStream(const SeparatorInfo& info, const StreamFormat& input, const SeparationOptions& options)
      : stems_(info.stems), input_(input), mix_(input.channels) {
    options.validate();
    if (options.consistent) consistency_.emplace(stems_.size(), input.sample_rate);
  }

  bool ready() const override { return available() > mix_.first(); }

  SeparatedBlock take(RunContext& run) override {
    const std::uint64_t first = mix_.first();
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(available() - first, kPieceFrames));
    SeparatedBlock block{AudioBuffer(std::as_const(mix_).view(first, count)), Stems(stems_, input_.channels, count)};
    run.pool.parallel_for(stems_.size(), [&](std::size_t i) { fill(i, first, block.stems[i].audio); });
    release(first + count);
    mix_.drop_before(first + count);
    if (consistency_) consistency_->apply(block.mix, block.stems);
    return block;
  }

 protected:
  /// Frames of the recording whose stems are all there.
  virtual std::uint64_t available() const = 0;
  /// The frames of one stem from `first` on.
  virtual void fill(std::size_t stem, std::uint64_t first, AudioBuffer& audio) = 0;
  /// Nothing before this frame will be asked for again.
  virtual void release(std::uint64_t frame) = 0;

  std::vector<std::string> stems_;
  StreamFormat input_;
  AudioQueue mix_;

 private:
  std::optional<MixConsistency> consistency_;
};

class EnsembleStream : public CompositeStream {
 public:
  EnsembleStream(const Ensemble& ensemble, const SeparatorInfo& info, const StreamFormat& input, const SeparationOptions& options,
                 const NormalizationStats& stats)
      : CompositeStream(info, input, options), combine_(ensemble.combine) {
    for (const Ensemble::Member& member : ensemble.members)
      parts_.push_back(std::make_unique<Part>(*member.separator, input, options, parts_.size(), stats));
    for (std::size_t i = 0; i < stems_.size(); ++i) {
      Voices& voices = voices_.emplace_back();
      for (std::size_t m = 0; m < parts_.size(); ++m) {
        const double weight = ensemble.members[m].weights.at(i);
        AudioQueue* const queue = parts_[m]->find(stems_[i]);
        if (weight > 0.0 && queue) voices.push_back({queue, weight});
      }
      if (voices.empty()) throw Error{ErrorCode::kUsage, "no member of the ensemble gives this stem", stems_[i]};
    }
    if (ensemble.solo_db) gate_.emplace(stems_.size(), input, *ensemble.solo_db);
    if (combine_ == Ensemble::Combine::kMean || combine_ == Ensemble::Combine::kMedian) return;
    std::vector<std::vector<double>> weights;
    for (const Voices& voices : voices_) {
      std::vector<double>& of_stem = weights.emplace_back();
      for (const Voice& voice : voices) of_stem.push_back(voice.weight);
    }
    combiner_.emplace(std::move(weights), input.channels, combine_, ensemble.sharpness);
  }

  void push(AudioView frames, RunContext& run) override {
    mix_.push(frames);
    for (const auto& part : parts_) part->push(frames, run);
    combine(run);
    gate(run);
  }
  void finish(RunContext& run) override {
    for (const auto& part : parts_) part->finish(run);
    combine(run);
    if (combiner_) combiner_->finish(run.pool);
    gate(run);
    if (gate_) gate_->finish(run.pool);
  }

 private:
  struct Voice {
    AudioQueue* queue;
    double weight;
  };
  using Voices = std::vector<Voice>;

  std::uint64_t separated() const {
    std::uint64_t end = mix_.end();
    for (const auto& part : parts_) end = std::min(end, part->end());
    return end;
  }
  /// Frames whose stems are made one.
  std::uint64_t combined() const { return combiner_ ? taken_ + combiner_->ready() : separated(); }
  std::uint64_t available() const override {
    return std::min<std::uint64_t>(mix_.end(), gate_ ? mix_.first() + gate_->ready() : combined());
  }

  /// Hands what all members have given to the combiner.
  void combine(RunContext& run) {
    if (!combiner_) return;
    for (std::uint64_t end = separated(); packed_ < end;) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(end - packed_, kPieceFrames));
      AudioBuffer packed(combiner_->inputs(), count);
      std::size_t row = 0;
      const auto pack = [&](const AudioQueue& queue) {
        const AudioView frames = queue.view(packed_, count);
        for (std::size_t c = 0; c < frames.channels(); ++c) std::ranges::copy(frames.channel(c), packed.channel(row++).begin());
      };
      pack(mix_);
      for (const Voices& voices : voices_)
        for (const Voice& voice : voices) pack(*voice.queue);
      combiner_->push(packed, run.pool);
      packed_ += count;
      drop_parts(packed_);
    }
  }

  /// Hands what is made one to the gate.
  void gate(RunContext& run) {
    if (!gate_) return;
    for (std::uint64_t end = combined(); taken_ < end;) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(end - taken_, kPieceFrames));
      const std::size_t channels = input_.channels;
      AudioBuffer packed(stems_.size() * channels, count);
      for (std::size_t i = 0; i < stems_.size(); ++i) {
        AudioBuffer stem(channels, count);
        fill_combined(i, taken_, stem);
        for (std::size_t c = 0; c < channels; ++c) std::ranges::copy(stem.channel(c), packed.channel(i * channels + c).begin());
      }
      gate_->push(packed, run.pool);
      release_combined(taken_ + count);
    }
  }

  void fill(std::size_t stem, std::uint64_t first, AudioBuffer& audio) override {
    if (gate_) copy_stem(gate_->view(audio.frames()), stem, audio);
    else fill_combined(stem, first, audio);
  }
  void release(std::uint64_t frame) override {
    if (gate_) gate_->drop(static_cast<std::size_t>(frame - mix_.first()));
    else release_combined(frame);
  }

  /// From [stem · channels].
  static void copy_stem(AudioView all, std::size_t stem, AudioBuffer& audio) {
    for (std::size_t c = 0; c < audio.channels(); ++c)
      std::ranges::copy(all.channel(stem * audio.channels() + c), audio.channel(c).begin());
  }

  void fill_combined(std::size_t stem, std::uint64_t first, AudioBuffer& audio) {
    if (combiner_) return copy_stem(combiner_->view(audio.frames()), stem, audio);
    const Voices& voices = voices_[stem];
    if (combine_ == Ensemble::Combine::kMean) {
      double total = 0.0;
      for (const Voice& voice : voices) total += voice.weight;
      for (const Voice& voice : voices)
        add_scaled(std::as_const(*voice.queue).view(first, audio.frames()), static_cast<float>(voice.weight / total), audio);
      return;
    }
    std::vector<float> values(voices.size());
    const std::size_t middle = values.size() / 2;
    for (std::size_t c = 0; c < audio.channels(); ++c)
      for (std::size_t t = 0; t < audio.frames(); ++t) {
        for (std::size_t v = 0; v < values.size(); ++v) values[v] = voices[v].queue->view(first + t, 1).channel(c)[0];
        std::ranges::sort(values);
        audio.channel(c)[t] = values.size() % 2 == 1 ? values[middle] : std::midpoint(values[middle - 1], values[middle]);
      }
  }

  void release_combined(std::uint64_t frame) {
    if (combiner_) combiner_->drop(static_cast<std::size_t>(frame - taken_));
    else drop_parts(frame);
    taken_ = frame;
  }
  void drop_parts(std::uint64_t frame) {
    for (const auto& part : parts_)
      for (AudioQueue& queue : part->stems) queue.drop_before(frame);
  }

  Ensemble::Combine combine_;
  std::vector<std::unique_ptr<Part>> parts_;
  std::vector<Voices> voices_;  ///< by stem
  std::optional<SpectralCombiner> combiner_;
  std::uint64_t packed_ = 0;  ///< frames that the combiner has got
  std::optional<SoloGate> gate_;
  std::uint64_t taken_ = 0;  ///< frames made one that were used
};

class ChainStream : public CompositeStream {
 public:
  ChainStream(const Chain& chain, const SeparatorInfo& info, const StreamFormat& input, const SeparationOptions& options,
              const NormalizationStats& stats)
      : CompositeStream(info, input, options), bus_mix_(input.channels) {
    for (const Chain::Step& step : chain.steps) {
      Stage& stage = stages_.emplace_back();
      stage.part = std::make_unique<Part>(*step.separator, input, options, stages_.size() - 1, stats);
      for (const auto& [gain, name] : step.input) stage.input.emplace_back(gain, name == "mix" ? &bus_mix_ : &source(name));
      for (const std::string& name : step.gives)
        if (AudioQueue* queue = stage.part->find(name)) given_.emplace(name, queue);
    }
    for (const std::string& name : stems_) source(name);  // all there
  }

  void push(AudioView frames, RunContext& run) override {
    mix_.push(frames);
    bus_mix_.push(frames);
    for (Stage& stage : stages_) feed(stage, run);
    forget();
  }
  void finish(RunContext& run) override {
    for (Stage& stage : stages_) {
      feed(stage, run);
      stage.part->finish(run);
    }
  }

 private:
  struct Stage {
    std::unique_ptr<Part> part;
    std::vector<std::pair<double, AudioQueue*>> input;
    std::uint64_t fed = 0;
  };

  AudioQueue& source(const std::string& name) const {
    const auto found = given_.find(name);
    if (found == given_.end()) throw Error{ErrorCode::kUsage, "no earlier step of the chain gives this stem", name};
    return *found->second;
  }

  void feed(Stage& stage, RunContext& run) {
    std::uint64_t end = bus_mix_.end();
    for (const auto& [gain, queue] : stage.input) end = std::min(end, queue->end());
    while (stage.fed < end) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(end - stage.fed, kPieceFrames));
      AudioBuffer frames(input_.channels, count);
      for (const auto& [gain, queue] : stage.input)
        add_scaled(std::as_const(*queue).view(stage.fed, count), static_cast<float>(gain), frames);
      stage.part->push(frames, run);
      stage.fed += count;
    }
  }

  std::uint64_t available() const override {
    std::uint64_t end = mix_.end();
    for (const auto& stage : stages_) end = std::min(end, stage.part->end());
    return end;
  }
  void fill(std::size_t stem, std::uint64_t first, AudioBuffer& audio) override {
    copy(std::as_const(source(stems_[stem])).view(first, audio.frames()), audio);
  }
  void release(std::uint64_t frame) override {
    taken_ = frame;
    forget();
  }
  /// Frames that neither a later step nor take() will want.
  void forget() {
    std::uint64_t oldest = taken_;
    for (const Stage& stage : stages_) oldest = std::min(oldest, stage.fed);
    bus_mix_.drop_before(oldest);
    for (const Stage& stage : stages_)
      for (AudioQueue& queue : stage.part->stems) queue.drop_before(oldest);
  }

  AudioQueue bus_mix_;  ///< as long as a step may want it
  std::vector<Stage> stages_;
  std::map<std::string, AudioQueue*> given_;
  std::uint64_t taken_ = 0;
};

}  // namespace

std::unique_ptr<SeparationStream::Impl> make_composite_stream(const SeparatorInfo& info, const StreamFormat& input,
                                                              const SeparationOptions& options, const NormalizationStats& stats) {
  if (const Ensemble* ensemble = std::get_if<Ensemble>(&info.blocks))
    return std::make_unique<EnsembleStream>(*ensemble, info, input, options, stats);
  return std::make_unique<ChainStream>(std::get<Chain>(info.blocks), info, input, options, stats);
}

}  // namespace unbraid
