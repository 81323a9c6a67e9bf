// How fast files are read and written, as a multiple of real time: 60 s of stereo noise at 48 kHz under a
// low-pass.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "unbraid/core/rng.hpp"
#include "unbraid/io/reader.hpp"
#include "unbraid/io/writer.hpp"

namespace {

using namespace unbraid;

constexpr double kSeconds = 60;
constexpr double kSampleRate = 48000;  // which every container holds

AudioBuffer music_like() {
  AudioBuffer audio(2, static_cast<std::size_t>(kSeconds * kSampleRate));
  Rng rng(1);
  for (std::size_t c = 0; c < 2; ++c) {
    float state = 0;
    for (float& x : audio.channel(c)) x = state += 0.1f * (static_cast<float>(rng.uniform(-1, 1)) - state);
  }
  return audio;
}

void write(const std::filesystem::path& path, AudioView audio, io::Container container) {
  const auto writer = io::create_writer(path, {.container = container,
                                               .format = io::closest_format(container, io::SampleFormat::kPcm24),
                                               .sample_rate = kSampleRate,
                                               .overwrite = true});
  writer->write(audio);
  writer->finish();
}

std::filesystem::path file_for(io::Container container) {
  return std::filesystem::temp_directory_path() / ("unbraid-bench-" + std::to_string(getpid()) + io::extension(container));
}

void report(benchmark::State& state) {
  state.counters["x_real_time"] = benchmark::Counter(kSeconds * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void encode(benchmark::State& state, io::Container container) {
  const AudioBuffer audio = music_like();
  for (auto _ : state) write(file_for(container), audio, container);
  std::filesystem::remove(file_for(container));
  report(state);
}

void decode(benchmark::State& state, io::Container container) {
  write(file_for(container), music_like(), container);
  AudioBuffer block(2, 65536);
  for (auto _ : state) {
    const auto reader = io::open_reader(file_for(container));
    while (reader->read(block) > 0) benchmark::DoNotOptimize(block.samples().data());
  }
  std::filesystem::remove(file_for(container));
  report(state);
}

const int registered = [] {
  for (const io::Container container :
       {io::Container::kWav, io::Container::kFlac, io::Container::kOgg, io::Container::kOpus, io::Container::kMp3, io::Container::kM4a}) {
    const std::string name(io::to_string(container));
    benchmark::RegisterBenchmark(("decode/" + name).c_str(), decode, container)->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark(("encode/" + name).c_str(), encode, container)->Unit(benchmark::kMillisecond);
  }
  return 0;
}();

}  // namespace
