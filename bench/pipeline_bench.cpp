// What the pipeline itself costs, around a separator that does nothing: the rates are frames of stereo per
// second; 44100 of them are real time.
#include <benchmark/benchmark.h>

#include "unbraid/core/rng.hpp"
#include "unbraid/pipeline/consistency.hpp"
#include "unbraid/pipeline/normalize.hpp"
#include "unbraid/pipeline/separate.hpp"

namespace unbraid {
namespace {

constexpr std::size_t kFrames = 30 * 44100;

AudioBuffer noise() {
  AudioBuffer audio(2, kFrames);
  Rng rng(1);
  for (float& sample : audio.samples()) sample = static_cast<float>(rng.uniform(-0.5, 0.5));
  return audio;
}

/// Four stems, each the block itself.
class Copies final : public Separator {
 public:
  Copies(double sample_rate, double overlap) {
    info_ = {
        .stems = {"a", "b", "c", "d"}, .sample_rate = sample_rate, .channels = 2, .blocks = Chunked{.length = 1 << 17, .overlap = overlap}};
  }
  const SeparatorInfo& info() const override { return info_; }
  Stems process(AudioView block, RunContext&) override {
    Stems stems;
    for (const std::string& name : info_.stems) stems.add(name, AudioBuffer(block));
    return stems;
  }

 private:
  SeparatorInfo info_;
};

void run(benchmark::State& state, double separator_rate, const SeparationOptions& options) {
  const AudioBuffer mix = noise();
  Copies separator(separator_rate, static_cast<double>(state.range(0)) / 100.0);
  ThreadPool pool(2);
  RunContext context{pool};
  for (auto _ : state) benchmark::DoNotOptimize(separate(mix, 44100, separator, options, context));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * kFrames);
}

void separate_copies(benchmark::State& state) { run(state, 44100, {}); }
BENCHMARK(separate_copies)->ArgName("overlap_percent")->Arg(0)->Arg(50)->Arg(90)->Unit(benchmark::kMillisecond)->UseRealTime();

void separate_copies_at_another_rate(benchmark::State& state) { run(state, 48000, {}); }
BENCHMARK(separate_copies_at_another_rate)->ArgName("overlap_percent")->Arg(50)->Unit(benchmark::kMillisecond)->UseRealTime();

void separate_copies_consistently(benchmark::State& state) { run(state, 44100, {.consistent = true}); }
BENCHMARK(separate_copies_consistently)->ArgName("overlap_percent")->Arg(50)->Unit(benchmark::kMillisecond)->UseRealTime();

void measure_statistics(benchmark::State& state) {
  const AudioBuffer mix = noise();
  for (auto _ : state) benchmark::DoNotOptimize(measure_normalization(mix));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * kFrames);
}
BENCHMARK(measure_statistics)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace unbraid
