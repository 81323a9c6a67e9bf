// BSS Eval v4 on a track of 4 stereo stems, and where its time goes.
//
// The signals are coloured noise that overlaps in frequency; estimates are references with leakage and noise. The
// counters are the passes' shares of the processor time: correlations, normal equations, projections.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <ctime>
#include <vector>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/run_context.hpp"
#include "unbraid/metrics/bss_eval.hpp"

namespace {

using namespace unbraid;

constexpr std::size_t kStems = 4, kChannels = 2;
constexpr double kRate = 44100;

struct Track {
  std::vector<AudioBuffer> references, estimates;
};

Track make_track(double seconds) {
  const auto frames = static_cast<std::size_t>(seconds * kRate);
  Track track;
  for (std::size_t j = 0; j < kStems; ++j) {
    Rng rng(41, j);
    AudioBuffer audio(kChannels, frames);
    const double pole = 0.5 + 0.12 * static_cast<double>(j);
    for (std::size_t c = 0; c < kChannels; ++c) {
      double state = 0;
      for (float& sample : audio.channel(c)) {
        state = pole * state + 0.1 * rng.uniform(-1, 1);
        sample = static_cast<float>(state);
      }
    }
    track.references.push_back(std::move(audio));
  }
  for (std::size_t j = 0; j < kStems; ++j) {
    AudioBuffer audio(track.references[j]);
    add_scaled(track.references[(j + 1) % kStems], 0.2f, audio);
    Rng rng(42, j);
    for (float& sample : audio.samples()) sample += static_cast<float>(rng.uniform(-0.01, 0.01));
    track.estimates.push_back(std::move(audio));
  }
  return track;
}

/// Arguments: seconds of audio, threads.
void BssEvalV4(benchmark::State& state) {
  const Track track = make_track(static_cast<double>(state.range(0)));
  const std::vector<AudioView> references(track.references.begin(), track.references.end());
  const std::vector<AudioView> estimates(track.estimates.begin(), track.estimates.end());
  ThreadPool pool(static_cast<std::size_t>(state.range(1)));
  RunContext run{pool};
  double passes[3] = {};
  for (auto _ : state) {
    const auto start = std::clock();
    metrics::BssEvalV4 eval(kStems, kChannels, metrics::BssEvalOptions::v4(kRate));
    eval.measure(references, estimates, run);
    const auto measured = std::clock();
    eval.solve(run);
    const auto solved = std::clock();
    eval.score(references, estimates, run);
    const auto scored = std::clock();
    benchmark::DoNotOptimize(eval.result());
    passes[0] += static_cast<double>(measured - start);
    passes[1] += static_cast<double>(solved - measured);
    passes[2] += static_cast<double>(scored - solved);
  }
  const double total = passes[0] + passes[1] + passes[2];
  state.counters["correlations"] = passes[0] / total;
  state.counters["filters"] = passes[1] / total;
  state.counters["projections"] = passes[2] / total;
}
BENCHMARK(BssEvalV4)->Args({30, 1})->Args({30, 2})->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
