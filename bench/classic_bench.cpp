// The whole-track methods on 30 s at 44.1 kHz, as the reference programs are timed (bench/compare_classic): magnitudes of
// 1025 bins and 2585 frames. The last argument is the number of threads. The counters flops and bytes are what one run of
// the method needs at least, by its arithmetic and by what it reads and writes that no cache holds; Peak says what this
// machine can do of each.

#include <benchmark/benchmark.h>
#include <cblas.h>

#include <algorithm>
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
constexpr double kValues = static_cast<double>(kFrames * kBins), kPlane = kValues * sizeof(float);

void count(benchmark::State& state, double flops, double bytes) {
  state.counters["flops"] = flops;
  state.counters["bytes"] = bytes;
}

/// Matrix products in the cache, one per thread.
void PeakFlops(benchmark::State& state) {
  constexpr int kSize = 1024;
  constexpr auto kSquare = static_cast<std::size_t>(kSize) * kSize;
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  std::vector<float> a(kSquare * pool.threads(), 0.5f), b(a), c(a);
  openblas_set_num_threads(1);  // threads are ours
  for (auto _ : state)
    pool.parallel_for(pool.threads(), [&](std::size_t t) {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kSize, kSize, kSize, 1.0f, &a[t * kSquare], kSize, &b[t * kSquare], kSize,
                  0.0f, &c[t * kSquare], kSize);
    });
  count(state, 2.0 * kSize * kSize * kSize * static_cast<double>(pool.threads()), 0);
}
BENCHMARK(PeakFlops)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

/// a = b + s·c over 96 MB per array, as McCalpin's STREAM does.
void PeakBytes(benchmark::State& state) {
  constexpr std::size_t kCount = 24'000'000, kSlice = 250'000;
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  std::vector<float> a(kCount, 1.0f), b(a), c(a);
  for (auto _ : state)
    pool.parallel_for(kCount / kSlice, [&](std::size_t s) {
      for (std::size_t i = s * kSlice; i < (s + 1) * kSlice; ++i) a[i] = b[i] + 3.0f * c[i];
    });
  count(state, 0, 3.0 * sizeof(float) * kCount);
}
BENCHMARK(PeakBytes)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

/// Something like music: a few spectra that come and go with a period, and noise.
dsp::Magnitudes<float> music() {
  constexpr std::size_t kSpectra = 24;
  Rng rng(17);
  std::vector<float> spectra(kSpectra * kBins), activations(kFrames * kSpectra);
  for (float& x : spectra) x = static_cast<float>(std::pow(rng.uniform(), 6));
  for (std::size_t m = 0; m < kFrames; ++m)
    for (std::size_t s = 0; s < kSpectra; ++s) activations[m * kSpectra + s] = (m % 172) / 7 == s ? 1.0f : 0.02f;
  dsp::Magnitudes<float> out(1, kFrames, kBins);
  for (std::size_t m = 0; m < kFrames; ++m)
    for (std::size_t k = 0; k < kBins; ++k) {
      float sum = 0;
      for (std::size_t s = 0; s < kSpectra; ++s) sum += activations[m * kSpectra + s] * spectra[s * kBins + k];
      out.at(0, m, k) = 0.01f * (sum + static_cast<float>(0.1 * rng.uniform()) + 1e-4f);
    }
  return out;
}

/// Arguments: beta, threads. 32 components, 100 iterations.
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
  // Products of the tile and its factors: two for the model, and two (beta 0: four) with the spectrogram, read twice.
  count(state, (beta == 2 ? 4 : beta == 1 ? 8 : 12) * kValues * 32 * 100, 2 * kPlane * 100);
}
BENCHMARK(Nmf)->ArgsProduct({{2, 1, 0}, {1, 2}})->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(1)->Repetitions(3);

void Repet(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const std::size_t period = classic::repeating_period(classic::beat_spectrum(v, pool), 69, 689);
    benchmark::DoNotOptimize(classic::repet_mask(v, period, 5, pool));
  }
  // Autocorrelations of every bin, by transforms of twice the length; medians compare, which is not counted.
  count(state, 2 * 2.5 * 2 * kValues * std::log2(2.0 * kFrames), 4 * kPlane);
}
BENCHMARK(Repet)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

void RepetSim(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  RunContext run{pool};
  for (auto _ : state) benchmark::DoNotOptimize(classic::repet_sim_mask(v, {.min_distance_frames = 86, .first_bin = 5}, run));
  count(state, kValues * kFrames, 3 * kPlane);  // half of the similarities of all frames
}
BENCHMARK(RepetSim)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

void Ft2d(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(classic::ft2d_mask(v, {.first_bin = 5}, pool));
  // There and back, real; the plane of half the scales is written or read seven times.
  count(state, 2 * 2.5 * kValues * std::log2(kValues), (7 + 4) * kPlane);
}
BENCHMARK(Ft2d)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

void Rpca(benchmark::State& state) {
  const auto v = music();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  RunContext run{pool};
  const std::vector<double> values(v.values().begin(), v.values().end());
  double iterations = 0, rank = 0;
  for (auto _ : state) {
    const auto parts = classic::rpca(values, kFrames, kBins, {}, run);
    iterations = static_cast<double>(parts.iterations);
    rank = static_cast<double>(parts.rank);
  }
  state.counters["iterations_done"] = iterations;
  state.counters["rank"] = rank;
  // Half a Gram matrix, an eigenvalue problem (9 n³ by divide and conquer), two products of the final rank; in double
  // precision, where a vector holds half as many.
  count(state, 2 * iterations * (kValues * kBins + 9.0 * kBins * kBins * kBins + 4 * kValues * rank), iterations * 2 * 8 * kPlane);
}
BENCHMARK(Rpca)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(1);

}  // namespace
