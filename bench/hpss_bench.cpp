// Sliding medians, HPSS masks and the whole separator. Input: magnitudes of 1025 bins, as of a 2048-sample STFT.
//
// bench/compare_hpss runs these beside scipy's median filter and prints the ratios. bytes/s counts what the medians
// must at least move: each value read once and written once.

#include <benchmark/benchmark.h>

#include <cstddef>

#include "unbraid/classic/hpss.hpp"
#include "unbraid/classic/median.hpp"
#include "unbraid/classic/methods.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/run_context.hpp"

namespace {

using namespace unbraid;

constexpr std::size_t kBins = 1025;

dsp::Magnitudes<float> random_magnitudes(std::size_t frames) {
  dsp::Magnitudes<float> out(1, frames, kBins);
  Rng rng(7);
  for (float& v : out.values()) v = static_cast<float>(rng.uniform());
  return out;
}

void count(benchmark::State& state, std::size_t values) {
  const auto total = static_cast<double>(state.iterations() * values);
  state.counters["values/s"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters["bytes/s"] = benchmark::Counter(total * 2 * sizeof(float), benchmark::Counter::kIsRate, benchmark::Counter::OneK::kIs1000);
}

/// Arguments: kernel, frames, threads.
void MedianAcrossFrames(benchmark::State& state) {
  const auto input = random_magnitudes(static_cast<std::size_t>(state.range(1)));
  ThreadPool pool(static_cast<std::size_t>(state.range(2)));
  for (auto _ : state) benchmark::DoNotOptimize(classic::median_across_frames(input, static_cast<std::size_t>(state.range(0)), pool));
  count(state, input.size());
}

void MedianAcrossBins(benchmark::State& state) {
  const auto input = random_magnitudes(static_cast<std::size_t>(state.range(1)));
  ThreadPool pool(static_cast<std::size_t>(state.range(2)));
  for (auto _ : state) benchmark::DoNotOptimize(classic::median_across_bins(input, static_cast<std::size_t>(state.range(0)), pool));
  count(state, input.size());
}

void HpssMasks(benchmark::State& state) {
  const auto input = random_magnitudes(static_cast<std::size_t>(state.range(1)));
  const auto kernel = static_cast<std::size_t>(state.range(0));
  ThreadPool pool(static_cast<std::size_t>(state.range(2)));
  for (auto _ : state) benchmark::DoNotOptimize(classic::hpss_masks(input, {.kernel_frames = kernel, .kernel_bins = kernel}, pool));
  count(state, input.size());
}

/// STFT, masks, inverse STFT: mono, 44.1 kHz. Arguments: seconds, threads.
void HpssSeparator(benchmark::State& state) {
  constexpr double kRate = 44100;
  const auto frames = static_cast<std::size_t>(kRate) * static_cast<std::size_t>(state.range(0));
  AudioBuffer audio(1, frames);
  Rng rng(7);
  for (float& x : audio.samples()) x = static_cast<float>(rng.uniform(-0.5, 0.5));
  const Method method = classic::hpss_method();
  const auto separator = method.make({.sample_rate = kRate, .channels = 1}, ParameterValues::resolve(method.parameters), 0);
  ThreadPool pool(static_cast<std::size_t>(state.range(1)));
  RunContext run{pool};
  for (auto _ : state) benchmark::DoNotOptimize(separator->process(audio, run));
  state.counters["x_realtime"] = benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)), benchmark::Counter::kIsRate);
}

BENCHMARK(MedianAcrossFrames)->Args({31, 2584, 1})->Args({31, 2584, 2})->Args({301, 2584, 2})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(MedianAcrossBins)->Args({31, 2584, 1})->Args({31, 2584, 2})->Args({301, 2584, 2})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(HpssMasks)->Args({31, 2584, 1})->Args({31, 2584, 2})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(HpssSeparator)->Args({30, 1})->Args({30, 2})->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
