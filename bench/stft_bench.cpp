// STFT and inverse of three minutes of stereo at 44.1 kHz, window 2048, hop 512, float32; items are samples
// of both channels. bench/compare_stft runs this beside scipy.
#include <benchmark/benchmark.h>

#include "unbraid/core/audio_buffer.hpp"
#include "unbraid/core/rng.hpp"
#include "unbraid/core/thread_pool.hpp"
#include "unbraid/dsp/fft.hpp"
#include "unbraid/dsp/stft.hpp"

namespace {

using namespace unbraid;

constexpr std::size_t kFrames = 180 * 44100;

AudioBuffer noise() {
  AudioBuffer song(2, kFrames);
  Rng rng(1);
  for (float& sample : song.samples()) sample = static_cast<float>(rng.uniform(-1, 1));
  return song;
}

dsp::Stft<float> transform() {
  return dsp::Stft<float>({.window = {.length = 2048}, .hop = 512, .scaling = dsp::StftScaling::kScipySpectrum});
}

void count_samples(benchmark::State& state) { state.SetItemsProcessed(static_cast<std::int64_t>(2 * kFrames) * state.iterations()); }

/// As scipy does it: every transform returns new memory.
void round_trip(benchmark::State& state) {
  const AudioBuffer song = noise();
  const auto stft = transform();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const auto spectrogram = stft.forward(song.view(), pool);
    AudioBuffer out(2, kFrames);
    stft.inverse(spectrogram, out.view(), pool);
    benchmark::DoNotOptimize(out.channel(1)[kFrames - 1]);
  }
  count_samples(state);
}

/// Into memory that is there already, as a loop over blocks does it.
void forward(benchmark::State& state) {
  const AudioBuffer song = noise();
  const auto stft = transform();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  dsp::Spectrogram<float> spectrogram(2, stft.frames(kFrames), stft.bins());
  for (auto _ : state) stft.forward(song.view(), spectrogram, pool);
  count_samples(state);
}

void inverse(benchmark::State& state) {
  AudioBuffer song = noise();
  const auto stft = transform();
  ThreadPool pool(static_cast<std::size_t>(state.range(0)));
  const auto spectrogram = stft.forward(song.view(), pool);
  for (auto _ : state) stft.inverse(spectrogram, song.view(), pool);
  count_samples(state);
}

/// The transforms alone, in the cache: the least that any STFT with this FFT can take.
void fft_alone(benchmark::State& state) {
  const dsp::RealFft<float> fft(2048);
  dsp::AlignedVector<float> samples(2048, 0.5f);
  dsp::AlignedVector<std::complex<float>> spectrum(1025);
  for (auto _ : state) {
    fft.forward(samples, spectrum);
    fft.inverse_unscaled(spectrum, samples);
    for (float& sample : samples) sample *= 1.0f / 2048;
  }
  state.SetItemsProcessed(512 * state.iterations());  // a frame stands for one hop
}

BENCHMARK(round_trip)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(forward)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(inverse)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(fft_alone);

}  // namespace
