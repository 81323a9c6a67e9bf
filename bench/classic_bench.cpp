// The whole-track methods on 30 s at 44.1 kHz, as the reference programs were timed: magnitudes of 1025 bins and 2585
// frames. Columns CPU and Time are of one thread; flops/s counts the products that the method is made of.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "unbraid/classic/ft2d.hpp"
#include "unbraid/classic/nmf.hpp"
#include "unbraid/classic/repet.hpp"
#include "unbraid/classic/repet_sim.hpp"
#include "unbraid/classic/rpca.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/run_context.hpp"

namespace {

using namespace unbraid;

constexpr std::size_t kFrames = 2585, kBins = 1025;

/// Something like music: a few spectra that come and go with a period, and noise.
dsp::Magnitudes<float> music() {
  constexpr std::size_t kSpectra = 24;
  Rng rng(17);
  std::vector<float> spectra(kSpectra * kBins), activations(kFrames * kSpectra);
  for (float& x : spectra) x = static_cast<float>(std::pow(rng.uniform(), 6));
  for (std::size_t m = 0; m < kFrames; ++m)
    for (std::size_t s = 0; s < kSpectra; ++s)
      activations[m * kSpectra + s] = (m % 172) / 7 == s ? 1.0f : 0.02f;
  dsp::Magnitudes<float> out(1, kFrames, kBins);
  for (std::size_t m = 0; m < kFrames; ++m)
    for (std::size_t k = 0; k < kBins; ++k) {
      float sum = 0;
      for (std::size_t s = 0; s < kSpectra; ++s) sum += activations[m * kSpectra + s] * spectra[s * kBins + k];
      out.at(0, m, k) = 0.01f * (sum + static_cast<float>(0.1 * rng.uniform()) + 1e-4f);
    }
  return out;
}

/// Arguments: beta, threads. 32 components, 100 iterations: as scikit-learn was timed.
void Nmf(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(1)));
  RunContext run{pool};
  const auto start = classic::nmf_random_start<float>(v.values(), kFrames, kBins, 32, 1);
  const auto beta = static_cast<double>(state.range(0));
  for (auto _ : state) {
    auto factors = start;
    classic::nmf<float>(v.values(), factors, {.components = 32, .beta = beta, .iterations = 100}, run);
    benchmark::DoNotOptimize(factors);
  }
  const double products = beta == 2 ? 4 : beta == 1 ? 8 : 12;
  state.counters["flops/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * products * kFrames * kBins * 32 * 100, benchmark::Counter::kIsRate);
}
BENCHMARK(Nmf)->Args({2, 1})->Args({1, 1})->Args({0, 1})->Args({1, 2})->Unit(benchmark::kMillisecond)->Iterations(1);

void Repet(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const std::size_t period = classic::repeating_period(classic::beat_spectrum(v, pool), 69, 689);
    benchmark::DoNotOptimize(classic::repet_mask(v, period, 5, pool));
  }
}
BENCHMARK(Repet)->Arg(1)->Unit(benchmark::kMillisecond);

void RepetSim(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  RunContext run{pool};
  for (auto _ : state)
    benchmark::DoNotOptimize(classic::repet_sim_mask(v, {.min_distance_frames = 86, .first_bin = 5}, run));
}
BENCHMARK(RepetSim)->Arg(1)->Unit(benchmark::kMillisecond);

void Ft2d(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(classic::ft2d_mask(v, {.first_bin = 5}, pool));
}
BENCHMARK(Ft2d)->Arg(1)->Unit(benchmark::kMillisecond);

void Rpca(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  RunContext run{pool};
  const std::vector<double> values(v.values().begin(), v.values().end());
  for (auto _ : state) {
    const auto parts = classic::rpca(values, kFrames, kBins, {}, run);
    state.counters["iterations_done"] = static_cast<double>(parts.iterations);
  }
}
BENCHMARK(Rpca)->Arg(1)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
